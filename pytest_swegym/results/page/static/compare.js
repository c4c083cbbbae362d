// Two runs side by side, instance by instance.

class Compare {
  constructor() {
    this.body = h("div");
    this.sides = ["a", "b"].map((side) => h("select", { "aria-label": side === "a" ? "Run A" : "Run B", onchange: () => this.chosen() }));
    this.search = h("input", { type: "search", id: "search", placeholder: "Search instances  ( / )", "aria-label": "Search instances", oninput: () => this.update() });
    this.only = h("input", { type: "checkbox", onchange: () => this.update() });
    const swap = h("button", { type: "button", onclick: () => { [this.sides[0].value, this.sides[1].value] = this.sides.map((each) => each.value).reverse(); this.chosen(); } }, "Swap");
    this.element = h("div", {}, h("h1", {}, "Compare two runs"), h("div", { class: "bar" },
      h("label", {}, "A ", this.sides[0]), h("label", {}, "B ", this.sides[1]), swap, this.search, h("label", { class: "check" }, this.only, " only what changed")), this.body);
  }

  open(given) {
    this.given = [given.get("a"), given.get("b")];
    this.only.checked = given.get("only") === "changed";
    this.update();
  }

  leave() {}

  chosen() {
    this.given = this.sides.map((side) => side.value);
    this.update();
  }

  update() {
    const names = store.runs.map((run) => run.name);
    const [a, b] = [0, 1].map((at) => (names.includes(this.given[at]) ? this.given[at] : names[Math.min(at, names.length - 1)]));
    for (const [at, value] of [a, b].entries()) {
      put(this.sides[at], names.map((name) => h("option", { value: name }, name)));
      this.sides[at].value = value || "";
    }
    if (names.length < 2) return void put(this.body, h("p", { class: "empty" }, "There is one run here. Give swegym view two folders to compare them."));
    const only = this.only.checked ? "&only=changed" : "";
    history.replaceState(null, "", `#/compare?a=${encodeURIComponent(a)}&b=${encodeURIComponent(b)}${only}`);
    this.show(a, b);
  }

  show(a, b) {
    const pairs = pairUp(a, b);
    const both = pairs.filter((pair) => pair.a.graded.length && pair.b.graded.length);
    const lost = both.filter((pair) => pair.change < 0), gained = both.filter((pair) => pair.change > 0);
    const part = this.search.value.trim().toLowerCase();
    const shown = pairs.filter((pair) => (!this.only.checked || pair.kind !== "same") && (!part || pair.instance.toLowerCase().includes(part)));
    const tile = (title, value, note, kind) => h("div", { class: `tile ${kind || ""}` }, h("dt", {}, title), h("dd", {}, h("b", {}, value), h("small", {}, note)));
    const rate = (side) => (both.length ? sum(both.map((pair) => pair[side].rate)) / both.length : null);
    const difference = both.length ? rate("b") - rate("a") : null;
    const totals = [a, b].map((run) => numbers([...store.rows.values()].filter((row) => row.run === run)));
    put(this.body,
      h("dl", { class: "tiles" },
        tile("Lost", count(lost.length), "resolved less often in B", lost.length ? "bad" : ""),
        tile("Gained", count(gained.length), "resolved more often in B", gained.length ? "good" : ""),
        tile("Same", count(both.length - lost.length - gained.length), `of ${plural(both.length, "instance")} graded in both`),
        tile("Rate A \u2192 B", `${percent(rate("a"))} \u2192 ${percent(rate("b"))}`, difference === null ? "nothing to compare" : `${difference >= 0 ? "+" : "\u2212"}${percent(Math.abs(difference))}`),
        tile("Cost per resolved", `${money(totals[0].perResolved)} \u2192 ${money(totals[1].perResolved)}`, "A \u2192 B")),
      h("div", { class: "card scroll" }, h("table", { class: "plain compare" }, h("caption", { class: "hidden" }, "Instances in both runs"),
        h("thead", {}, h("tr", {}, ["Change", "Instance", "A", "B", "Reward", "Steps", "Tokens", "Cost", "Time"].map((title) => h("th", { scope: "col" }, title)))),
        h("tbody", {}, shown.slice(0, 2000).map(pairRow)))),
      shown.length ? null : h("p", { class: "empty" }, "Nothing to show."),
      shown.length > 2000 ? h("p", { class: "empty" }, `${count(shown.length - 2000)} more: search for them.`) : null);
  }
}

/** Every instance of either run with its attempts in both; what changed comes first. */
function pairUp(a, b) {
  const found = new Map();
  for (const row of store.rows.values()) {
    const side = row.run === a ? "a" : row.run === b ? "b" : "";
    if (!side && row.run !== b) continue;
    if (!found.has(row.instance)) found.set(row.instance, { instance: row.instance, rows: { a: [], b: [] } });
    if (row.run === a) found.get(row.instance).rows.a.push(row);
    if (row.run === b) found.get(row.instance).rows.b.push(row);
  }
  const pairs = [...found.values()].map((pair) => {
    for (const side of ["a", "b"]) pair[side] = { ...numbers(pair.rows[side]), all: pair.rows[side] };
    pair.change = pair.a.rate === null || pair.b.rate === null ? 0 : pair.b.rate - pair.a.rate;
    const verdicts = (side) => pair[side].all.map(verdictOf).sort().join();
    pair.kind = !pair.a.all.length ? "only B" : !pair.b.all.length ? "only A" : pair.change < 0 ? "lost" : pair.change > 0 ? "gained" : verdicts("a") !== verdicts("b") ? "other verdict" : "same";
    return pair;
  });
  const order = ["lost", "gained", "other verdict", "only A", "only B", "same"];
  return pairs.sort((x, y) => order.indexOf(x.kind) - order.indexOf(y.kind) || collate.compare(x.instance, y.instance));
}

function pairRow(pair) {
  const two = (of, show) => {
    const [x, y] = ["a", "b"].map((side) => median(pair[side].all.map((row) => row[of])));
    return h("td", { class: "number" }, h("span", {}, show(x)), h("i", { "aria-label": "then" }, "\u2192"), h("span", {}, show(y)));
  };
  const side = (name) => h("td", {}, pair[name].all.length ? pair[name].all.slice(0, 4).map((row) => h("a", { class: "plainlink", href: attemptLink(row) }, badge(verdictOf(row)))) : "\u2013");
  return h("tr", { class: `change-${pair.kind.replaceAll(" ", "-")}` }, h("td", {}, h("span", { class: "change" }, pair.kind)), h("td", { class: "name" }, pair.instance), side("a"), side("b"),
    two("reward", reward), two("steps", count), two("tokens", short), two("cost", money), two("seconds", seconds));
}
