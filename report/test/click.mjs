// Goal: the report opens from a file alone in a real browser, and a person with a mouse, a keyboard or a
// screen reader gets through all of it; one run of 10^5 events stays usable. Method: headless Chromium
// clicks through reports of the real command; its console must stay empty, and nothing may be asked of
// a network. axe-core looks for what keeps people out, light and dark.
//   node click.mjs BROWNOUT [FOLDER for screenshots]
// Exit code 77: there is no Chromium; with CI=true that is a failure.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { dataOf, done, expect, expectEqual, folder, makeLarge, makeSmall, plant, report } from "./make.mjs";

const [brownout, pictures] = process.argv.slice(2);

function findChromium() {
    for (const name of [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"].filter(Boolean)) {
        try {
            return execFileSync("sh", ["-c", `command -v "${name}"`], { encoding: "utf8" }).trim();
        } catch {
            // the next one
        }
    }
    console.log("skipped: there is no chromium: install it, or name it in CHROMIUM");
    process.exit(process.env.CI === "true" ? 1 : 77);
}
const chromium = findChromium();
const { withPage } = await import("./browser.mjs");
const axe = readFileSync(createRequire(join(resolve(process.env.REPORT_MODULES), "x.js")).resolve("axe-core/axe.min.js"), "utf8");

const frames = (page) => page.evaluate(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next))));
const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
const live = (page) => text(page, "#live");
const ready = (page, run) => page.waitForSelector(`[data-ready="${run}"]`, { timeout: 60000 });

// Waits until what the page says of itself holds.
async function until(page, what, holds, ...words) {
    await page.waitForFunction(holds, { timeout: 60000 }, ...words).catch(() => {
        throw new Error(`it never came to this: ${what}`);
    });
    expect(true, what);
}

// How much of the canvas is not its background.
const ink = (page) => page.$eval("canvas", (canvas) => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 4; i < data.length; i += 4) {
        count += data[i] !== data[0] || data[i + 1] !== data[1] || data[i + 2] !== data[2] ? 1 : 0;
    }
    return count;
});

// rules: all of them, if there are none.
async function noBarriers(page, where, ...rules) {
    const found = await page.evaluate(async (rules) => {
        const { violations } = await window.axe.run(document, { resultTypes: ["violations"], ...(rules.length > 0 ? { runOnly: rules } : {}) });
        return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`);
    }, rules);
    expectEqual(found, [], `barriers in ${where}`);
}

async function openTab(page, id) {
    await page.click(`#tab-${id}`);
    await until(page, `tab ${id} is shown`, (id) => !document.getElementById(`panel-${id}`).hidden && document.getElementById(`tab-${id}`).ariaSelected === "true", id);
    expectEqual(await page.$$eval("main > section:not([hidden])", (panels) => panels.length), 1, "one panel is shown");
    await frames(page);
}

// Every tab, and what must be in it.
async function tabs(page, data) {
    await openTab(page, "overview");
    expectEqual(await text(page, ".sums dd"), "9", "runs in the head");
    expect((await text(page, "#panel-overview")).includes("telemetry.durable"), "the broken law leads");
    expect(/whole9[\d.]+ MB/.test(await page.$$eval("#panel-overview tbody tr", (rows) => rows.map((row) => row.textContent).join("|"))), "how processes ended");
    await openTab(page, "laws");
    expectEqual(await page.$$eval("#panel-laws tbody tr", (rows) => rows.length), data.laws.rows.length, "a row for each law");
    expect((await text(page, "#panel-laws tbody tr")).includes("broken in 2"), "broken laws stand first");
    await openTab(page, "coverage");
    expect((await page.$$(".matrix .heat")).length >= 20, "the matrix has cells");
    await until(page, "the growth is plotted", () => document.querySelectorAll("#panel-coverage .plot canvas").length === 2);
    await openTab(page, "distributions");
    await until(page, "a figure is plotted", () => document.querySelector("#panel-distributions .plot canvas") !== null);
    const before = await text(page, "#panel-distributions .quantiles");
    await page.select("#figure", "boots");
    await until(page, "another figure has other numbers", (before) => document.querySelector("#panel-distributions .quantiles").textContent !== before, before);
    await page.select("#figure", "recovery_us");
    await until(page, "recoveries are told as times", () => / (ms|s|min)/.test(document.querySelector("#panel-distributions .quantiles").textContent));
    await page.select("#figure", "memory_bytes");
    await until(page, "memory is told as such", () => / [kMG]B/.test(document.querySelector("#panel-distributions .quantiles").textContent));
    // A head that sorts.
    await openTab(page, "laws");
    const sort = await page.$("#panel-laws th:nth-child(3) .sort");
    await sort.click();
    expectEqual(await page.$eval("#panel-laws th:nth-child(3)", (head) => head.ariaSort), "descending", "sorted by exercised");
    const counts = await page.$$eval("#panel-laws tbody td:nth-child(3)", (cells) => cells.map((cell) => Number(cell.textContent.replace(/\D/g, ""))));
    expectEqual(counts, [...counts].sort((a, b) => b - a), "order by exercised");
}

async function keyboard(page) {
    await page.goto(page.url().replace(/#.*/, "#overview"));
    await page.focus("#tab-overview");
    await page.keyboard.press("ArrowRight");
    await until(page, "an arrow goes to the next tab", () => document.activeElement.id === "tab-failures");
    await page.keyboard.press("End");
    await until(page, "End goes to the last", () => document.activeElement.id === "tab-distributions");
    const outline = await page.$eval("#tab-distributions", (tab) => getComputedStyle(tab).outlineStyle);
    expectEqual(outline, "solid", "the focus is seen");
}

// The diagram of a run that broke a law.
async function failure(page, run, law) {
    await page.evaluate((run) => { location.hash = `failures/${run}`; }, run);
    await ready(page, run);
    await frames(page);
    expect((await text(page, ".detail h3")).includes(law), "the law is in the head");
    expect((await text(page, ".detail")).includes("brownout replay"), "the replay line");
    expect((await ink(page)) > 2000, "the diagram is drawn");
    const near = await text(page, ".status");
    await page.click(".toolbar button:nth-of-type(3)");
    await frames(page);
    const whole = await text(page, ".status");
    expect(near !== whole, `the whole run is another window: ${whole}`);
    const wide = await ink(page);

    // Zoom by button, by key and by wheel.
    await page.focus("canvas");
    await page.keyboard.press("v");
    await until(page, "V tells where the law breaks", (law) => document.getElementById("live").textContent.includes(`Here ${law} breaks`), law);
    for (const act of [() => page.keyboard.press("+"), () => page.click(".toolbar button:nth-of-type(1)")]) {
        const before = await text(page, ".status");
        await act();
        await frames(page);
        expect((await text(page, ".status")) !== before, "zoomed");
    }
    expect((await ink(page)) !== wide, "another picture");
    await page.focus("canvas");
    await page.keyboard.press("f");
    await frames(page);
    expectEqual(await text(page, ".status"), whole, "F shows the whole again");

    // The cursor, by key and by mouse: told, in the list, and with what the node sees of itself.
    await page.keyboard.press("Home");
    const first = await live(page);
    await page.keyboard.press("ArrowRight");
    expect((await live(page)) !== first, "an arrow goes to the next item");
    expectEqual(await page.$$eval(".row[aria-selected=true]", (rows) => rows.length), 1, "the list follows");
    const box = await (await page.$("canvas")).boundingBox();
    await page.mouse.click(box.x + box.width * 0.6, box.y + 120);
    const second = await live(page);
    expect(/^event \d+, \+\d\d:\d\d:\d\d\.\d{6}, \w+: /.test(second), `the cursor is told: ${second}`);
    expect((await text(page, ".state-tables caption")).includes("behind event"), "state at the cursor");

    // Filters and search.
    const found = () => text(page, ".toolbar .note");
    const all = await found();
    const operations = await page.evaluateHandle(() => [...document.querySelectorAll(".chip")].find((chip) => chip.textContent === "operations"));
    await operations.click();
    await frames(page);
    expect((await found()) !== all, "operations are more items");
    await operations.click();
    expectEqual(await found(), all, "and fewer again");
    await page.type("#search", "sign dev3");
    await until(page, "the search finds nothing else", () => {
        const rows = [...document.querySelectorAll(".row .what")];
        return rows.length > 0 && rows.every((row) => row.textContent.startsWith("SIGN dev3"));
    });
    expect((await found()) !== all, "they are fewer");
    await page.keyboard.press("Enter");
    expect((await live(page)).includes("SIGN dev3"), "Enter goes to what was found");
    await page.click("#search", { clickCount: 3 });
    await page.keyboard.press("Backspace");
    await until(page, "an empty search shows all", (all) => document.querySelector(".toolbar .note").textContent === all, all);
    await page.click(".detail details summary");
    expect((await text(page, ".detail details pre")).startsWith("brownout plan 1"), "the plan");
    await until(page, "deliveries are plotted", () => document.querySelector(".detail .plots canvas") !== null);
}

// The small scenario of a run that was shrunk: shown, and copied by its button.
async function shrunk(page, data) {
    const { run, shrunk } = data.groups.flatMap((group) => group.runs).find((failure) => failure.shrunk);
    await page.evaluate((run) => { location.hash = `failures/${run}`; }, run);
    await ready(page, run);
    expect((await text(page, ".facts")).includes("came to its end, memory not known"), "its process: no sweep looked at its memory");
    expectEqual(await text(page, ".shrunk pre"), shrunk.text, "the shrunk scenario");
    expect((await text(page, ".shrunk h4")).includes(`became ${shrunk.faults}`), "how small it is");
    await page.click(".shrunk button");
    await until(page, "it says that it is copied", () => ["copied", "selected"].includes(document.querySelector(".shrunk .said").textContent));
    const taken = await page.evaluate(() => getSelection().toString());
    expect((await text(page, ".shrunk .said")) === "copied" || taken.trim() === shrunk.text.trim(), "the whole of it is taken");
}

async function large(page, run) {
    await page.evaluate((run) => { location.hash = `failures/${run}`; }, run);
    const start = Date.now();
    await ready(page, run);
    const opened = Date.now() - start;
    await page.focus("canvas");
    const drawing = Date.now();
    await page.keyboard.press("f");
    await frames(page);
    const drawn = Date.now() - drawing;
    for (const name of ["deliveries", "operations", "events"]) {
        const chip = await page.evaluateHandle((name) => [...document.querySelectorAll(".chip")].find((chip) => chip.textContent === name), name);
        await chip.click();
    }
    await page.select("#lanes", "all");
    await frames(page);
    const [shown, all] = (await text(page, ".toolbar .note")).split(" of ").map((part) => Number(part.replace(/\D/g, "")));
    expect(shown === all && all > 300000, `all items are there: ${all}`);
    const elements = await page.$$eval("#panel-failures *", (list) => list.length);
    expect(elements < 1500, `few elements, however many items: ${elements}`);

    // The list from one end to the other, without a hole.
    const seen = [];
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
        await page.$eval(".list", (list, share) => { list.scrollTop = (list.scrollHeight - list.clientHeight) * share; }, share);
        await frames(page);
        const places = await page.$$eval(".row", (rows) => rows.map((row) => Number(row.ariaPosInSet)));
        expect(places.length > 10 && places.every((place, i) => i === 0 || place === places[i - 1] + 1), "rows stand in their order");
        seen.push(places[0], places.at(-1));
    }
    expectEqual([seen[0], seen.at(-1)], [1, all], "first and last item");
    expect(seen.every((place, i) => i === 0 || place >= seen[i - 1]), "scrolled onward");
    await page.focus(".list");
    await page.keyboard.press("End");
    expect((await live(page)).startsWith("event "), "the last item is told");
    await page.$eval(".scroller", (scroller) => { scroller.scrollTop = scroller.scrollHeight; });
    await frames(page);
    expect((await ink(page)) > 2000, "the lower lanes are drawn");
    console.log(`${all} items: opened in ${opened} ms, the whole run drawn in ${drawn} ms`);
}

const place = folder();
try {
    const planted = plant(brownout, place);
    const database = makeSmall(brownout, planted, place);
    const file = report(planted, database, join(place, "small.html"));
    const data = JSON.parse(dataOf(file).get("report-data"));
    // The larger one of those that broke a law.
    const broken = data.groups.filter((group) => group.law).sort((a, b) => b.runs[0].events - a.runs[0].events)[0];

    // Dark, the same elements have other colours; so only these are looked at again.
    for (const dark of [false, true]) {
        const rules = dark ? ["color-contrast", "link-in-text-block"] : [];
        await withPage(chromium, { dark, height: 1180 }, async (page) => {
            await page.goto(`file://${file}`);
            await page.addScriptTag({ content: axe });
            if (!dark) {
                await tabs(page, data);
                await failure(page, broken.runs[0].run, broken.law);
            }
            await shrunk(page, data);
            expect((await ink(page)) > 2000, "the diagram is drawn");
            await noBarriers(page, `a shrunk failure, ${dark ? "dark" : "light"}`, ...rules);
            for (const id of ["overview", "failures", "laws", "coverage", "distributions"]) {
                await openTab(page, id);
                if (id === "failures") {
                    await ready(page, data.groups[0].runs[0].run);
                }
                await noBarriers(page, `${id}, ${dark ? "dark" : "light"}`, ...rules);
            }
            if (dark) {
                return;
            }
            await keyboard(page);
            // Another run, and one that broke no law.
            const missed = data.groups.find((group) => group.message?.startsWith("expectation on accepted")).runs[0].run;
            await page.evaluate((run) => { location.hash = `failures/${run}`; }, missed);
            await ready(page, missed);
            expect((await text(page, ".facts")).includes("expectation on accepted does not hold"), "why it did not pass");
        });
    }
    // Without diagrams, and where nothing failed.
    await withPage(chromium, {}, async (page) => {
        await page.goto(`file://${report(brownout, database, join(place, "none.html"), "--failures", "0")}#failures`);
        await until(page, "a run without a diagram says so", () => document.querySelector(".warning")?.textContent.includes("--failures"));
    });
    const big = makeLarge(brownout, place);
    await withPage(chromium, { height: 1180 }, async (page) => {
        await page.goto(`file://${report(brownout, big, join(place, "large.html"))}`);
        await large(page, 1);
    });
    if (pictures) {
        for (const dark of [false, true]) {
            await withPage(chromium, { dark, height: 1640 }, async (page) => {
                await page.goto(`file://${file}#failures/${broken.runs[0].run}`);
                await ready(page, broken.runs[0].run);
                await frames(page);
                await page.screenshot({ path: join(pictures, dark ? "report-dark.png" : "report.png") });
            });
        }
    }
    done("report.click");
} finally {
    rmSync(place, { recursive: true, force: true });
}
