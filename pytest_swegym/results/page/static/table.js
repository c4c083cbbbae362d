// A table of any length: only the rows in sight are made. Rows are links, so that they open as links do.

const NARROW = matchMedia("(max-width: 760px)");

class Grid {
  /** `columns` have `name`, `title`, `cell(row)`, and `value(row)` if they sort; `link(row)` is where a row leads. */
  constructor(columns, { link, caption, changed }) {
    Object.assign(this, { columns, link, changed, rows: [], sort: "", at: -1, made: new Map(), all: false });
    this.body = h("tbody");
    this.head = h("tr", { "aria-rowindex": "1" }, columns.map((column) => this.heading(column)));
    this.table = h("table", { class: "rows" }, h("caption", { class: "hidden" }, caption), h("thead", {}, this.head), this.body);
    this.element = h("div", { class: "card flush" }, this.table, (this.empty = h("p", { class: "empty" })));
    this.onscroll = () => requestAnimationFrame(() => this.draw());
    addEventListener("scroll", this.onscroll, { passive: true });
    addEventListener("resize", this.onscroll);
    addEventListener("beforeprint", () => { this.all = true; this.draw(); });
    addEventListener("afterprint", () => { this.all = false; this.draw(); });
  }

  heading(column) {
    const press = () => this.sortBy(this.sort === column.name ? `-${column.name}` : this.sort === `-${column.name}` ? "" : column.name);
    return h("th", { scope: "col", class: `c-${column.name}` },
      column.value ? h("button", { type: "button", onclick: press }, column.title) : column.title);
  }

  sortBy(sort) {
    this.sort = sort;
    this.set(this.given);
    this.changed();
  }

  set(rows) {
    this.given = rows;
    const name = this.sort.replace(/^-/, ""), sign = this.sort.startsWith("-") ? -1 : 1;
    const column = this.columns.find((each) => each.name === name && each.value);
    for (const [index, each] of this.columns.entries()) {
      const order = each === column ? (sign > 0 ? "ascending" : "descending") : "none";
      if (each.value) this.head.children[index].setAttribute("aria-sort", order);
    }
    const chosen = this.rows[this.at];
    this.rows = column ? sorted(rows, column.value, sign) : rows;
    if (chosen) this.at = this.rows.findIndex((row) => row.run === chosen.run && row.key === chosen.key);
    this.table.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.empty.hidden = this.rows.length > 0;
    this.draw();
  }

  draw() {
    if (!this.element.isConnected) return;
    const high = NARROW.matches ? 58 : 38, top = this.body.getBoundingClientRect().top, spare = 12;
    let first = Math.max(0, Math.floor(-top / high) - spare);
    let last = Math.min(this.rows.length, Math.ceil((innerHeight - top) / high) + spare);
    if (this.all) [first, last] = [0, this.rows.length];
    [first, last] = [Math.min(first, this.rows.length), Math.max(first, last)];
    // A cell over more columns than are shown would add columns.
    this.visible = [...this.head.children].filter((each) => each.offsetParent).length;
    const seen = new Map();
    for (let at = first; at < last; at++) {
      const row = this.rows[at], element = this.made.get(row) || this.line(row);
      element.setAttribute("aria-rowindex", String(at + 2));
      element.classList.toggle("chosen", at === this.at);
      seen.set(row, element);
    }
    const drawn = [this.gap(first * high), ...seen.values(), this.gap((this.rows.length - last) * high)];
    this.made = seen;
    const old = [...this.body.children], same = old.length === drawn.length && drawn.every((each, at) => each === old[at] || (at % (drawn.length - 1) === 0 && each.dataset.high === old[at].dataset.high));
    if (same) return;
    const focused = this.body.contains(document.activeElement);
    this.body.replaceChildren(...drawn);
    // What is taken out and put back has lost the focus.
    if (focused && seen.has(this.rows[this.at])) seen.get(this.rows[this.at]).querySelector("a").focus({ preventScroll: true });
  }

  gap(high) {
    return h("tr", { class: "gap", "aria-hidden": "true", "data-high": String(high) }, h("td", { colspan: String(this.visible || 1), style: { height: `${high}px` } }));
  }

  line(row) {
    const open = (event) => {
      if (!event.target.closest("a") && !String(getSelection())) location.hash = this.link(row);
    };
    return h("tr", { onclick: open, onfocusin: () => { this.at = this.rows.indexOf(row); } }, this.columns.map((column) => h("td", { class: `c-${column.name}` }, column.cell(row))));
  }

  /** Go to a row by its place, and give it the focus. */
  choose(at) {
    if (!this.rows.length) return;
    this.at = Math.max(0, Math.min(this.rows.length - 1, at));
    const high = NARROW.matches ? 58 : 38;
    const y = this.body.getBoundingClientRect().top + this.at * high, head = 110;
    if (y < head) scrollBy(0, y - head);
    else if (y + high > innerHeight - 8) scrollBy(0, y + high - innerHeight + 8);
    this.draw();
    const element = this.made.get(this.rows[this.at]);
    const link = element && element.querySelector("a");
    if (link) link.focus({ preventScroll: true });
  }
}

/** Sorted by a value; what has none comes last whichever way. */
function sorted(rows, value, sign) {
  const keyed = rows.map((row, at) => [value(row), at, row]);
  const none = (each) => each === null || each === undefined || each === "";
  keyed.sort(([a, m], [b, n]) => {
    if (none(a) || none(b)) return none(a) - none(b) || m - n;
    return (typeof a === "string" ? sign * collate.compare(a, b) : sign * (a - b)) || m - n;
  });
  return keyed.map(([, , row]) => row);
}

const collate = new Intl.Collator("en", { numeric: true });
