// The page: a head, tabs, and one panel at a time, drawn when it is first shown.
import { report, rows } from "./data.js";
import { h, state } from "./dom.js";
import { count } from "./number.js";
import { overview } from "./overview.js";
import { failures } from "./failures.js";
import { laws } from "./laws.js";
import { coverage } from "./coverage.js";
import { distributions } from "./distributions.js";

const tabs = [
    { id: "overview", title: "Overview", draw: overview },
    { id: "failures", title: "Failures", draw: failures, count: report.failures },
    { id: "laws", title: "Laws", draw: laws },
    { id: "coverage", title: "Coverage", draw: coverage },
    { id: "distributions", title: "Distributions", draw: distributions },
];

function head() {
    const verdicts = new Map();
    let events = 0;
    let hours = 0;
    for (const row of rows(report.outcomes)) {
        verdicts.set(row.verdict, (verdicts.get(row.verdict) ?? 0) + row.runs);
        events += row.events;
        hours += row.simulated_hours;
    }
    const runs = [...verdicts.values()].reduce((sum, number) => sum + number, 0);
    const builds = rows(report.builds);
    document.title = `brownout report: ${report.db}`;
    document.getElementById("head").append(
        h("div", { class: "title" },
            h("h1", null, "brownout report"),
            h("p", null, h("code", null, report.db), ` · made ${report.made_at.replace("T", " ").replace("Z", " UTC")} by `,
                h("code", null, report.made_by),
                builds.length > 1 ? ` · runs of ${builds.length} builds` : null)),
        h("dl", { class: "sums" },
            h("div", null, h("dt", null, "runs"), h("dd", null, count(runs))),
            [...verdicts].sort(([a], [b]) => (b === "pass") - (a === "pass") || a.localeCompare(b)).map(([verdict, number]) =>
                h("div", { class: verdict }, h("dt", null, state(verdict)), h("dd", null, count(number)))),
            h("div", null, h("dt", null, "failure groups"), h("dd", null, count(report.groups.length))),
            h("div", null, h("dt", null, "events"), h("dd", null, count(events))),
            h("div", null, h("dt", null, "hours simulated"), h("dd", null, count(hours)))),
    );
    document.getElementById("foot").append(
        h("p", null, "One file, no network. The same runs: ", h("code", null, `sqlite3 ${report.db} .schema`),
            " names the tables and views."));
}

function build() {
    const main = document.getElementById("main");
    const list = h("div", { class: "tabs", role: "tablist", "aria-label": "Parts of the report" });
    document.getElementById("tabs").append(list);

    for (const tab of tabs) {
        tab.button = h("button", {
            type: "button", role: "tab", id: `tab-${tab.id}`, "aria-controls": `panel-${tab.id}`,
            onclick: () => go(tab.id),
        }, tab.title, tab.count ? h("span", { class: "badge" }, count(tab.count)) : null);
        tab.panel = h("section", {
            role: "tabpanel", id: `panel-${tab.id}`, "aria-labelledby": `tab-${tab.id}`, hidden: true,
        });
        list.append(tab.button);
        main.append(tab.panel);
    }
    list.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        const at = tabs.findIndex((tab) => tab.button === document.activeElement);
        const next = event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1
            : step ? (at + step + tabs.length) % tabs.length : -1;
        if (at >= 0 && next >= 0) {
            event.preventDefault();
            go(tabs[next].id);
            tabs[next].button.focus();
        }
    });
}

function go(path) {
    if (location.hash === `#${path}`) {
        show();
    } else {
        location.hash = path;
    }
}

function show() {
    const [id, ...rest] = location.hash.slice(1).split("/");
    const tab = tabs.find((tab) => tab.id === id) ?? tabs[0];
    for (const other of tabs) {
        other.panel.hidden = other !== tab;
        other.button.setAttribute("aria-selected", String(other === tab));
        other.button.tabIndex = other === tab ? 0 : -1;
    }
    if (!tab.drawn) {
        tab.drawn = tab.draw(tab.panel, go) ?? {};
    }
    tab.drawn.show?.(rest);
}

head();
build();
addEventListener("hashchange", show);
show();
