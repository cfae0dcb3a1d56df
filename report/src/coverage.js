// What was tried: faults, interesting states, actions of the specs, and how fast new things still come.
import { report, rows } from "./data.js";
import { h, state, table } from "./dom.js";
import { plot } from "./plot.js";
import { count, real, wholes } from "./number.js";

// An action of a spec by fault class: how many kinds of state it was taken in.
function matrix(spec, cells) {
    const faults = [...new Set(cells.map((cell) => cell.fault))].sort((a, b) => (a ?? "").localeCompare(b ?? ""));
    const actions = [...new Set(rows(report.steps).filter((row) => row.spec === spec).map((row) => row.action)
        .concat(cells.map((cell) => cell.action)))].sort();
    const at = new Map(cells.map((cell) => [`${cell.action}/${cell.fault}`, cell]));
    const most = Math.max(...cells.map((cell) => cell.states));
    return h("div", { class: "table matrix", tabIndex: 0, role: "region", "aria-label": `${spec} by fault class` },
        h("table", null,
            h("caption", null, `${spec}: kinds of state in which an action was taken, by fault class`,
                h("span", { class: "note" }, "empty: no run of this file showed it")),
            h("thead", null, h("tr", null, h("th", { scope: "col" }, "action"),
                faults.map((fault) => h("th", { scope: "col", class: "turned" }, h("span", null, fault ?? "no fault"))))),
            h("tbody", null, actions.map((action) => h("tr", null,
                h("th", { scope: "row" }, h("code", null, action)),
                faults.map((fault) => {
                    const cell = at.get(`${action}/${fault}`);
                    if (!cell) {
                        return h("td", { class: "number none" });
                    }
                    const share = Math.log1p(cell.states) / Math.log1p(most);
                    return h("td", {
                        class: "number heat", style: `--heat:${Math.round(share * 55)}%`,
                        title: `${action} under ${fault ?? "no fault"}: ${cell.states} kinds of state, the commonest in ${cell.runs} runs`,
                    }, count(cell.states));
                }))))));
}

function growth() {
    const points = rows(report.growth);
    return [...new Set(points.map((point) => point.kind))].map((kind) => {
        const own = points.filter((point) => point.kind === kind);
        return h("figure", null,
            h("figcaption", null, `${kind}s shown, run by run`),
            plot({
                label: `${kind}s: ${own.at(-1).keys} after ${own.at(-1).n} runs`,
                x: "runs", y: `${kind}s`, xText: wholes, yText: wholes,
                data: [own.map((point) => point.n), own.map((point) => point.keys)],
                series: [{ label: kind, colour: "--blue", steps: true }],
            }));
    });
}

export function coverage(panel) {
    const specs = [...new Set(report.transitions.map((cell) => cell.spec))];
    const probes = rows(report.probes);
    const unreached = probes.filter((row) => row.runs === 0);
    panel.append(
        h("h2", null, "Coverage"),
        table({
            caption: "Saturation",
            note: "fresh chance: that the next run shows something new (Good and Turing)",
            rows: rows(report.saturation),
            empty: "No run of this file counted what it showed.",
            columns: [
                { title: "kind", cell: (row) => row.kind },
                { title: "shown", number: true, cell: (row) => count(row.keys) },
                { title: "by one run only", number: true, cell: (row) => count(row.once) },
                { title: "by two", number: true, cell: (row) => count(row.twice) },
                { title: "runs", number: true, cell: (row) => count(row.runs) },
                { title: "distinct outcomes", number: true, cell: (row) => count(row.outcomes) },
                { title: "outcomes per run", number: true, cell: (row) => real(row.outcomes / row.runs) },
                { title: "fresh chance", number: true, cell: (row) => real(row.fresh_chance) },
            ],
        }),
        h("div", { class: "plots two" }, growth()),
        specs.map((spec) => matrix(spec, report.transitions.filter((cell) => cell.spec === spec))).length > 0
            ? h("div", null, specs.map((spec) => matrix(spec, report.transitions.filter((cell) => cell.spec === spec)))) : "",
        report.transitions_unknown > 0
            ? h("p", { class: "note" }, `${count(report.transitions_unknown)} transitions are of actions that this build does not know.`) : "",
        h("div", { class: "columns" },
            table({
                caption: "Faults",
                note: "filed: in a plan; fired: it really struck",
                rows: rows(report.faults),
                columns: [
                    { title: "fault", wide: true, sort: (row) => row.fault, cell: (row) => [h("code", null, row.fault),
                        h("span", { class: "note" }, report.faults_said[row.fault] ?? "")] },
                    { title: "standing", cell: (row) => (row.fired > 0 ? state("held", "fired") : row.filed > 0 ? state("void", "filed only") : state("never")) },
                    { title: "filed", number: true, sort: (row) => row.filed, cell: (row) => count(row.filed) },
                    { title: "fired", number: true, sort: (row) => row.fired, cell: (row) => count(row.fired) },
                    { title: "in runs", number: true, sort: (row) => row.runs_fired, cell: (row) => count(row.runs_fired) },
                ],
            }),
            table({
                caption: "Interesting states",
                note: unreached.length > 0 ? `${unreached.length} of ${probes.length} were never reached` : "all were reached",
                rows: probes,
                columns: [
                    { title: "probe", wide: true, sort: (row) => row.probe, cell: (row) => h("code", null, row.probe) },
                    { title: "standing", cell: (row) => (row.runs > 0 ? state("held", "reached") : state("never")) },
                    { title: "times", number: true, sort: (row) => row.reached, cell: (row) => count(row.reached) },
                    { title: "in runs", number: true, sort: (row) => row.runs, cell: (row) => count(row.runs) },
                ],
            }),
            table({
                caption: "Actions of specs",
                rows: rows(report.steps),
                columns: [
                    { title: "action", wide: true, sort: (row) => row.action, cell: (row) => h("code", null, `${row.spec}.${row.action}`) },
                    { title: "standing", cell: (row) => (row.runs > 0 ? state("held", "taken") : state("never")) },
                    { title: "steps", number: true, sort: (row) => row.steps, cell: (row) => count(row.steps) },
                    { title: "in runs", number: true, sort: (row) => row.runs, cell: (row) => count(row.runs) },
                ],
            })),
    );
}
