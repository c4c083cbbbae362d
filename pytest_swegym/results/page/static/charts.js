// Small drawings, each with its numbers in words; drawn anew when their place changes its width.

/** A figure whose drawing is `draw(width)`: `{height, parts}`. `words` says the same to who cannot see it. */
function chart(title, words, draw, { note = "" } = {}) {
  const place = h("div", { class: "chart" });
  const figure = h("figure", { class: "card" }, h("figcaption", {}, title, note ? h("small", {}, note) : null), place);
  let drawn = 0;
  const redraw = () => {
    const width = Math.floor(place.clientWidth);
    if (!width || width === drawn) return;
    drawn = width;
    const { height, parts } = draw(width);
    const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${title}: ${words}` }, ...parts);
    put(place, svg);
  };
  new ResizeObserver(redraw).observe(place);
  return figure;
}

const label = (x, y, text, { anchor = "start", kind = "" } = {}) => s("text", { x, y, "text-anchor": anchor, class: kind }, text);

/** A bar cut into parts, and a legend with the count of each. `open(name)` is called for the one that is chosen. */
function shares(title, parts, { open = null, note = "", pressed = "" } = {}) {
  const total = sum(parts.map((part) => part.value)) || 1;
  const draw = (width) => {
    let at = 0;
    const rects = parts.map((part) => {
      const wide = (part.value / total) * width;
      const rect = s("rect", { x: at, y: 0, width: Math.max(wide - 1.5, 1), height: 14, rx: 3, class: `fill-${part.kind}` }, s("title", {}, `${part.name}: ${part.value}`));
      at += wide;
      return rect;
    });
    return { height: 14, parts: rects };
  };
  const figure = chart(title, parts.map((part) => `${part.name} ${part.value}`).join(", ") || "nothing yet", draw, { note });
  figure.append(h("ul", { class: "legend" }, parts.map((part) => {
    const inside = [h("i", { class: `dot bg-${part.kind}` }), h("span", {}, part.name), h("b", {}, part.shown || count(part.value))];
    return h("li", {}, open
      ? h("button", { type: "button", class: "quiet", "aria-pressed": String(pressed === part.key), onclick: () => open(part.key) }, inside)
      : h("span", {}, inside));
  })));
  return figure;
}

const LEFT = 34, BOTTOM = 18, TOP = 8;

function frame(width, height, low, high, show) {
  const y = (value) => TOP + (1 - (value - low) / (high - low || 1)) * (height - TOP - BOTTOM);
  const lines = [low, (low + high) / 2, high].flatMap((value) => [
    s("line", { x1: LEFT, x2: width, y1: y(value), y2: y(value), class: "grid" }),
    label(LEFT - 6, y(value) + 4, show(value), { anchor: "end", kind: "tick" }),
  ]);
  return { y, lines };
}

/** Points in their order, and a line; `points` have `value`, `kind`, `title`, and may have `line`. */
function dots(title, points, { show = reward, open = null, below = "", note = "", step = false } = {}) {
  const values = points.flatMap((point) => [point.value, point.line]).filter(known);
  const low = Math.min(0, ...values), high = Math.max(step ? 0.0001 : 1, ...values);
  const draw = (width) => {
    const height = 130, { y, lines } = frame(width, height, low, high, show);
    const x = (at) => LEFT + 8 + (at / Math.max(points.length - 1, 1)) * (width - LEFT - 16);
    const path = points.map((point, at) => (known(point.line) ? `${at ? "L" : "M"}${x(at).toFixed(1)} ${y(point.line).toFixed(1)}` : "")).join("");
    const size = points.length > 300 ? 2 : 3.5;
    const marks = points.map((point, at) => (known(point.value)
      ? s("circle", { cx: x(at), cy: y(point.value), r: size, class: `mark fill-${point.kind}${open ? " clickable" : ""}`, onclick: open ? () => open(point) : null }, s("title", {}, point.title))
      : null));
    return { height, parts: [...lines, path ? s("path", { d: path, class: "line" }) : null, ...marks, label(width, height - 2, below, { anchor: "end", kind: "tick" })] };
  };
  const told = values.length ? `${plural(points.length, "point")} from ${show(Math.min(...values))} to ${show(Math.max(...values))}` : "nothing yet";
  return chart(title, told, draw, { note });
}

/** How often values fall between bounds: what resolved stands below what did not. */
function histogram(title, values, show, { note = "" } = {}) {
  const top = Math.max(...values.map((each) => each.value));
  const bins = Math.min(16, Math.max(4, Math.ceil(Math.sqrt(values.length))));
  const counts = Array.from({ length: bins }, () => ({ good: 0, bad: 0 }));
  for (const { value, good } of values) counts[Math.min(bins - 1, Math.floor((value / (top || 1)) * bins))][good ? "good" : "bad"] += 1;
  const most = Math.max(1, ...counts.map((each) => each.good + each.bad));
  const draw = (width) => {
    const height = 130, { y, lines } = frame(width, height, 0, most, (value) => (Number.isInteger(value) ? String(value) : ""));
    const wide = (width - LEFT - 8) / bins;
    const bars = counts.flatMap(({ good, bad }, at) => {
      const x = LEFT + 8 + at * wide, told = `${show((top * at) / bins)} to ${show((top * (at + 1)) / bins)}: ${good} resolved, ${bad} not`;
      return [[0, good, "resolved"], [good, good + bad, "unresolved"]].filter(([from, to]) => to > from).map(([from, to, kind]) =>
        s("rect", { x, width: Math.max(wide - 2, 1), y: y(to), height: Math.max(y(from) - y(to), 1), rx: 2, class: `fill-${kind}` }, s("title", {}, told)));
    });
    return { height, parts: [...lines, ...bars, label(LEFT + 8, height - 2, "0", { kind: "tick" }), label(width, height - 2, show(top), { anchor: "end", kind: "tick" })] };
  };
  return chart(title, `${plural(values.length, "attempt")}, median ${show(median(values.map((each) => each.value)))}, most ${show(top)}`, draw, { note });
}

/** A bar for each row, with its interval where it has one; `rows` have `name`, `value`, `shown`, `low`, `high`. */
function bars(title, rows, { most = null, kind = "accent", note = "" } = {}) {
  const top = most || Math.max(1e-9, ...rows.map((row) => row.value || 0));
  const draw = (width) => {
    const high = 34;
    const parts = rows.flatMap((row, at) => {
      const y = at * high, x = (value) => Math.max(0, Math.min(1, value / top)) * width;
      const whisker = known(row.low) ? [s("path", { d: `M${x(row.low)} ${y + 24}H${x(row.high)}M${x(row.low)} ${y + 20}v8M${x(row.high)} ${y + 20}v8`, class: "whisker" })] : [];
      return [
        label(0, y + 13, row.name.length > width / 9 ? `${row.name.slice(0, width / 9)}\u2026` : row.name, { kind: "name" }),
        label(width, y + 13, row.shown, { anchor: "end", kind: "value" }),
        s("rect", { x: 0, y: y + 19, width, height: 10, rx: 3, class: "track" }),
        s("rect", { x: 0, y: y + 19, width: Math.max(x(row.value || 0), row.value ? 2 : 0), height: 10, rx: 3, class: `fill-${row.kind || kind}` }, s("title", {}, `${row.name}: ${row.shown}`)),
        ...whisker,
      ];
    });
    return { height: rows.length * high, parts };
  };
  return chart(title, rows.map((row) => `${row.name} ${row.shown}`).join(", "), draw, { note });
}
