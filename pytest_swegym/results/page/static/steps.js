// What happened in an episode: a card for each step, and the reward and the tokens over them.

const OPEN = 80;

class Steps {
  constructor() {
    this.list = h("ol", { class: "steps" });
    this.head = h("div");
    this.told = h("p", { class: "empty" });
    const all = (open) => () => { for (const each of this.list.querySelectorAll("details.step")) each.open = open; };
    this.tools = h("div", { class: "bar slim" }, h("button", { type: "button", onclick: all(true) }, "Open all"), h("button", { type: "button", onclick: all(false) }, "Close all"));
    this.element = h("div", {}, this.head, this.tools, this.list, this.told);
    this.shown = [];
  }

  /** Show `told`; events that are shown already stay as they are. */
  show(told, running) {
    const { events } = told;
    if (told.anew !== false && !(this.shown.length && events[0] === this.shown[0])) {
      this.list.replaceChildren();
      this.shown = [];
    }
    const fresh = events.slice(this.shown.length);
    this.list.append(...fresh.map((event) => this.card(event, events.length <= OPEN)).filter(Boolean));
    this.shown = events;
    const steps = events.filter((event) => event.event === "step");
    this.tools.hidden = !steps.length;
    if (fresh.length || !this.head.firstChild) put(this.head, this.charts(steps));
    const missing = [
      told.leftOut ? `${plural(told.leftOut, "event")} in the middle are not shown: trajectory.jsonl has them all.` : "",
      told.damaged ? `${plural(told.damaged, "line")} of the trajectory cannot be read.` : "",
      events.length ? "" : running ? "Nothing has happened yet." : "This attempt has no trajectory: its solver does not play step by step.",
    ].filter(Boolean).join(" ");
    this.told.textContent = missing || (running ? "Going on \u2026" : "");
    this.told.hidden = !this.told.textContent;
  }

  charts(steps) {
    if (steps.length < 2) return null;
    const jump = (point) => {
      const card = this.list.querySelector(`[data-step="${point.at}"]`);
      if (!card) return;
      card.open = true;
      card.scrollIntoView({ block: "center" });
      card.querySelector("summary").focus({ preventScroll: true });
    };
    let total = 0;
    const points = steps.map((step, at) => {
      total += step.reward || 0;
      return { value: step.reward || 0, line: total, at: step.n ?? at + 1, kind: (step.reward || 0) > 0 ? "resolved" : (step.reward || 0) < 0 ? "unresolved" : "none", title: `step ${step.n ?? at + 1}: ${reward(step.reward || 0)}, sum ${reward(total)}` };
    });
    const drawn = points.some((point) => point.value) ? [dots("Reward over steps", points, { open: jump, note: "line: sum so far", step: true, below: "steps" })] : [];
    if (steps.some((step) => step.prompt || step.completion)) {
      const used = steps.map((step, at) => ({ value: (step.prompt || 0) + (step.completion || 0), at: step.n ?? at + 1, kind: "accent", title: `step ${step.n ?? at + 1}: ${count(step.prompt)} in, ${count(step.completion)} out` }));
      drawn.push(dots("Tokens over steps", used, { show: short, open: jump, below: "steps", step: true }));
    }
    return drawn.length ? h("div", { class: "charts" }, drawn) : null;
  }

  card(event, open) {
    if (event.event === "step") return this.step(event, open);
    if (event.event === "begin") return this.plain("Task", [event.text ? block(event.text, { label: "What the solver was told", lines: 16 }) : null], open);
    if (event.event === "note") return this.note(event.said || {}, open);
    if (event.event === "end") return this.plain("End", [h("p", {}, badge(String(event.said.verdict || "")), ` reward ${reward(event.said.reward)}`, event.said.error_stage ? ` \u00b7 failed in ${event.said.error_stage}` : "")], true);
    return this.plain(event.event || "event", [json(event.said)], false);
  }

  plain(title, parts, open) {
    return h("li", { class: "event" }, h("details", { class: "step quietly", open }, h("summary", {}, h("b", {}, title)), h("div", { class: "inside" }, parts)));
  }

  note(said, open) {
    const name = Object.keys(said)[0] || "note", value = said[name] ?? {};
    if (name === "prompt") return this.plain("What the model was told first", [value.system ? block(String(value.system), { label: "System message" }) : null, value.user ? block(String(value.user), { label: "First message" }) : null], open);
    const told = {
      retry: () => [`The server was asked again after ${seconds(value.wait)}`, [value.status, value.error].filter(Boolean).join(" ")],
      invalid_reply: () => [`Invalid reply${value.number ? ` ${value.number}` : ""}: ${value.why || ""}`, value.text],
      compacted: () => [`The conversation was shortened (${value.how || "?"}): ${short(value.before)} to ${short(value.after)} tokens`, ""],
      restored: () => [`Went back to step ${said.restored}`, ""],
      ended: () => [`The player ended the episode: ${words(String(said.ended))}`, ""],
      usage_estimated: () => ["The server does not say how many tokens it took: they are estimated from the texts", ""],
      resumed: () => [`Resumed after ${value.replies ?? "?"} replies`, ""],
      observed: () => [`Read ahead: ${[value.reader, value.selector].filter(Boolean).join(", ")}`, Array.isArray(value.files) ? value.files.map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join("\n") : ""],
    }[name];
    const [line, rest] = told ? told() : [words(name), value];
    if (!told && typeof value !== "string") return this.plain(words(name), [json(said)], false);
    return h("li", { class: `event note n-${told ? name : "other"}` }, h("p", {}, line), rest ? block(String(rest), { label: line, lines: 8 }) : null);
  }

  step(step, open) {
    const facts = [
      known(step.exit) ? h("span", { class: `fact ${step.exit === 0 ? "ok" : "bad"}` }, `exit ${step.exit}`) : null,
      step.timedOut ? h("span", { class: "fact bad" }, "timed out") : null,
      step.kind === "Invalid" ? h("span", { class: "fact bad" }, "invalid") : null,
      step.ending ? h("span", { class: "fact" }, `ended: ${step.ending}`) : null,
      step.reward ? h("span", { class: `fact ${step.reward > 0 ? "ok" : "bad"}` }, `reward ${reward(step.reward)}`) : null,
      step.diff !== undefined ? h("span", { class: "fact edit" }, "edit") : null,
      step.prompt || step.completion ? h("span", { class: "fact" }, `${short((step.prompt || 0) + (step.completion || 0))} tok`) : null,
      known(step.cost) && step.cost ? h("span", { class: "fact" }, `cost ${money(step.cost)}`) : null,
      h("span", { class: "fact" }, seconds((step.seconds || 0) + (step.waited || 0))),
    ];
    const inside = h("div", { class: "inside" });
    const card = h("details", { class: "step", "data-step": String(step.n ?? ""), ontoggle: () => { if (card.open && !inside.firstChild) put(inside, this.parts(step)); } },
      h("summary", {}, h("b", { class: "n" }, String(step.n ?? "")), h("span", { class: "kind" }, step.kind || "step"), h("code", {}, firstLine(actionOf(step))), h("span", { class: "facts" }, facts)), inside);
    if (open) {
      put(inside, this.parts(step));
      card.open = true;
    }
    return h("li", { class: "event" }, card);
  }

  parts(step) {
    const part = (title, ...content) => h("section", {}, h("h3", {}, title), content);
    return [
      step.thought ? part("Thought", block(step.thought, { label: "Thought", kind: "prose" })) : null,
      part("Action", block(actionOf(step) || "(empty)", { label: "Action", kind: "action" })),
      part("Observation", block(step.text || "(nothing)", { label: "Observation" }), step.outputCut ? h("p", { class: "hint" }, "The sandbox has cut this output.") : null),
      step.notice && !(step.text || "").includes(step.notice) ? part("Notice", block(step.notice, { label: "Notice" })) : null,
      step.diff !== undefined ? h("details", { class: "changes" }, h("summary", {}, step.diff.trim() ? "Changes since the start" : "All changes are gone again"), step.diff.trim() ? diffView(step.diff) : null, step.diffCut ? h("p", { class: "hint" }, `The diff has ${count(step.diffCut)} characters; this is its begin.`) : null) : null,
      step.prompt || step.model ? h("p", { class: "hint" }, [step.model, known(step.prompt) ? `${count(step.prompt)} tokens in, ${count(step.completion)} out` : "", known(step.waited) ? `model ${seconds(step.waited)}` : "", known(step.seconds) ? `sandbox ${seconds(step.seconds)}` : "", when(step.at)].filter(Boolean).join(" \u00b7 ")) : null,
    ];
  }
}

/** An action as a person would write it, where it is JSON around a command, a file or a call. */
function actionOf(step) {
  const given = step.action || "";
  if (!/^\s*\{/.test(given) || given.length > 20000) return given;
  try {
    const data = JSON.parse(given), call = data.function || data;
    const told = typeof call.arguments === "string" ? JSON.parse(call.arguments) : call.arguments || call;
    const { action, name, command, path, content, ...rest } = told;
    const beside = Object.keys(rest).length ? `\n${JSON.stringify(rest)}` : "";
    if (call !== told) return typeof command === "string" && Object.keys(told).length === 1 ? command : `${call.name}(${JSON.stringify(told, null, 1)})`;
    if (typeof command === "string") return `${command}${beside}`;
    if (typeof path === "string" && typeof content === "string") return `${action} ${path}${beside}\n\n${content}`;
    return typeof action === "string" ? `${action}${beside}` : given;
  } catch { // it only looks like JSON
    return given;
  }
}

const json = (value) => block(JSON.stringify(value, null, 1) ?? "", { label: "JSON", lines: 40 });
