// Where the address leads, which keys do what, and what follows a run that goes on.

const views = { overview: null, current: null };

function route() {
  const [path, query = ""] = (location.hash.replace(/^#\/?/, "") || "").split("?");
  const parts = path.split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
  return { name: parts[0] || "overview", parts: parts.slice(1), given: new URLSearchParams(query) };
}

function go() {
  const { name, parts, given } = route();
  if (views.current) views.current.leave();
  let view;
  if (name === "attempt") view = views.current instanceof Attempt && views.current.run === parts[0] && views.current.key === parts[1] ? views.current : new Attempt(parts[0], parts[1]);
  else if (name === "compare") view = new Compare();
  else view = views.overview ||= new Overview();
  views.current = view;
  put(byId("main"), view.element);
  scrollTo(0, 0);
  crumbs(name, parts);
  view.open(given);
}

const backTo = () => (views.overview ? views.overview.address : "#/");

function crumbs(name, parts) {
  const trail = name === "attempt" ? [["Attempts", backTo()], [parts[1], ""]] : name === "compare" ? [["Attempts", backTo()], ["Compare", ""]] : [[store.runs.length === 1 ? store.runs[0].name : plural(store.runs.length, "run"), ""]];
  put(byId("crumbs"), trail.map(([title, link]) => (link ? h("a", { href: link }, title) : h("span", { "aria-current": "page" }, title))));
  document.title = `${safe(trail.at(-1)[0])} \u00b7 swegym`;
  byId("compare-link").hidden = store.runs.length < 2;
}

function status() {
  const running = [...store.rows.values()].filter((row) => verdictOf(row) === "running").length;
  const live = byId("live");
  live.className = `live ${store.lost ? "lost" : running ? "on" : ""}`;
  live.textContent = store.lost ? "the server is gone" : running ? `${count(running)} running` : "";
  if (store.mode === "disk") live.textContent = `${live.textContent ? `${live.textContent}, as of` : "as of"} ${when(store.written)}`;
}

function heard() {
  status();
  const { name, parts } = route();
  crumbs(name, parts);
  if (views.current) views.current.update();
}

// -- keys ----------------------------------------------------------------------------------------

const KEYS = [["j / \u2193", "next row"], ["k / \u2191", "previous row"], ["Enter", "open the row"], ["Esc", "back, or clear the search"], ["/", "search"], ["[ and ]", "previous and next attempt"], ["1 to 6", "tab of an attempt"], ["c", "compare runs"], ["t", "light or dark"], ["?", "this help"]];

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const field = event.target.closest("input, select, textarea");
  if (event.key === "Escape") return void escape(field);
  if (field || byId("keys").open) return;
  const view = views.current, grid = view instanceof Overview ? view.grid : null;
  const act = {
    "/": () => byId("search")?.focus(), "?": () => help(), t: () => theme(true), c: () => { if (store.runs.length > 1) location.hash = "#/compare"; },
    j: () => grid && grid.choose(grid.at + 1), k: () => grid && grid.choose(grid.at - 1), ArrowDown: () => grid && grid.choose(grid.at + 1), ArrowUp: () => grid && grid.choose(grid.at - 1),
    Enter: () => { if (grid && grid.at >= 0 && event.target === document.body) location.hash = attemptLink(grid.rows[grid.at]); },
    "[": () => document.querySelector(".around a:first-child[href]")?.click(), "]": () => document.querySelector(".around a:last-child[href]")?.click(),
  }[event.key] || (view instanceof Attempt && /^[1-6]$/.test(event.key) ? () => view.tabs.children[Number(event.key) - 1]?.click() : null);
  // In blocks that scroll, and on buttons, keys keep their own meaning.
  if (!act || (event.key.startsWith("Arrow") && (!grid || event.target.closest("pre, [role=tab]"))) || (event.key === "Enter" && event.target !== document.body)) return;
  event.preventDefault();
  act();
}

function escape(field) {
  if (byId("keys").open) return void byId("keys").close();
  if (field && field.value && field.type === "search") {
    field.value = "";
    return void field.dispatchEvent(new Event("input"));
  }
  if (field) return void field.blur();
  if (route().name !== "overview") location.hash = backTo();
}

function help() {
  const dialog = byId("keys");
  put(dialog, h("h2", { id: "keys-title" }, "Keys"), h("dl", {}, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))), h("button", { type: "button", onclick: () => dialog.close() }, "Close"));
  dialog.showModal();
}

// -- light and dark ------------------------------------------------------------------------------

const DARK = matchMedia("(prefers-color-scheme: dark)");

function remembered(name, value) {
  try { // a page from the disk may have no memory
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function theme(other = false) {
  const root = document.documentElement;
  let now = root.dataset.theme || remembered("swegym-theme") || (DARK.matches ? "dark" : "light");
  if (other) {
    now = now === "dark" ? "light" : "dark";
    remembered("swegym-theme", now);
  }
  if (other || remembered("swegym-theme")) root.dataset.theme = now;
  put(byId("theme"), now === "dark" ? "Light" : "Dark");
  byId("theme").setAttribute("aria-label", `Switch to ${now === "dark" ? "light" : "dark"} colours`);
}

// -- begin ---------------------------------------------------------------------------------------

function begin() {
  const data = JSON.parse(byId("data").textContent);
  Object.assign(store, { mode: data.mode, written: data.written || 0 });
  takeIn({ anew: true, runs: data.runs, rows: data.rows });
  store.heard.push(heard);
  addEventListener("hashchange", go);
  addEventListener("keydown", pressed);
  DARK.addEventListener("change", () => theme());
  byId("theme").addEventListener("click", () => theme(true));
  byId("help").addEventListener("click", help);
  theme();
  status();
  go();
  if (store.mode === "live") poll();
}

begin();
