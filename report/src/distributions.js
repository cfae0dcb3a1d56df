// Figures of runs, one by one: every figure of the database, over all scenarios or one.
import { report, rows, unpack } from "./data.js";
import { h, table } from "./dom.js";
import { distribution } from "./plot.js";
import { bytes, count, real, span } from "./number.js";

const own = {
    sim_us: ["simulated time", span, "time"],
    wall_us: ["wall time", span, "time"],
    events: ["events of a run", real, "events"],
    memory_bytes: ["memory of a run's process, at the most", bytes, "memory"],
};

// Times as times; a sum of them says nothing.
function figureText(row, number, text) {
    return report.figures_said[row.figure]?.unit === "us" ? span(number) : text(number);
}

export function distributions(panel) {
    const place = h("div", { class: "plots" });
    const figure = h("select", { id: "figure", onchange: draw },
        Object.entries(own).map(([name, [title]]) => h("option", { value: name }, title)),
        report.figure_names.map((name) =>
            h("option", { value: name }, `${name}${report.figures_said[name] ? ` (${report.figures_said[name].doc})` : ""}`)));
    const scenario = h("select", { id: "of", onchange: draw },
        h("option", { value: "" }, "all scenarios"),
        report.scenarios.map((name, i) => h("option", { value: i }, name || "a plan")));
    const verdict = h("select", { id: "verdict", onchange: draw },
        h("option", { value: "" }, "any verdict"),
        report.verdicts.map((name, i) => h("option", { value: i }, name)));
    let runs = null;

    figure.value = report.figure_names.includes("accepted") ? "accepted" : "events";
    async function draw() {
        runs ??= await unpack(report.runs);
        const name = figure.value;
        const isOwn = name in own;
        const numbers = [];
        for (let i = 0; i < runs.rows; i++) {
            const fits = (scenario.value === "" || runs.scenario.numbers[i] === Number(scenario.value)) &&
                (verdict.value === "" || runs.verdict.numbers[i] === Number(verdict.value));
            const number = runs[name].numbers[i];
            if (fits && (isOwn ? name !== "memory_bytes" || number > 0 : number > 0)) { // 0: not known
                numbers.push(isOwn ? number : number - 1);
            }
        }
        const said = report.figures_said[name];
        const isTime = said?.unit === "us";
        place.replaceChildren(distribution({
            numbers,
            label: isOwn ? own[name][0] : `${name}: ${said?.doc ?? ""}`,
            unit: isOwn ? own[name][2] : isTime ? "time" : `${said?.unit ?? ""} in a run`,
            text: isOwn ? own[name][1] : isTime ? span : real,
        }));
    }

    panel.append(
        h("h2", null, "Distributions"),
        h("div", { class: "controls" },
            h("label", { htmlFor: "figure" }, "Figure"), figure,
            h("label", { htmlFor: "of" }, "of"), scenario,
            h("label", { htmlFor: "verdict" }, "with"), verdict),
        report.runs_left_out_to > 0
            ? h("p", { class: "note" }, `The last ${count(report.runs.rows)} runs; those up to run ${report.runs_left_out_to} are in the database alone.`) : "",
        place,
        h("p", { class: "note" }, "How long fleets took to recover is the figure recovery_us; how long deliveries and single nodes took is measured in each failing run that has a diagram: see there."),
        table({
            caption: "What a delivered reading costs",
            rows: rows(report.cost),
            columns: [
                { title: "scenario", wide: true, cell: (row) => h("code", null, row.scenario) },
                { title: "runs", number: true, cell: (row) => count(row.runs) },
                { title: "accepted", number: true, cell: (row) => count(row.accepted) },
                { title: "bytes on air", number: true, cell: (row) => real(row.air_bytes) },
                { title: "signatures", number: true, cell: (row) => real(row.signatures) },
                { title: "flash erases", number: true, cell: (row) => real(row.flash_erases) },
            ],
        }),
        table({
            caption: "Figures over all runs",
            rows: rows(report.figures),
            columns: [
                { title: "figure", wide: true, sort: (row) => row.figure, cell: (row) => [h("code", null, row.figure),
                    h("span", { class: "note" }, report.figures_said[row.figure]?.doc ?? "")] },
                { title: "unit", cell: (row) => report.figures_said[row.figure]?.unit ?? "" },
                { title: "total", number: true, sort: (row) => row.total, cell: (row) => figureText(row, row.total, count) },
                { title: "least", number: true, sort: (row) => row.least, cell: (row) => figureText(row, row.least, count) },
                { title: "mean", number: true, sort: (row) => row.mean, cell: (row) => figureText(row, row.mean, real) },
                { title: "most", number: true, sort: (row) => row.most, cell: (row) => figureText(row, row.most, count) },
            ],
        }),
    );
    return { show: draw };
}
