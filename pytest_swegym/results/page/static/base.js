// Elements are made by hand, and text is only ever put in as text: nothing that a run says becomes markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.setAttribute("class", value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) node.style.setProperty(key, each);
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(safe(child)));
  }
  return node;
}

/** An element with properties and children; text among the children is shown as it is. */
const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

/** The same for a part of a drawing. */
function s(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, String(value));
  }
  return fill(node, {}, children);
}

const byId = (id) => document.getElementById(id);

/** Put `children` in place of what `node` holds. */
function put(node, ...children) {
  node.replaceChildren(...children.flat().filter((each) => each !== null && each !== undefined && each !== false));
  return node;
}

const INVISIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text with every character visible: what would reorder the text, or hide in it, is named. */
function safe(value) {
  const text = String(value);
  return (text.isWellFormed && !text.isWellFormed() ? text.toWellFormed() : text).replace(INVISIBLE, (found) => {
    const code = found.charCodeAt(0);
    if (code < 32) return String.fromCharCode(0x2400 + code);
    return code === 127 ? "\u2421" : `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

/** The first line with something in it. */
function firstLine(text, limit = 300) {
  const line = text.slice(0, 4000).split("\n").find((each) => each.trim()) || "";
  return line.trim().slice(0, limit);
}

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

const known = (value) => typeof value === "number" && Number.isFinite(value);

const count = (value) => (known(value) ? grouped.format(value) : "\u2013");

/** 1234 as 1.2k. */
function short(value) {
  if (!known(value)) return "\u2013";
  if (Math.abs(value) < 1000) return count(value);
  const [unit, by] = Math.abs(value) < 999950 ? ["k", 1e3] : Math.abs(value) < 999950000 ? ["M", 1e6] : ["G", 1e9];
  return `${(value / by).toFixed(Math.abs(value / by) < 10 ? 1 : 0)}${unit}`;
}

function seconds(value) {
  if (!known(value)) return "\u2013";
  if (value < 10) return `${value.toFixed(value < 0.1 && value > 0 ? 2 : 1)} s`;
  if (value < 60) return `${Math.round(value)} s`;
  const minutes = Math.floor(value / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(value % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** A cost in whatever unit its prices have, as the summary and the tables on a terminal write it. */
function money(value) {
  if (!known(value)) return "\u2013";
  if (value === 0 || value >= 0.1) return cents.format(value);
  return value >= 0.0001 ? String(Number(value.toPrecision(2))) : value.toExponential(1);
}

const percent = (value) => (known(value) ? `${(value * 100).toFixed(1)}%` : "\u2013");

const reward = (value) => (known(value) ? (Number.isInteger(value) ? `${value}.0` : value.toFixed(2)) : "\u2013");

const bytes = (value) => (value < 1024 ? `${value} B` : value < 2 ** 20 ? `${(value / 1024).toFixed(1)} KiB` : `${(value / 2 ** 20).toFixed(1)} MiB`);

const when = (value) => (value ? new Date(value * 1000).toISOString().replace("T", " ").slice(0, 19) + " UTC" : "");

const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

const sum = (values) => values.reduce((total, each) => total + each, 0);

function median(values) {
  const order = values.filter(known).sort((a, b) => a - b);
  if (!order.length) return null;
  const middle = order.length >> 1;
  return order.length % 2 ? order[middle] : (order[middle - 1] + order[middle]) / 2;
}

const VERDICTS = ["resolved", "unresolved", "invalid_patch", "tampered", "timeout", "solver_error", "infra_error", "running", "unfinished"];
const words = (name) => name.replaceAll("_", " ");

const badge = (verdict) => h("span", { class: `badge v-${VERDICTS.includes(verdict) ? verdict : "other"}` }, words(verdict));
