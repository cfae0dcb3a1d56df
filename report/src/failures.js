// Failures in groups; of one of them, what is known, its diagram, its items, and how it comes back.
import { hasDiagram, report, runData } from "./data.js";
import { copyBlock, copyLine, h, say, state } from "./dom.js";
import { bytes, count, instant, span } from "./number.js";
import { Diagram } from "./diagram.js";
import { EventList } from "./events.js";
import { bandColours } from "./paint.js";
import { KIND, Run, families, kinds } from "./model.js";
import { distribution } from "./plot.js";
import { groupTitle } from "./groups.js";

const endings = { whole: "came to its end", late: "its time was up", memory: "took too much memory", killed: "was killed", crashed: "crashed" };
const LANES_ALL = 24; // fleets up to this size are shown whole at first

function find(run) {
    for (const group of report.groups) {
        const failure = group.runs.find((failure) => failure.run === run);
        if (failure) {
            return { ...failure, law: group.law, what: group.what, evidence: group.evidence, verdict: group.verdict, group };
        }
    }
    return null;
}

function groupList(chosen) {
    return h("ol", { class: "groups" }, report.groups.map((group) => {
        const link = (failure) => h("a", {
            href: `#failures/${failure.run}`,
            "aria-current": failure.run === chosen ? "true" : null,
        }, `run ${failure.run}`, h("span", { class: "note" }, ` ${count(failure.events)} events, seed ${failure.seed}`),
        hasDiagram(failure.run) ? null : h("span", { class: "note" }, ", no diagram"));
        const shown = group.runs.slice(0, 4);
        const rest = group.runs.slice(4);
        return h("li", null,
            h("h3", null, state(group.verdict, group.law ?? group.verdict), h("span", { class: "badge" }, count(group.count))),
            h("p", null, group.law ? [group.what, group.evidence ? h("span", { class: "note" }, ` at ${group.evidence}`) : null] : groupTitle(group)),
            h("ul", null, shown.map((failure) => h("li", null, link(failure)))),
            rest.length > 0 ? h("details", { open: rest.some((failure) => failure.run === chosen) || null },
                h("summary", null, `${rest.length} more`),
                h("ul", null, rest.map((failure) => h("li", null, link(failure))))) : null,
            group.count > group.runs.length ? h("p", { class: "note" }, `${count(group.count - group.runs.length)} more are in the database alone.`) : null);
    }));
}

function facts(failure) {
    const fact = (name, ...value) => h("div", null, h("dt", null, name), h("dd", null, ...value));
    return h("dl", { class: "facts" },
        failure.law ? [
            fact("law", h("code", null, failure.law), " ", report.laws_said[failure.law] ?? ""),
            fact("guard", failure.what ?? "", failure.check ? h("code", null, failure.check) : null),
            fact("expected", failure.expected), fact("actual", failure.actual),
            fact("where", failure.device === "-" ? failure.node
                : `${failure.node}, of ${failure.device}: epoch ${failure.epoch}, counter ${failure.counter}`),
            fact("when", `event ${failure.event}, ${instant(failure.time_us)}`),
        ] : fact("why", failure.message ?? ""),
        fact("run", `${failure.run} of ${failure.scenario ?? "a plan"}, seed ${failure.seed}`),
        fact("size", `${count(failure.events)} events, ${span(failure.sim_us)} simulated`),
        fact("process", endings[failure.ending] ?? failure.ending,
            failure.memory_bytes > 0 ? `, ${bytes(failure.memory_bytes)} at the most` : ", memory not known"));
}

// The smallest scenario that fails alike, where the database has one.
function shrunk(failure) {
    const { text, seed, faults_before: before, faults, minimal } = failure.shrunk;
    return h("section", { class: "shrunk", "aria-label": "Shrunk scenario" },
        h("h4", null, "Shrunk scenario", h("span", { class: "note" },
            ` ${count(before)} faults became ${count(faults)}${minimal ? "" : ", and the budget was spent"}; it fails with seed ${seed}`)),
        copyBlock("shrunk scenario", text));
}

function legend() {
    return h("ul", { class: "legend", "aria-label": "Legend" },
        [["●", "evidence", "--green"], ["◆", "truth", "--violet"], ["▼", "fault strikes", "--bad"], ["■", "delivery", "--blue"],
            ["↘", "message", "--blue"], ["⇣×", "message that did not arrive", "--orange"], ["✕", "the law breaks", "--bad"]].map(([sign, name, colour]) =>
            h("li", null, h("span", { "aria-hidden": "true", style: `color:var(${colour})` }, sign), ` ${name}`)),
        families.map((family) => h("li", null, h("span", { class: `swatch ${family.id}`, "aria-hidden": "true", style: `--own:var(${bandColours[family.id]})` }), ` ${family.name}`)));
}

// The nodes that the failure is about, and all servers; what it is about at all, in a small fleet.
function involved(run) {
    const { failure, nodes } = run;
    const all = nodes.map((_, node) => node).slice(1);
    if (all.length <= LANES_ALL) {
        return all;
    }
    const meant = new Set(all.filter((node) => !nodes[node].startsWith("dev") || nodes[node] === failure.node || nodes[node] === failure.device));
    for (const entry of run.data.entries) {
        if (meant.size < LANES_ALL) {
            meant.add(entry.target);
        }
    }
    for (const node of all) {
        if (meant.size < 8) {
            meant.add(node);
        }
    }
    return all.filter((node) => meant.has(node));
}

function stateTable(run, item) {
    const { items } = run;
    const nodes = [...new Set([items.node[item], items.kind[item] === KIND.EVIDENCE ? items.a[item] : 0, run.messageOf.get(item)?.from ?? 0, run.messageOf.get(item)?.to ?? 0])]
        .filter((node) => node > 0 && node < run.nodes.length);
    const [from, to] = run.eventOf(item);
    const first = (run.data.dropped ?? 0);
    return nodes.map((node) => {
        const before = run.view(node, first + from);
        const after = run.view(node, first + to);
        return h("table", null,
            h("caption", null, `${run.nodes[node]} behind event ${items.event[item]}`),
            h("tbody", null, after === null
                ? h("tr", null, h("td", null, run.data.source === "lived" ? "down" : "not stored"))
                : [...after].sort(([a], [b]) => a.localeCompare(b)).map(([name, value]) => {
                    const was = before?.get(name);
                    return h("tr", { class: was !== undefined && was !== value ? "changed" : null },
                        h("th", { scope: "row" }, name),
                        h("td", { class: "number" }, String(value), was !== undefined && was !== value ? h("span", { class: "note" }, ` was ${was}`) : null));
                })));
    });
}

class View {
    constructor(run) {
        this.run = run;
        const onCursor = (item) => this.move(item);
        this.diagram = new Diagram(run, { onCursor });
        this.list = new EventList(run, { onCursor });
        this.wanted = { [KIND.EVIDENCE]: true, [KIND.EFFECT]: true, [KIND.TRUTH]: true, [KIND.DELIVERY]: false, [KIND.OPERATION]: false, [KIND.EVENT]: false };
        this.lanes = involved(run);
        this.search = "";
        this.found = h("span", { class: "note", role: "status" });
        this.state = h("div", { class: "state-tables" });
        this.element = h("div", null, this.toolbar(), legend(), this.diagram.element, this.lists());
        this.filter();
        const start = run.violationItem >= 0 ? run.violationItem : this.shown.at(-1) ?? -1;
        if (start >= 0) {
            this.move(start, true);
            this.diagram.around(start);
        }
    }

    toolbar() {
        const button = (title, doc, act) => h("button", { type: "button", title: doc, onclick: act }, title);
        const box = (title, doc, checked, act) => h("label", { class: "chip", title: doc },
            h("input", { type: "checkbox", checked, onchange: (event) => act(event.target.checked) }), title);
        const several = this.run.nodes.length - 1 > this.lanes.length;
        return h("div", { class: "toolbar", role: "toolbar", "aria-label": "Diagram" },
            h("div", { class: "set" },
                button("+", "Zoom in (+)", () => this.diagram.zoom(0.5)), button("−", "Zoom out (−)", () => this.diagram.zoom(2)),
                button("Whole run", "Show the whole run (F)", () => this.diagram.fit()),
                this.run.violationItem >= 0 ? button("Broken law", "Go to where the law breaks (V)", () => this.diagram.toViolation()) : null),
            h("fieldset", { class: "set" }, h("legend", { class: "unseen" }, "Show"),
                box("messages", "arrows from node to node", true, (on) => this.diagram.set({ messages: on })),
                kinds.map(({ kind, name, doc }) => box(name, doc, this.wanted[kind], (on) => {
                    this.wanted[kind] = on;
                    this.filter();
                }))),
            h("div", { class: "set" },
                several ? [h("label", { htmlFor: "lanes" }, "Lanes"), h("select", {
                    id: "lanes", onchange: (event) => {
                        this.lanes = event.target.value === "all" ? this.run.nodes.map((_, node) => node).slice(1) : involved(this.run);
                        this.filter();
                    },
                }, h("option", { value: "involved" }, `involved (${this.lanes.length})`), h("option", { value: "all" }, `all (${this.run.nodes.length - 1})`))] : null,
                h("label", { htmlFor: "search" }, "Search"),
                h("input", {
                    id: "search", type: "search", placeholder: "ack dev3, #4711, 1042", autocomplete: "off", spellcheck: false,
                    oninput: (event) => {
                        clearTimeout(this.waiting);
                        this.waiting = setTimeout(() => {
                            this.search = event.target.value;
                            this.filter();
                        }, 150);
                    },
                    onkeydown: (event) => {
                        if (event.key === "Enter") {
                            event.preventDefault();
                            this.diagram.step(event.shiftKey ? -1 : 1);
                        }
                    },
                }), this.found));
    }

    lists() {
        return h("div", { class: "lists" },
            h("section", { "aria-label": "Items" }, h("h4", null, "Items"), this.list.element),
            h("section", { "aria-label": "State at the cursor" }, h("h4", null, "State at the cursor"), this.state));
    }

    filter() {
        this.shown = this.run.filter(this.wanted, this.lanes.length === this.run.nodes.length - 1 ? null : new Set(this.lanes), this.search);
        this.diagram.set({ shown: this.shown, lanes: this.lanes });
        this.list.set({ shown: this.shown });
        this.found.textContent = `${count(this.shown.length)} of ${count(this.run.items.count)} items`;
    }

    move(item, quiet = false) {
        this.diagram.set({ cursor: item });
        this.diagram.reveal();
        this.list.set({ cursor: item });
        this.state.replaceChildren(...stateTable(this.run, item));
        if (!quiet) {
            say(this.run.line(item) + (item === this.run.violationItem ? `. Here ${this.run.failure.law} breaks` : ""));
        }
    }
}

function about(run) {
    const { data } = run;
    const notes = [];
    if (data.source === "stored") {
        notes.push(`Only the last ${count(run.items.count)} items are here, as the database has them: ${data.note}. Without deliveries, messages have no arrows, and nodes no state.`);
    }
    if (data.dropped > 0) {
        notes.push(`The first ${count(data.dropped)} of ${count(data.items)} items do not fit: brownout replay ${data.run} --trace puts all into the database.`);
    }
    if (run.unknown > 0 && data.source === "lived") {
        notes.push(`${count(run.unknown)} calls were on links whose opening is not here: they have no arrows.`);
    }
    return notes.map((note) => h("p", { class: "warning" }, note));
}

function texts(run) {
    return run.data.texts.map(({ title, text }) => {
        const entries = text.split("\n").filter((line) => line.startsWith("entry "));
        return h("details", null,
            h("summary", null, `The ${title}`, title === "plan" ? h("span", { class: "note" }, ` ${count(entries.length)} faults`) : null),
            h("pre", { tabIndex: 0 }, text));
    });
}

function plots(run) {
    return h("div", { class: "plots two" },
        distribution({ numbers: run.measured.delivery, label: "From a reading's signature to its acceptance", unit: "time", text: span }),
        distribution({ numbers: run.measured.recovery, label: "From a node's fall to its first word", unit: "time", text: span }));
}

export function failures(panel) {
    const side = h("nav", { class: "side", "aria-label": "Failures" });
    const detail = h("article", { class: "detail", "aria-live": "off" });
    let chosen = null;

    panel.append(h("h2", null, "Failures"));
    if (report.groups.length === 0) {
        panel.append(h("p", { class: "empty" }, "There are none: every run passed."));
        return {};
    }
    panel.append(
        h("p", { class: "note" },
            `${count(report.failures)} runs did not pass, in ${count(report.groups.length)} groups. `,
            `${count(report.diagrams.length)} of them have a diagram: of each group those of the fewest events first `,
            "(", h("code", null, "--failures N"), " draws more).",
            report.failures_left_out > 0 ? ` ${count(report.failures_left_out)} are not listed: they are in the database alone.` : ""),
        h("div", { class: "split" }, side, detail));

    async function show([run]) {
        const failure = find(Number(run)) ?? find(report.groups[0].runs[0].run);
        if (failure.run === chosen) {
            return;
        }
        chosen = failure.run;
        side.replaceChildren(groupList(chosen));
        detail.replaceChildren(
            h("h3", null, state(failure.verdict, failure.law ?? failure.verdict), ` run ${failure.run}`),
            facts(failure),
            failure.replay ? copyLine("replay", failure.replay) : "",
            failure.again ? copyLine("again", failure.again) : "",
            failure.shrunk ? shrunk(failure) : "");
        if (!hasDiagram(failure.run)) {
            detail.append(h("p", { class: "warning" }, failure.replay
                ? "This run has no diagram in this report: name a larger --failures."
                : "This run kept no plan: it never began, or did not come to an event."));
            return;
        }
        const waiting = h("p", { class: "note", role: "status" }, "Unpacking its items…");
        detail.append(waiting);
        const data = runData(failure.run);
        if (data.source === "none") {
            waiting.replaceWith(h("p", { class: "warning" }, `This run has no diagram: ${data.note}.`));
            return;
        }
        const loaded = await Run.load(failure, data);
        if (chosen !== failure.run) {
            return; // another one was asked for meanwhile
        }
        const view = new View(loaded);
        waiting.remove();
        detail.append(...about(loaded), view.element, ...texts(loaded), h("h4", null, "How long it took in this run"), plots(loaded));
        detail.dataset.ready = String(failure.run);
        say(`Run ${failure.run}: ${count(loaded.items.count)} items.`);
    }
    return { show: (rest) => { delete detail.dataset.ready; chosen = null; return show(rest); } };
}
