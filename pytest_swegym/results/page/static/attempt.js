// One attempt: its facts, and tabs for its steps, patch, tests, log, candidates and record.

const TABS = [["steps", "Steps"], ["patch", "Patch"], ["tests", "Tests"], ["log", "Log"], ["candidates", "Candidates"], ["record", "Record"]];
const FINE = { fail_to_pass: ["passed", "xfailed"], pass_to_pass: ["passed", "xfailed", "skipped"] };

class Attempt {
  constructor(run, key) {
    Object.assign(this, { run, key, made: new Map(), unfolded: new Set(), steps: new Steps(), panel: h("div", { role: "tabpanel", id: "panel", tabindex: "-1" }), head: h("div"), tabs: h("div", { class: "tabs", role: "tablist", "aria-label": "Parts of the attempt" }) });
    this.element = h("div", { class: "attempt" }, this.head, this.tabs, this.panel);
    this.error = "";
  }

  get row() {
    return store.rows.get(nameOf(this.run, this.key));
  }

  open(given) {
    this.tab = given.get("tab") || this.tab || "";
    this.update();
  }

  leave() {}

  update() {
    const row = this.row;
    if (!row) return void put(this.head, h("p", { class: "empty" }, store.mode === "live" && !store.version ? "Loading \u2026" : "There is no such attempt here."));
    this.header(row, this.detail);
    if (this.detail || this.error) this.show(row);
    if (row !== this.seen) this.load(row);
  }

  /** Get what is new of the attempt; one request at a time, the last row wins. */
  async load(row) {
    this.seen = row;
    if (this.busy) return;
    this.busy = true;
    const has = this.detail && this.detail.has;
    try {
      this.detail = await openAttempt(row);
      this.error = "";
      if (this.detail.has !== has) this.made.clear();
    } catch (error) {
      this.error = error.message;
    }
    this.busy = false;
    if (this.seen !== row) return void this.load(this.seen);
    this.header(row, this.detail);
    this.show(row);
  }

  header(row, detail) {
    const record = (detail && detail.facts.record) || {};
    const [before, after] = neighbours(row);
    const step = (other, sign, title, key) => h("a", { class: `button${other ? "" : " off"}`, href: other ? attemptLink(other, this.tab) : null, "aria-disabled": other ? null : "true", title: `${title} (${key})` }, sign, h("span", { class: "hidden" }, title));
    const facts = [
      ["Reward", row.reward === null ? "\u2013" : `${reward(row.reward)}${record.reward_name && record.reward_name !== "resolved" ? ` (${record.reward_name})` : ""}`],
      ["F2P", passed(row.f2p)], ["P2P", passed(row.p2p)],
      ["Patch", row.patch && row.patch[0] ? `${plural(row.patch[0], "file")} +${row.patch[1]} \u2212${row.patch[2]}` : record.tree ? "a whole tree" : "none"],
      ["Steps", known(row.steps) ? count(row.steps) : null], ["Tokens", known(row.tokens) ? short(row.tokens) : null], ["Cost", known(row.cost) ? money(row.cost) : null],
      ["Time", known(row.seconds) ? seconds(row.seconds) : null], ["Run", row.run], ["Solver", row.solver], ["Sandbox", record.sandbox], ["Started", when(row.started)],
    ].filter(([, value]) => value);
    const stages = Object.entries(row.stages || {});
    put(this.head,
      h("div", { class: "title" }, h("h1", {}, row.instance || row.key, row.attempt ? h("small", {}, ` attempt ${row.attempt}`) : null), badge(verdictOf(row)), row.failure ? h("span", { class: "reason" }, row.failure, row.why ? `: ${row.why}` : "") : null,
        h("span", { class: "around" }, step(before, "\u2190", "Previous attempt", "["), step(after, "\u2192", "Next attempt", "]"))),
      h("dl", { class: "factlist" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      stages.length ? h("p", { class: "stages" }, stages.map(([name, value]) => h("span", {}, h("i", { class: `dot bg-stage-${["checkout", "sandbox", "solve", "grade"].includes(name) ? name : "other"}` }), `${name} ${seconds(value)}`))) : null,
      row.verdict !== "resolved" && (record.reasons || []).length && record.reasons.join("\n") !== row.why ? block(record.reasons.join("\n"), { label: "Reasons", lines: 4, kind: "reasons" }) : null,
      record.error ? h("details", { class: "card error" }, h("summary", {}, `Failed in ${record.error_stage || "a stage"}`), block(record.error, { label: "Error", lines: 60 })) : null);
  }

  show(row) {
    const facts = this.detail ? this.detail.facts : null, events = this.detail ? this.detail.told.events : [];
    const there = TABS.filter(([name]) => name !== "candidates" || (facts && (facts.candidates || facts.population)));
    if (!there.some(([name]) => name === this.tab)) this.tab = !facts || events.length ? "steps" : facts.candidates && !(row.patch && row.patch[0]) ? "candidates" : row.state === "ended" ? "patch" : "steps";
    const sizes = facts ? { steps: row.steps, patch: row.patch && row.patch[0], tests: facts.tests && facts.tests.fail_to_pass.count + facts.tests.pass_to_pass.count, candidates: (facts.candidates || []).length } : {};
    put(this.tabs, there.map(([name, title], at) => h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel", "aria-selected": String(name === this.tab), tabindex: name === this.tab ? "0" : "-1", title: `${title} (${at + 1})`, onclick: () => this.choose(name), onkeydown: (event) => this.walk(event, there) }, title, sizes[name] ? h("b", {}, count(sizes[name])) : null)));
    this.panel.setAttribute("aria-labelledby", `tab-${this.tab}`);
    if (!this.detail) return void put(this.panel, h("p", { class: "empty" }, this.error ? `Nothing more to show: ${this.error}.` : "Loading \u2026"));
    if (this.tab === "steps") this.steps.show(this.detail.told, verdictOf(row) === "running");
    if (!this.made.has(this.tab)) this.made.set(this.tab, this.tab === "steps" ? this.steps.element : this[`${this.tab}Panel`](facts, row));
    if (this.panel.firstChild !== this.made.get(this.tab)) put(this.panel, this.made.get(this.tab));
  }

  choose(name) {
    this.tab = name;
    history.replaceState(null, "", attemptLink(this.row || this, name));
    if (this.row) this.show(this.row);
    byId(`tab-${name}`)?.focus();
  }

  walk(event, there) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const at = there.findIndex(([name]) => name === this.tab);
    this.choose(there[(at + by + there.length) % there.length][0]);
  }

  patchPanel(facts, row) {
    if (facts.patch === undefined) return h("p", { class: "empty" }, "There is no patch before the attempt ends.");
    if (!facts.patch.trim() && facts.record && facts.record.tree) return h("p", { class: "empty" }, "A whole tree was handed in (tree.tar.gz); what a diff can show of it: nothing.");
    const copy = h("button", { type: "button", onclick: async () => { try { await navigator.clipboard.writeText(facts.patch); copy.textContent = "Copied"; } catch { copy.textContent = "The browser does not allow it"; } } }, "Copy");
    return h("div", {}, facts.patch.trim() ? h("div", { class: "bar slim" }, copy, this.file(row, facts, "patch.diff")) : null, diffView(facts.patch));
  }

  file(row, facts, name) {
    const found = facts.files.find(([each]) => each === name);
    return found ? h("a", { class: "button", href: fileOf(row, name), download: name }, `${name} (${bytes(found[1])})`) : null;
  }

  testsPanel(facts, row) {
    if (!facts.tests || facts.tests.fail_to_pass.count + facts.tests.pass_to_pass.count === 0) return h("p", { class: "empty" }, "No test was asked for, or none has run.");
    const tests = Object.entries(facts.tests).flatMap(([group, { listed }]) => listed.map(([name, outcome]) => ({ group: group === "fail_to_pass" ? "F2P" : "P2P", name, outcome, fine: FINE[group].includes(outcome) })));
    const missing = sum(Object.values(facts.tests).map(({ count: all, listed }) => all - listed.length));
    const failing = h("input", { type: "checkbox", id: "failing", checked: false, onchange: () => draw() });
    const part = h("input", { type: "search", id: "search", placeholder: "Search tests  ( / )", "aria-label": "Search tests", oninput: () => draw() });
    const body = h("tbody"), told = h("span", { class: "told", role: "status" }), more = h("button", { type: "button", class: "more", onclick: () => draw(Infinity) });
    const draw = (limit = 400) => {
      const q = part.value.trim().toLowerCase();
      const found = tests.filter((test) => (!failing.checked || !test.fine) && (!q || test.name.toLowerCase().includes(q)));
      put(body, found.slice(0, limit).map((test) => h("tr", {}, h("td", {}, test.group), h("td", {}, h("span", { class: `fact ${test.fine ? "ok" : "bad"}` }, test.outcome)), h("td", { class: "code" }, test.name))));
      told.textContent = `${count(found.length)} of ${plural(tests.length, "test")}${missing ? `; ${count(missing)} more in the record` : ""}`;
      more.hidden = found.length <= limit;
      more.textContent = `Show all ${count(found.length)}`;
    };
    draw();
    return h("div", {}, h("div", { class: "bar slim" }, part, h("label", { class: "check" }, failing, " only what does not hold"), this.file(row, facts, "junit.xml"), told),
      h("div", { class: "card scroll" }, h("table", { class: "plain tests" }, h("caption", { class: "hidden" }, "Tests"), h("thead", {}, h("tr", {}, ["Group", "Outcome", "Test"].map((title) => h("th", { scope: "col" }, title)))), body)), more);
  }

  logPanel(facts, row) {
    if (!facts.log) return h("p", { class: "empty" }, "The tests have printed nothing that was kept.");
    const pre = h("pre", { class: "block log wrap", tabindex: "0", role: "region", "aria-label": "Test log" }, printed(settled(facts.log.text)));
    const wrap = h("input", { type: "checkbox", checked: true, onchange: () => pre.classList.toggle("wrap", wrap.checked) });
    const end = h("button", { type: "button", onclick: () => { pre.scrollTop = pre.scrollHeight; pre.focus(); } }, "To the end");
    return h("div", {}, h("div", { class: "bar slim" }, h("label", { class: "check" }, wrap, " wrap lines"), end, this.file(row, facts, "test.log"),
      facts.log.shown < facts.log.size ? h("span", { class: "told" }, `the last ${bytes(facts.log.shown)} of ${bytes(facts.log.size)}`) : null), pre);
  }

  candidatesPanel(facts) {
    return h("div", {}, facts.population ? populationView(facts.population) : null, (facts.candidates || []).map((candidate) => {
      const { told } = candidate, usage = told.usage || {};
      const body = h("div", { class: "inside" });
      const fill = () => {
        if (body.firstChild) return;
        const steps = new Steps();
        if (candidate.steps) steps.show(candidate.steps, false);
        put(body, candidate.patch ? diffView(candidate.patch) : null, candidate.steps ? steps.element : null,
          Object.keys(told).length ? h("details", { class: "changes" }, h("summary", {}, "What the record tells of it"), json(told)) : null);
      };
      const place = h("details", { class: `step${told.chosen ? " best" : ""}`, ontoggle: () => { this.unfolded[place.open ? "add" : "delete"](candidate.name); if (place.open) fill(); } }, h("summary", {}, h("b", { class: "n" }, candidate.name), told.chosen ? h("span", { class: "fact ok" }, "chosen") : null,
        h("code", {}, told.error ? firstLine(String(told.error)) : ""), h("span", { class: "facts" },
          known(told.score) ? h("span", { class: "fact" }, `score ${reward(told.score)}`) : null, told.tests && known(told.tests.run) ? h("span", { class: "fact" }, `tests: ${count(told.tests.fixed)} fixed, ${count(told.tests.broken)} broken`) : null, told.ending ? h("span", { class: "fact" }, words(String(told.ending))) : null,
          candidate.steps ? h("span", { class: "fact" }, plural(candidate.steps.events.filter((event) => event.event === "step").length, "step")) : null,
          usage.requests && known(usage.prompt_tokens) ? h("span", { class: "fact" }, `${short(usage.prompt_tokens + (usage.completion_tokens || 0))} tok`) : null, known(usage.cost) ? h("span", { class: "fact" }, `cost ${money(usage.cost)}`) : null,
          known(told.seconds) ? h("span", { class: "fact" }, seconds(told.seconds)) : null)), body);
      // While a search goes on this is drawn again and again: what was opened stays open.
      if (this.unfolded.has(candidate.name)) place.open = true;
      return place;
    }));
  }

  recordPanel(facts, row) {
    const record = facts.record || {};
    const shown = ["run_id", "seed", "attempt", "tries", "grader", "protect", "apply_method", "exit_code", "early", "environment", "cached", "unrunnable", "score", "tree", "content_key", "task_key", "tags", "protected"];
    const value = (each) => (Array.isArray(each) ? each.join("\n") : typeof each === "object" ? JSON.stringify(each) : String(each));
    const list = shown.filter((name) => record[name] !== undefined && record[name] !== null && record[name] !== "" && !(Array.isArray(record[name]) && !record[name].length));
    return h("div", {}, h("div", { class: "bar slim" }, facts.files.map(([name]) => this.file(row, facts, name))),
      facts.damaged ? h("p", { class: "empty" }, "The record is damaged: it cannot be read.") : null,
      h("dl", { class: "record" }, list.flatMap((name) => [h("dt", {}, words(name)), h("dd", {}, value(record[name]))])),
      Object.keys(record.variables || {}).length ? [h("h2", {}, "Variables"), json(record.variables)] : null,
      record.compat ? [h("h2", {}, "What the SWE-bench harness would say"), json(record.compat)] : null,
      Object.keys(record.extra || {}).length ? [h("h2", {}, "Extra"), json(record.extra)] : null);
  }
}

/** Generations of prompts: the best and the mean of each, then all of it as it is. */
function populationView(population) {
  const generations = Array.isArray(population.generations) ? population.generations : [];
  const fitnesses = generations.map((each) => (Array.isArray(each) ? each : each.individuals || []).map((one) => one.fitness).filter(known)).filter((each) => each.length);
  const points = fitnesses.map((each, at) => ({ value: Math.max(...each), line: sum(each) / each.length, kind: "resolved", title: `generation ${at}: best ${reward(Math.max(...each))}, mean ${reward(sum(each) / each.length)}` }));
  return h("div", {}, points.length > 1 ? h("div", { class: "charts" }, dots("Fitness over generations", points, { below: "generations", note: "dots: best, line: mean" })) : null,
    individualsTable(population),
    h("details", { class: "card" }, h("summary", {}, "population.json"), json(population)));
}

/** Every prompt that lived, the fittest first. */
function individualsTable(population) {
  const everyone = Array.isArray(population.individuals) ? population.individuals.filter((each) => each && typeof each === "object") : [];
  if (!everyone.length) return null;
  const cells = (one) => [String(one.number ?? ""), String(one.born ?? ""), [one.how, Array.isArray(one.parents) && one.parents.length ? `of ${one.parents.join(", ")}` : ""].filter(Boolean).join(" "), reward(one.fitness)];
  return h("div", { class: "card scroll" }, h("table", { class: "plain" }, h("caption", {}, "Prompts"), h("thead", {}, h("tr", {}, ["#", "Generation", "How", "Fitness", "Prompt"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, sorted(everyone, (one) => one.fitness, -1).map((one) => h("tr", { class: one.number === population.best ? "change-gained" : "" }, cells(one).map((text) => h("td", { class: "number" }, text)), h("td", {}, block(String(one.prompt ?? ""), { label: `Prompt ${one.number}`, lines: 4, kind: "prose" })))))));
}

/** The attempts before and after, in the order in which the table was left. */
function neighbours(row) {
  const rows = (views.overview && views.overview.grid.rows) || [...store.rows.values()];
  const at = rows.findIndex((each) => each.run === row.run && each.key === row.key);
  return at < 0 ? [null, null] : [rows[at - 1], rows[at + 1]];
}
