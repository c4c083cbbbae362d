// All attempts: what they came to, and the table of them.

const attemptLink = (row, tab = "") => `#/attempt/${encodeURIComponent(row.run)}/${encodeURIComponent(row.key)}${tab ? `?tab=${tab}` : ""}`;

const passed = (pair) => (pair ? `${pair[0]}/${pair[1]}` : "\u2013");

const COLUMNS = [
  { name: "verdict", title: "Verdict", value: verdictOf, cell: (row) => badge(verdictOf(row)) },
  {
    name: "instance", title: "Instance", value: (row) => row.instance,
    cell: (row) => [h("a", { href: attemptLink(row) }, row.instance || row.key), h("small", {}, row.why || row.solver)],
  },
  { name: "attempt", title: "#", value: (row) => row.attempt, cell: (row) => String(row.attempt) },
  { name: "run", title: "Run", value: (row) => row.run, cell: (row) => row.run },
  { name: "solver", title: "Solver", value: (row) => row.solver, cell: (row) => row.solver || "\u2013" },
  { name: "reward", title: "Reward", value: (row) => row.reward, cell: (row) => reward(row.reward) },
  { name: "f2p", title: "F2P", value: (row) => (row.f2p ? row.f2p[0] / row.f2p[1] : null), cell: (row) => passed(row.f2p) },
  { name: "p2p", title: "P2P", value: (row) => (row.p2p ? row.p2p[0] / row.p2p[1] : null), cell: (row) => passed(row.p2p) },
  { name: "steps", title: "Steps", value: (row) => row.steps, cell: (row) => count(row.steps) },
  { name: "tokens", title: "Tokens", value: (row) => row.tokens, cell: (row) => short(row.tokens) },
  { name: "cost", title: "Cost", value: (row) => row.cost, cell: (row) => money(row.cost) },
  { name: "seconds", title: "Time", value: (row) => row.seconds, cell: (row) => seconds(row.seconds) },
  { name: "failure", title: "Reason", value: (row) => row.failure, cell: (row) => [row.failure, row.why ? h("small", {}, row.why) : null] },
];

class Overview {
  constructor() {
    this.filters = {};
    this.head = h("div");
    this.search = h("input", { type: "search", id: "search", placeholder: "Search instances, solvers, reasons  ( / )", "aria-label": "Search attempts", oninput: () => this.set("q", this.search.value) });
    this.selects = { run: this.select("run", "Run"), solver: this.select("solver", "Solver"), failure: this.select("failure", "Reason") };
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Verdict" });
    this.told = h("span", { class: "told", role: "status" });
    this.grid = new Grid(COLUMNS, { link: (row) => attemptLink(row), caption: "Attempts", changed: () => this.remember() });
    const bar = h("div", { class: "bar" }, this.search, Object.values(this.selects), this.told);
    this.element = h("div", {}, h("h1", { class: "hidden" }, "Attempts"), this.head, h("section", { "aria-label": "Attempts" }, bar, this.chips, this.grid.element));
  }

  select(name, title) {
    return h("select", { "aria-label": title, onchange: (event) => this.set(name, event.target.value) });
  }

  open(given) {
    this.filters = Object.fromEntries([...given].filter(([name]) => ["q", "run", "solver", "failure", "verdict"].includes(name)));
    this.search.value = this.filters.q || "";
    this.grid.sort = given.get("sort") || "";
    this.address = location.hash || "#/";
    this.update();
    if (known(this.scrolled)) requestAnimationFrame(() => { scrollTo(0, this.scrolled); this.grid.draw(); if (this.grid.at >= 0) this.grid.choose(this.grid.at); });
  }

  leave() {
    this.scrolled = scrollY;
  }

  set(name, value) {
    if (value) this.filters[name] = value;
    else delete this.filters[name];
    this.remember();
    this.update();
  }

  /** The address holds the state, and is no new place to come back to. */
  remember() {
    const given = new URLSearchParams(this.filters);
    if (this.grid.sort) given.set("sort", this.grid.sort);
    this.address = `#/${String(given) ? `?${given}` : ""}`;
    history.replaceState(null, "", this.address);
  }

  /** The rows that pass every filter but the one called `but`. */
  passing(but = "") {
    const { q = "", run, solver, failure, verdict } = this.filters;
    const parts = q.toLowerCase().split(/\s+/).filter(Boolean);
    return [...store.rows.values()].filter((row) =>
      (!run || row.run === run) && (!solver || row.solver === solver) && (!failure || row.failure === failure)
      && (but === "verdict" || !verdict || verdictOf(row) === verdict)
      && (!parts.length || parts.every((part) => textOf(row).includes(part))));
  }

  update() {
    const rows = this.passing(), all = [...store.rows.values()];
    for (const [name, select] of Object.entries(this.selects)) this.choices(name, select, all);
    const verdicts = this.passing("verdict");
    const there = VERDICTS.filter((verdict) => verdicts.some((row) => verdictOf(row) === verdict) || this.filters.verdict === verdict);
    put(this.chips, [["", "All"], ...there.map((verdict) => [verdict, words(verdict)])].map(([value, title]) => {
      const size = value ? verdicts.filter((row) => verdictOf(row) === value).length : verdicts.length;
      return h("button", { type: "button", class: "chip", "aria-pressed": String((this.filters.verdict || "") === value), onclick: () => this.set("verdict", value) }, value ? h("i", { class: `dot bg-${value}` }) : null, title, h("b", {}, count(size)));
    }));
    this.told.textContent = rows.length === all.length ? plural(all.length, "attempt") : `${count(rows.length)} of ${plural(all.length, "attempt")}`;
    this.grid.empty.textContent = all.length ? "No attempt fits these filters. Esc clears the search." : "No attempt has ended yet.";
    this.hide(all);
    this.grid.set(sorted(rows, (row) => `${row.instance}\n${row.attempt}\n${row.run}`, 1));
    this.summary(rows);
  }

  choices(name, select, all) {
    const values = [...new Set(all.map((row) => row[name]).filter(Boolean))].sort(collate.compare);
    select.hidden = values.length < 2 && !this.filters[name];
    const title = { run: "All runs", solver: "All solvers", failure: "All reasons" }[name];
    if (select.known !== values.join("\n")) {
      select.known = values.join("\n");
      put(select, h("option", { value: "" }, title), values.map((value) => h("option", { value }, value)));
    }
    select.value = this.filters[name] || "";
  }

  /** Columns that tell nothing here. */
  hide(all) {
    const none = { run: store.runs.length < 2, attempt: !all.some((row) => row.attempt), solver: new Set(all.map((row) => row.solver)).size < 2 };
    for (const name of ["steps", "tokens", "cost", "p2p"]) none[name] = !all.some((row) => (name === "steps" ? known(row.steps) : row[name]));
    for (const [name, hidden] of Object.entries(none)) this.grid.table.classList.toggle(`no-${name}`, hidden);
  }

  summary(rows) {
    clearTimeout(this.later);
    const draw = () => put(this.head, tiles(rows), store.runs.length > 1 ? runsTable(this) : null, rows.length ? charts(rows, this) : null);
    // Typing must not wait for drawings.
    if (this.head.firstChild) this.later = setTimeout(draw, 120);
    else draw();
  }
}

const textOf = (row) => (row.text ||= `${row.instance} ${row.key} ${row.solver} ${row.run} ${words(row.verdict)} ${row.failure} ${row.why}`.toLowerCase());

/** The numbers of some attempts; infra errors say nothing of a solver, and are not counted as graded. */
function numbers(rows) {
  const ended = rows.filter((row) => row.state === "ended");
  const graded = ended.filter((row) => row.verdict !== "infra_error");
  const resolved = graded.filter((row) => row.verdict === "resolved").length;
  const costs = ended.map((row) => row.cost).filter(known);
  return {
    ended, graded, resolved, rate: graded.length ? resolved / graded.length : null,
    rewards: graded.map((row) => row.reward).filter(known),
    tokens: ended.map((row) => row.tokens).filter(known), costs, cost: costs.length ? sum(costs) : null,
    perResolved: costs.length && resolved ? sum(costs) / resolved : null,
    seconds: ended.map((row) => row.seconds).filter(known),
  };
}

/** Wilson's interval at 95%, where each instance was attempted once; else the one that the run itself has worked out. */
function interval(rows, found) {
  const run = store.runs.find((each) => rows.length && each.name === rows[0].run);
  const whole = run && rows.every((row) => row.run === run.name) && [...store.rows.values()].filter((row) => row.run === run.name && row.state === "ended").length === found.ended.length;
  if (whole && run.interval) return run.interval[0] < run.interval[1] ? run.interval : null;
  const n = found.graded.length, z = 1.959964;
  if (n < 10 || new Set(found.graded.map((row) => row.instance)).size !== n) return null;
  const p = found.resolved / n, middle = p + (z * z) / (2 * n), spread = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [(middle - spread) / (1 + (z * z) / n), (middle + spread) / (1 + (z * z) / n)];
}

function tiles(rows) {
  const found = numbers(rows), between = interval(rows, found), running = rows.filter((row) => verdictOf(row) === "running").length;
  const tile = (title, value, note, kind = "") => h("div", { class: `tile ${kind}` }, h("dt", {}, title), h("dd", {}, h("b", {}, value), h("small", {}, note)));
  const instances = new Set(rows.map((row) => row.instance)).size, infra = found.ended.length - found.graded.length;
  return h("dl", { class: "tiles" },
    tile("Resolved", percent(found.rate), `${found.resolved} of ${found.graded.length} graded${between ? ` \u00b7 95%: ${percent(between[0])} to ${percent(between[1])}` : ""}`, "main"),
    tile("Attempts", count(rows.length), [plural(instances, "instance"), running ? `${running} running` : "", infra ? plural(infra, "infra error") : ""].filter(Boolean).join(" \u00b7 ")),
    found.rewards.length ? tile("Mean reward", (sum(found.rewards) / found.rewards.length).toFixed(3), `of ${plural(found.rewards.length, "attempt")}`) : null,
    found.tokens.length ? tile("Tokens", short(sum(found.tokens)), `median ${short(median(found.tokens))} an attempt`) : null,
    found.costs.length ? tile("Cost", money(found.cost), found.perResolved === null ? "nothing resolved" : `${money(found.perResolved)} per resolved`) : null,
    found.seconds.length ? tile("Time", seconds(sum(found.seconds)), `median ${seconds(median(found.seconds))} an attempt`) : null);
}

function charts(rows, view) {
  const found = numbers(rows), drawn = [], wide = [];
  const verdicts = VERDICTS.map((verdict) => ({ key: verdict, kind: verdict, name: words(verdict), value: rows.filter((row) => verdictOf(row) === verdict).length })).filter((part) => part.value);
  drawn.push(shares("Verdicts", verdicts, { open: (key) => view.set("verdict", view.filters.verdict === key ? "" : key), pressed: view.filters.verdict }));
  const failures = [...new Set(rows.map((row) => row.failure).filter(Boolean))].map((name) => ({ key: name, kind: `reason-${name.replaceAll(" ", "-")}`, name, value: rows.filter((row) => row.failure === name).length })).sort((a, b) => b.value - a.value);
  if (failures.length) drawn.push(shares("Why not resolved", failures, { open: (key) => view.set("failure", view.filters.failure === key ? "" : key), pressed: view.filters.failure }));
  const stages = new Map();
  for (const row of found.ended) for (const [name, value] of Object.entries(row.stages)) stages.set(name, (stages.get(name) || 0) + value);
  const order = ["checkout", "sandbox", "solve", "grade"], place = (name) => (order.indexOf(name) + 1 || 9);
  const parts = [...stages].sort(([a], [b]) => place(a) - place(b)).map(([name, value]) => ({ name, value, kind: `stage-${order.includes(name) ? name : "other"}`, shown: seconds(value) }));
  if (parts.length) drawn.push(shares("Time by stage", parts));
  const inOrder = sorted(found.ended.filter((row) => known(row.reward)), (row) => row.started, 1);
  let total = 0;
  const points = inOrder.map((row, at) => ({ value: row.reward, line: (total += row.reward) / (at + 1), kind: row.verdict, title: `${row.key}: ${reward(row.reward)}`, row }));
  if (points.length > 1) wide.push(dots("Reward over attempts", points, { open: (point) => { location.hash = attemptLink(point.row); }, below: "in the order of their start", note: "line: mean so far" }));
  const spent = found.costs.length ? ["cost", money, "Cost per attempt"] : ["tokens", short, "Tokens per attempt"];
  const values = found.ended.filter((row) => known(row[spent[0]])).map((row) => ({ value: row[spent[0]], good: row.verdict === "resolved" }));
  if (values.length > 4) wide.push(histogram(spent[2], values, spent[1], { note: "green: resolved" }));
  const fold = h("details", { class: "fold", open: remembered("swegym-charts") !== "closed", ontoggle: () => remembered("swegym-charts", fold.open ? "open" : "closed") },
    h("summary", {}, "Charts"), h("div", { class: "charts" }, drawn), h("div", { class: "charts wide" }, wide));
  return fold;
}

/** Every run on a line, with its rate; where to compare two of them. */
function runsTable(view) {
  const rows = store.runs.map((run) => {
    const own = [...store.rows.values()].filter((row) => row.run === run.name), found = numbers(own);
    return { run, own, found, between: interval(own, found) };
  });
  const chart = bars("Resolved rate by run", rows.map(({ run, found, between }) => ({
    name: run.name, value: found.rate, shown: `${percent(found.rate)} (${found.resolved}/${found.graded.length})`, low: between && between[0], high: between && between[1], kind: "resolved",
  })), { most: 1, note: rows.some((row) => row.between) ? "whiskers: 95%" : "" });
  const table = h("table", { class: "plain" }, h("caption", {}, "Runs"),
    h("thead", {}, h("tr", {}, ["Run", "Solver", "Attempts", "Resolved", "Tokens", "Cost", "per resolved", "Time"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, rows.map(({ run, own, found }) => h("tr", {},
      h("td", {}, h("button", { type: "button", class: "link", onclick: () => view.set("run", view.filters.run === run.name ? "" : run.name) }, run.name)),
      h("td", {}, [...new Set(own.map((row) => row.solver))].slice(0, 3).join(", ")),
      [count(own.length), `${found.resolved}/${found.graded.length}`, short(found.tokens.length ? sum(found.tokens) : null), money(found.cost), money(found.perResolved), seconds(sum(found.seconds))].map((text) => h("td", { class: "number" }, text))))));
  return h("div", { class: "split" }, h("div", { class: "card scroll" }, table), chart);
}
