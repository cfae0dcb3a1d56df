// Every law: what it says, how often it was put to the test, and how it stood.
import { report, rows } from "./data.js";
import { h, state, table } from "./dom.js";
import { count } from "./number.js";

function standing(row) {
    if (row.broken > 0) {
        return state("broken", `broken in ${count(row.broken)}`);
    }
    if (row.exercised === 0) {
        return state("never", "not exercised");
    }
    return row.held > 0 ? state("held", `held in ${count(row.held)}`) : state("void", "void wherever exercised");
}

export function laws(panel) {
    const all = rows(report.laws);
    all.sort((a, b) => b.broken - a.broken || a.law.localeCompare(b.law));
    panel.append(
        h("h2", null, "Laws"),
        table({
            caption: "Every law, over all runs",
            note: "void: a fault that struck takes the law out where it struck",
            rows: all,
            columns: [
                { title: "law", wide: true, sort: (row) => row.law,
                    cell: (row) => [h("code", null, row.law), h("span", { class: "note" }, report.laws_said[row.law] ?? "")] },
                { title: "standing", cell: standing, sort: (row) => row.broken },
                { title: "exercised", number: true, sort: (row) => row.exercised, cell: (row) => count(row.exercised) },
                { title: "runs held", number: true, sort: (row) => row.held, cell: (row) => count(row.held) },
                { title: "void", number: true, sort: (row) => row.void, cell: (row) => count(row.void) },
                { title: "broken", number: true, sort: (row) => row.broken, cell: (row) => count(row.broken) },
                { title: "not exercised", number: true, sort: (row) => row.not_exercised, cell: (row) => count(row.not_exercised) },
            ],
        }),
    );
}
