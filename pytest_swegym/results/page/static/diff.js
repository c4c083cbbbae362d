// A unified diff in colours, file by file.

const HUNK = /^@@+ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@+/;
const HEADER = /^(?:diff --git |index [0-9a-f]+\.\.|--- |\+\+\+ )/;
const LINES = 1200;

/** The files of a diff, each with its name and its lines; what stands before the first file is one of its own. */
function filesOf(text) {
  const files = [];
  // Where the next lines stand before and after, and how many of each the hunk has left.
  let file = null, at = [0, 0], left = [0, 0];
  for (const line of text.replace(/\n$/, "").split("\n")) {
    const inside = left[0] > 0 || left[1] > 0;
    const plainBegin = !inside && line.startsWith("--- ") && file && file.hunk;
    if (!file || line.startsWith("diff --git ") || plainBegin) {
      files.push((file = { name: "", lines: [], added: 0, removed: 0 }));
      left = [0, 0];
    }
    const hunk = HUNK.exec(line);
    if (hunk) {
      at = [Number(hunk[1]), Number(hunk[3])];
      left = [Number(hunk[2] ?? 1), Number(hunk[4] ?? 1)];
      file.hunk = true;
      file.lines.push({ kind: "hunk", text: line });
    } else if (line.startsWith("\\")) {
      file.lines.push({ kind: "note", text: line });
    } else if (/^[ +-]|^$/.test(line) && (inside || (line && file.hunk))) {
      // A hunk of more lines than it says, as models write them, is no patch that applies, yet reads as one.
      file.lines.push(counted(line, at, left));
      if (line.startsWith("+")) file.added += 1;
      if (line.startsWith("-")) file.removed += 1;
    } else {
      left = [0, 0];
      const name = nameIn(line, file.name);
      file.plain = file.plain !== false && (!file.name || name === file.name);
      file.name = name;
      file.lines.push({ kind: "meta", text: line });
    }
  }
  // What the title says already need not be said again.
  for (const each of files) if (each.plain) each.lines = each.lines.filter((line) => line.kind !== "meta" || !HEADER.test(line.text));
  return files;
}

/** A line of a hunk, with its numbers. */
function counted(line, at, left) {
  const kind = { "+": "added", "-": "removed" }[line[0]] || "same";
  const numbers = [kind === "added" ? "" : at[0]++, kind === "removed" ? "" : at[1]++];
  if (kind !== "added") left[0] -= 1;
  if (kind !== "removed") left[1] -= 1;
  return { kind, text: line, before: numbers[0], after: numbers[1] };
}

function nameIn(line, name) {
  const git = /^diff --git (?:"?a\/)(.*?)"? "?b\/(.*?)"?$/.exec(line);
  if (git) return git[2];
  const found = /^(?:\+\+\+|---) (?:"?[ab]\/)?(.*?)"?(?:\t.*)?$/.exec(line);
  return found && found[1] !== "/dev/null" ? found[1] : name;
}

/** The diff as blocks that open and close. */
function diffView(text, { open = true } = {}) {
  if (!text.trim()) return h("p", { class: "empty" }, "Nothing was changed.");
  const files = filesOf(text);
  return h("div", { class: "diffs" }, files.map((file, at) => {
    const body = h("div", { class: "scroll" });
    const place = h("details", { class: "file", open: open && at < 40, ontoggle: () => { if (place.open && !body.firstChild) diffLines(body, file.lines); } },
      h("summary", {}, h("code", {}, file.name || "changes"), h("span", { class: "plus" }, `+${file.added}`), h("span", { class: "minus" }, `\u2212${file.removed}`)), body);
    if (place.open) diffLines(body, file.lines);
    return place;
  }));
}

function diffLines(place, lines, from = 0) {
  const shown = lines.slice(from, from + LINES);
  const body = h("tbody", {}, shown.map((line) => {
    const mark = { added: "+", removed: "-" }[line.kind] || " ";
    const plain = !["added", "removed", "same"].includes(line.kind);
    return h("tr", { class: `d-${line.kind}` }, h("td", { class: "at" }, String(line.before ?? "")), h("td", { class: "at" }, String(line.after ?? "")),
      h("td", { class: "sign" }, plain ? "" : mark), h("td", { class: "code" }, plain ? line.text : line.text.slice(1)));
  }));
  place.append(h("table", { class: "diff" }, h("caption", { class: "hidden" }, "Lines before, lines after, text"), body));
  if (from + LINES < lines.length) {
    const more = h("button", { type: "button", class: "more", onclick: () => { more.remove(); diffLines(place, lines, from + LINES); } }, `Show ${plural(lines.length - from - LINES, "more line")}`);
    place.append(more);
  }
}
