// What the page knows: the rows of all attempts, and of each attempt that was opened its facts and its steps.

const POLL = 1000, IDLE = 4000, QUIET = 900;

const store = { mode: "disk", written: 0, runs: [], rows: new Map(), version: "", heard: [], lost: false, opened: new Map() };

const nameOf = (run, key) => `${run}\n${key}`;

function takeIn(told) {
  if (told.anew) store.rows.clear();
  const before = JSON.stringify(store.runs);
  store.runs = told.runs;
  for (const row of told.rows) store.rows.set(nameOf(row.run, row.key), row);
  for (const [run, key] of told.gone || []) store.rows.delete(nameOf(run, key));
  return told.anew || told.rows.length > 0 || (told.gone || []).length > 0 || before !== JSON.stringify(told.runs);
}

/** The verdict as it is shown: an attempt whose run has ended, or that nobody has written to for long, does not run. */
function verdictOf(row) {
  if (row.state !== "running") return row.verdict;
  const now = store.mode === "live" ? Date.now() / 1000 : store.written;
  const ended = (store.runs.find((run) => run.name === row.run) || {}).ended || 0;
  return row.touched <= ended || now - row.touched > QUIET ? "unfinished" : "running";
}

const isRunning = () => [...store.rows.values()].some((row) => verdictOf(row) === "running");

const heardOf = () => store.heard.forEach((call) => call());

async function ask(path, given) {
  const answer = await fetch(`${path}?${new URLSearchParams(given)}`);
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return answer.json();
}

async function poll() {
  let pause = POLL;
  try {
    if (!document.hidden || !store.version) {
      const told = await ask("api/changes", { since: store.version });
      const back = store.lost || !store.version;
      store.version = told.version;
      store.lost = false;
      if (takeIn(told) || back) heardOf();
      if (!isRunning()) pause = told.rows.length ? POLL : IDLE / 2;
    }
  } catch {
    if (!store.lost) {
      store.lost = true;
      heardOf();
    }
    pause = IDLE;
  }
  setTimeout(poll, pause);
}

/** The facts and steps of an attempt, as far as there are any; from a server only what is new is fetched. */
function openAttempt(row) {
  return store.mode === "live" ? fetchAttempt(row) : loadAttempt(row);
}

async function fetchAttempt(row) {
  const name = nameOf(row.run, row.key);
  const had = store.opened.get(name);
  const told = await ask("api/attempt", { run: row.run, key: row.key, has: had ? had.has : "", after: had ? had.told.token : "" });
  const whole = { has: told.has, facts: told.facts || (had && had.facts) || { files: [] }, told: told.told };
  if (had && !told.told.anew) {
    whole.told = { ...told.told, events: [...had.told.events, ...told.told.events], leftOut: had.told.leftOut + told.told.leftOut };
  }
  store.opened.set(name, whole);
  if (store.opened.size > 20) store.opened.delete(store.opened.keys().next().value);
  return whole;
}

const placeOf = (row) => {
  const base = (store.runs.find((run) => run.name === row.run) || {}).base || "";
  return [...(base ? base.split("/") : []), "attempts", row.key].map(encodeURIComponent).join("/");
};

/** A page from the disk may fetch nothing: what it shows of an attempt is a script that hands it over. */
function loadAttempt(row) {
  const name = nameOf(row.run, row.key);
  if (store.opened.has(name)) return Promise.resolve(store.opened.get(name));
  return new Promise((resolve, reject) => {
    const script = h("script", { src: `${placeOf(row)}/view.js` });
    script.handOver = (told) => {
      store.opened.set(name, told);
      resolve(told);
    };
    script.onerror = () => { script.remove(); reject(new Error("its details are not written yet: they come when it ends")); };
    script.onload = () => { script.remove(); reject(new Error("its details are damaged")); };
    document.head.append(script);
  });
}

window.swegymAttempt = (told) => document.currentScript.handOver(told);

/** Where a file of an attempt can be had as it is. */
const fileOf = (row, name) =>
  store.mode === "live" ? `file?${new URLSearchParams({ run: row.run, key: row.key, name })}` : `${placeOf(row)}/${encodeURIComponent(name)}`;
