// Goal: what the page is given is what happened: every item that a trace of the run has, in its order,
// with all digits; every node's state as `replay --until` shows it; bytes that arrive were sent.
// Method: the page's own modules read the file here, without a browser, beside the database.
//   node data.mjs BROWNOUT
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ask, call, dataOf, done, expect, expectEqual, folder, makeSmall, plant, report } from "./make.mjs";

const [brownout] = process.argv.slice(2);
const place = folder();

// ---- every item -----------------------------------------------------------------------------------

function lineOf(run, i) {
    const { items } = run;
    return [items.event[i], items.time[i], run.nodes[items.node[i]] || "-", items.a[i], items.b[i], run.exact("result", i), run.exact("counter", i), run.exact("value", i)].join(" ");
}

function checkItems(run, database, KIND) {
    call(brownout, "replay", String(run.failure.run), "--db", database, "--trace");
    const rows = ask(database, "SELECT event, time_us, node, kind, a, b, cast(result AS text) AS result, cast(counter AS text) AS counter, " +
        `cast(value AS text) AS value FROM event WHERE run = ${run.failure.run} ORDER BY ordinal`);
    const kinds = ["event", "operation", "evidence", "effect", "truth"];
    let at = 0;
    for (let i = 0; i < run.items.count; i++) {
        if (run.items.kind[i] === KIND.DELIVERY) {
            continue;
        }
        const row = rows[at++];
        const line = [row.event, row.time_us, row.node, row.a, row.b, row.result, row.counter, row.value].join(" ");
        expect(kinds[run.items.kind[i]] === row.kind && lineOf(run, i) === line, `item ${i}: ${lineOf(run, i)} is ${row.kind} ${line}`);
    }
    expectEqual(at, rows.length, "items of the trace");
}

// ---- messages -------------------------------------------------------------------------------------

function checkMessages(run, KIND) {
    const { items, messages } = run;
    let handed = 0;
    for (let i = 0; i < items.count; i++) {
        handed += items.kind[i] === KIND.DELIVERY ? items.b[i] : 0;
    }
    const taken = messages.reduce((sum, message) => sum + message.bytes - message.left, 0);
    expectEqual(taken, handed, "every byte that was handed to a node was sent");
    expectEqual(run.unknown, 0, "every link's opening is known");
    const last = new Map();
    for (const message of messages.filter((message) => message.arrive >= 0)) {
        expect(items.node[message.send] === message.from && items.node[message.arrive] === message.to && message.from !== message.to, "an arrow has its two ends");
        expect(items.time[message.arrive] > items.time[message.send], "what arrives was sent before");
        const key = `${message.link}/${message.from}`;
        expect((last.get(key) ?? -1) <= message.arrive, "a stream keeps its order");
        last.set(key, message.arrive);
    }
    expect(messages.filter((message) => message.arrive >= 0).length > 20, "messages arrive");
}

// ---- state ----------------------------------------------------------------------------------------

function checkViews(run, database) {
    const { items } = run;
    let compared = 0;
    for (const share of [0.1, 0.35, 0.6, 0.85]) {
        const item = run.eventOf(Math.floor(items.count * share))[0];
        const said = call(brownout, "replay", String(run.failure.run), "--db", database, "--until", String(items.event[item]));
        const lines = said.slice(said.indexOf("nodes before event")).split("\n").slice(1);
        for (const [node, name] of run.nodes.entries()) {
            const line = lines.find((line) => line.trim().startsWith(`${name} `));
            if (!name || !line) {
                continue;
            }
            const view = run.view(node, item);
            const values = [...line.matchAll(/(\w+)=(\d+)/g)].map(([, key, value]) => `${key}=${value}`);
            const own = view === null ? [] : [...view].map(([key, value]) => `${key}=${value}`);
            expectEqual(own.sort(), values.sort(), `${name} before event ${items.event[item]}`);
            compared += values.length;
        }
    }
    expect(compared > 100, "states are compared");
}

// ---- the whole ------------------------------------------------------------------------------------

try {
    const planted = plant(brownout, place);
    const database = makeSmall(brownout, planted, place);
    const texts = dataOf(report(brownout, database, join(place, "own.html")));
    globalThis.document = { getElementById: (id) => ({ textContent: texts.get(id) }) };
    const { report: data, rows, runData, unpack } = await import("../src/data.js");
    const { KIND, Run } = await import("../src/model.js");
    const load = (failure) => Run.load(failure, runData(failure.run));

    // The whole.
    expectEqual(rows(data.outcomes).reduce((sum, row) => sum + row.runs, 0), 9, "runs");
    expectEqual([data.failures, data.failures_left_out, data.groups.length], [4, 0, 4], "failures");
    expectEqual(rows(data.laws).find((row) => row.law === "telemetry.durable").broken, 2, "broken law");
    expect(data.transitions.some((cell) => cell.fault === null) && data.transitions_unknown === 0, "transitions without a fault");
    const states = data.transitions.reduce((sum, cell) => sum + cell.states, 0);
    expectEqual(states, ask(database, "SELECT count(*) AS n FROM coverage WHERE kind = 'transition'")[0].n, "transitions");
    expectEqual(data.transitions.length > 20, true, "cells of actions and faults");
    const runs = await unpack(data.runs);
    for (const figure of data.figure_names) {
        const wanted = ask(database, `SELECT run, value FROM run_figure WHERE figure = '${figure}' ORDER BY run`);
        // 0: a run that cannot tell it, and has no row.
        expectEqual([...runs[figure].numbers].filter((number) => number > 0).map((number) => number - 1), wanted.map((row) => row.value), figure);
    }
    expectEqual([...runs.memory_bytes.numbers], ask(database, "SELECT memory_bytes AS n FROM run ORDER BY id").map((row) => row.n), "memory");
    expectEqual(rows(data.endings).map((row) => [row.ending, row.runs]), [["whole", 9]], "endings");
    expect(data.figure_names.includes("recovery_us") && data.figures_said.recovery_us.unit === "us", "recoveries are a figure");
    const small = data.groups.flatMap((group) => group.runs).filter((failure) => failure.shrunk);
    expectEqual(small.map((failure) => failure.run), [9], "the run that was shrunk");
    expectEqual(small[0].shrunk.text, readFileSync(join(place, "shrunk.lua"), "utf8"), "its scenario, as it stands in the file");
    expect(small[0].shrunk.faults < small[0].shrunk.faults_before, "it is smaller");
    expectEqual([...runs.run.numbers], [1, 2, 3, 4, 5, 6, 7, 8, 9], "run ids");

    // One of this program: lived again, whole.
    const missed = data.groups.find((group) => group.message?.startsWith("expectation on accepted"));
    const lived = await load({ ...missed.runs[0], law: null });
    expectEqual(lived.data.source, "lived", "source of this program's run");
    checkItems(lived, database, KIND);
    checkMessages(lived, KIND);
    checkViews(lived, database);
    const bands = new Set(lived.bands.map((band) => `${band.family} ${band.nodes.map((node) => lived.nodes[node])}`));
    for (const band of ["power gw1", "power dev3", "link dev2,gw2"]) {
        expect(bands.has(band), `band ${band} in ${[...bands]}`);
    }
    expect(lived.marks.some((mark) => mark.family === "clock"), "the clock's step is a mark");
    expect(lived.measured.delivery.length > 20 && lived.measured.recovery.length >= 2, "deliveries and recoveries");

    const judged = data.groups.find((group) => group.message === "expectation 'never' does not hold");
    expectEqual(JSON.parse(texts.get(`run-${judged.runs[0].run}`)).source, "lived", "source of a run that a function judged");

    // Those of the planted program: another history here, so that the stored items are shown...
    const broken = data.groups.find((group) => group.law);
    const stored = await load({ ...broken.runs[0], law: broken.law });
    expectEqual(stored.data.source, "stored", "source of another program's run");
    const rowsStored = ask(database, `SELECT text FROM event WHERE run = ${stored.failure.run} ORDER BY ordinal`);
    expectEqual(stored.items.count, rowsStored.length, "stored items");
    rowsStored.forEach(({ text }, i) => expect(text.includes(stored.name(i)), `${text} is ${stored.name(i)}`));
    expectEqual(stored.nodes[stored.items.node[stored.violationItem]], stored.failure.node, "where the law broke");

    // ... and whole by the planted one.
    const own = dataOf(report(planted, database, join(place, "planted.html")));
    const again = JSON.parse(own.get(`run-${stored.failure.run}`));
    expectEqual(again.source, "lived", "source by the program that lived it");
    expect(again.items >= rowsStored.length, "all of its items");
    done("report.data");
} finally {
    rmSync(place, { recursive: true, force: true });
}
