// What programs print: colours kept, every other command to a terminal left out.

const ESCAPES = /\u001b\[([0-9;:]{0,64})m|\u001b\[[0-?]{0,64}[ -/]{0,8}[@-~]|\u001b\][^\u0007\u001b]{0,2000}(?:\u0007|\u001b\\)|\u001b[@-_]/g;

/** Printed text as coloured spans. */
function printed(text) {
  const made = document.createDocumentFragment();
  let look = { colour: "", bold: false }, last = 0;
  const add = (piece) => {
    if (!piece) return;
    const classes = [look.colour, look.bold ? "bold" : ""].filter(Boolean).join(" ");
    made.append(classes ? h("span", { class: classes }, piece) : document.createTextNode(safe(piece)));
  };
  for (const found of text.matchAll(ESCAPES)) {
    add(text.slice(last, found.index));
    last = found.index + found[0].length;
    if (found[1] !== undefined) look = styled(look, found[1]);
  }
  add(text.slice(last));
  return made;
}

function styled(look, codes) {
  let { colour, bold } = look;
  const given = codes.split(/[;:]/).map(Number);
  for (let at = 0; at < given.length; at++) {
    const code = given[at];
    if (code === 0) [colour, bold] = ["", false];
    else if (code === 1) bold = true;
    else if (code === 22) bold = false;
    else if (code === 39) colour = "";
    else if (code === 38 || code === 48) at += given[at + 1] === 5 ? 2 : 4;
    else if (code >= 30 && code <= 37) colour = `ansi-${code - 30}`;
    else if (code >= 90 && code <= 97) colour = `ansi-${code - 90}`;
  }
  return { colour, bold };
}

/** What is left of lines that were written over, as progress bars are. */
function settled(text) {
  return text.includes("\r") ? text.split("\n").map((line) => line.replace(/\r+$/, "").split("\r").pop()).join("\n") : text;
}

/** A block of printed text; a long one is shown in part until it is asked for. */
function block(text, { label = "", lines = 24, kind = "" } = {}) {
  const whole = settled(text).replace(/\n+$/, "");
  const all = whole.split("\n");
  const pre = h("pre", { class: `block ${kind}`, tabindex: "0", role: "region", "aria-label": label || "text" });
  const characters = lines * 240;
  if (all.length <= lines + 6 && whole.length <= characters * 2) {
    pre.append(printed(whole));
    return pre;
  }
  pre.append(printed(all.slice(0, lines).join("\n").slice(0, characters)));
  const more = h("button", { type: "button", class: "more", onclick: () => { put(pre, printed(whole)); more.remove(); } },
    all.length > lines ? `Show all ${plural(all.length, "line")}` : `Show all ${plural(whole.length, "character")}`);
  return h("div", {}, pre, more);
}
