// Verdicts by scenario, what failed, which builds, and where the time went.
import { report, rows } from "./data.js";
import { h, state, table } from "./dom.js";
import { bytes, count, real } from "./number.js";
import { groupTitle } from "./groups.js";

// Shares of verdicts as a bar; the numbers stand beside it.
function bar(verdicts, runs) {
    return h("span", { class: "bar", "aria-hidden": "true" },
        [...verdicts].map(([verdict, number]) =>
            h("span", { class: `part ${verdict === "pass" ? "good" : verdict === "fail" ? "bad" : "odd"}`, style: `width:${(100 * number) / runs}%` })));
}

export function overview(panel, go) {
    const questions = new Map(rows(report.questions).map((row) => [row.scenario, row.question]));
    const scenarios = new Map();
    for (const row of rows(report.outcomes)) {
        const found = scenarios.get(row.scenario) ??
            { scenario: row.scenario, runs: 0, events: 0, hours: 0, distinct: 0, verdicts: new Map() };
        found.runs += row.runs;
        found.events += row.events;
        found.hours += row.simulated_hours;
        found.distinct += row.distinct_hashes;
        found.verdicts.set(row.verdict, (found.verdicts.get(row.verdict) ?? 0) + row.runs);
        scenarios.set(row.scenario, found);
    }
    const failed = (row) => row.runs - (row.verdicts.get("pass") ?? 0);

    panel.append(
        h("h2", null, "Overview"),
        table({
            caption: "What failed",
            note: report.groups.length > 0 ? "groups that look alike: law, guard, first bad evidence" : null,
            empty: "Nothing: every run passed.",
            rows: report.groups.slice(0, 10),
            columns: [
                { title: "group", wide: true, cell: (group) => h("a", { href: `#failures/${group.runs[0].run}` }, groupTitle(group)) },
                { title: "verdict", cell: (group) => state(group.verdict) },
                { title: "runs", number: true, cell: (group) => count(group.count) },
                { title: "fewest events", number: true, cell: (group) => count(group.runs[0].events) },
            ],
        }),
        report.groups.length > 10 ? h("p", null, h("a", { href: "#failures" }, `All ${report.groups.length} groups`)) : "",
        table({
            caption: "Scenarios",
            rows: [...scenarios.values()],
            columns: [
                { title: "scenario", sort: (row) => row.scenario, wide: true,
                    cell: (row) => [h("code", null, row.scenario || "a plan"), h("span", { class: "note" }, questions.get(row.scenario) ?? "")] },
                { title: "runs", number: true, sort: (row) => row.runs, cell: (row) => count(row.runs) },
                { title: "verdicts", cell: (row) => [bar(row.verdicts, row.runs),
                    [...row.verdicts].map(([verdict, number]) => state(verdict, `${count(number)} ${verdict}`))] },
                { title: "not passed", number: true, sort: failed, cell: (row) => count(failed(row)) },
                { title: "distinct hashes", number: true, sort: (row) => row.distinct, cell: (row) => count(row.distinct) },
                { title: "events", number: true, sort: (row) => row.events, cell: (row) => count(row.events) },
                { title: "hours simulated", number: true, sort: (row) => row.hours, cell: (row) => count(row.hours) },
            ],
        }),
        table({
            caption: "Builds",
            rows: rows(report.builds),
            columns: [
                { title: "commit", cell: (row) => h("code", null, row.commit_id) },
                { title: "compiler", cell: (row) => row.compiler },
                { title: "type", cell: (row) => row.type },
                { title: "program", cell: (row) => h("code", null, row.program.slice(0, 12)) },
                { title: "runs", number: true, cell: (row) => count(row.runs) },
                { title: "first", cell: (row) => row.first.replace("T", " ") },
                { title: "last", cell: (row) => row.last.replace("T", " ") },
            ],
        }),
        table({
            caption: "How their processes ended",
            rows: rows(report.endings),
            columns: [
                { title: "ending", cell: (row) => row.ending },
                { title: "runs", number: true, cell: (row) => count(row.runs) },
                { title: "memory at the most", number: true, cell: (row) => (row.memory_bytes > 0 ? bytes(row.memory_bytes) : "not known") },
            ],
        }),
        table({
            caption: "Slowest runs",
            rows: rows(report.slowest),
            columns: [
                { title: "run", number: true, cell: (row) => String(row.run) },
                { title: "scenario", cell: (row) => h("code", null, row.scenario) },
                { title: "seed", number: true, cell: (row) => String(row.seed) },
                { title: "verdict", cell: (row) => state(row.verdict) },
                { title: "events", number: true, cell: (row) => count(row.events) },
                { title: "wall, s", number: true, cell: (row) => real(row.wall_s) },
                { title: "events/s", number: true, cell: (row) => count(row.events_per_s) },
            ],
        }),
    );
}
