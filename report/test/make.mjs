// What the tests of the report look at: databases with runs that pass, that miss an expectation, that
// break a law by a planted bug, and one that is large. Made by the real command, in a folder of its own.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const small = `-- Do arrows, bands and marks show what befell a small fleet?
return {
    fleet = { devices = 4, gateways = 2 },
    duration = "8m",
    heal = "5m",
    device = { sample_every = "30s" },
    run = function(w)
        w:sleep("1m")
        w:power_cut("gw1", "40s")
        w:partition("dev2", "60s", { other = "gw2" })
        w:wall_step("dev1", "1h")
        w:sleep("2m")
        w:crash("dev3", "20s")
    end,
    expect = { { "accepted", ">=", 1000000 } },
}
`;
// What a Lua function judges is lived again with Lua.
const judged = `-- Is a run looked at whose verdict is a function's?
return {
    fleet = { devices = 2, gateways = 1 },
    duration = "2m",
    heal = "1m",
    expect = { never = function() return false end },
}
`;
const large = `-- Is a run of more than a hundred thousand events still looked at with ease?
return {
    fleet = { devices = 40, gateways = 3 },
    duration = "3h",
    heal = "10m",
    device = { sample_every = "30s" },
    faults = { power_cut = "30m", partition = "30m" },
    expect = { { "accepted", ">=", 1000000000 } },
}
`;

// Exit code 1 says that a law broke, which is what is wanted here.
export function call(program, ...words) {
    try {
        return execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 28 });
    } catch (error) {
        if (error.status === 1) {
            return error.stdout;
        }
        throw new Error(`${program} ${words.join(" ")}: exit ${error.status}\n${error.stderr}`);
    }
}

export function ask(database, sql) {
    const said = execFileSync("sqlite3", ["-json", database, sql], { encoding: "utf8", maxBuffer: 1 << 28 });
    return said.trim() === "" ? [] : JSON.parse(said);
}

export function folder() {
    return mkdtempSync(join(tmpdir(), "brownout-report-"));
}

// The program with a planted bug: the cloud acks before its commit is durable.
export function plant(brownout, place) {
    const own = join(place, "planted");
    mkdirSync(own);
    const said = execFileSync(brownout, ["mutants", "ack_before_commit", "--keep"],
        { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TMPDIR: own } });
    return said.match(/^ +(\S+\/brownout) run /m)[1];
}

// Five runs that pass, two that miss an expectation, and two in which the planted program breaks a law.
export function makeSmall(brownout, planted, place) {
    const database = join(place, "small.db");
    writeFileSync(join(place, "small.lua"), small);
    call(brownout, "sweep", "scenarios/small_numbers.lua", "--runs", "2", "--crypto", "ideal", "--db", database);
    call(brownout, "sweep", "scenarios/awaited_ack.lua", "--runs", "3", "--crypto", "ideal", "--db", database);
    call(brownout, "run", join(place, "small.lua"), "--seed", "3", "--crypto", "ideal", "--db", database);
    writeFileSync(join(place, "judged.lua"), judged);
    call(brownout, "run", join(place, "judged.lua"), "--seed", "1", "--crypto", "ideal", "--db", database);
    for (const seed of ["13", "6"]) { // runs 8 and 9
        call(planted, "run", "scenarios/crucible.lua", "--seed", seed, "--crypto", "ideal", "--set", "run.laws=-spec.telemetry,-spec.session",
            "--set", "faults.power_cut.on=cloud", "--set", "faults.power_cut.every=1m", "--db", database);
    }
    // One of them shrunk, and so is the one that misses an expectation.
    call(planted, "shrink", "9", "--db", database, "-o", join(place, "shrunk.lua"), "--jobs", "2");
    return database;
}

export function makeLarge(brownout, place) {
    const database = join(place, "large.db");
    writeFileSync(join(place, "large.lua"), large);
    call(brownout, "run", join(place, "large.lua"), "--seed", "1", "--crypto", "ideal", "--db", database);
    return database;
}

export function report(program, database, file, ...more) {
    call(program, "report", "--db", database, "-o", file, ...more);
    return file;
}

// The JSON texts of a page, by the id of their element.
export function dataOf(file) {
    const found = new Map();
    for (const [, id, text] of readFileSync(file, "utf8").matchAll(/<script type="application\/json" id="([\w-]+)">(.*?)<\/script>/gs)) {
        found.set(id, text);
    }
    return found;
}

let checks = 0;
export function expect(holds, what) {
    checks++;
    if (!holds) {
        throw new Error(`does not hold: ${what}`);
    }
}
export function expectEqual(actual, wanted, what) {
    expect(JSON.stringify(actual) === JSON.stringify(wanted), `${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(wanted)}`);
}
export function done(name) {
    console.log(`${name}: ${checks} checks`);
}
