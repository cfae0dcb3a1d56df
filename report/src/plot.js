// Plots of uPlot in the page's own colours, each with its numbers in words beside it.
import uPlot from "uplot";
import { h } from "./dom.js";
import { quantile, wholes } from "./number.js";

const alive = new Set();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const plot of alive) {
        plot.again();
    }
});

function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// data: [[x...], [y...], ...]; series: [{ label, colour, bars }]
export function plot({ label, x, y, data, series, height = 220, xText = String, yText = String, range = null }) {
    const frame = h("div", { class: "plot", role: "img", "aria-label": label });
    let drawn = null;

    function draw() {
        drawn?.destroy();
        drawn = null;
        const width = Math.floor(frame.clientWidth);
        if (width < 50) {
            return; // not shown yet: the observer comes back
        }
        const axis = (title, text, size) => ({
            label: title,
            labelSize: 18,
            labelFont: `12px ${colour("--sans")}`,
            font: `11px ${colour("--sans")}`,
            stroke: colour("--dim"),
            size,
            grid: { stroke: colour("--line"), width: 1 },
            ticks: { stroke: colour("--line"), width: 1, size: 4 },
            values: (_, splits) => splits.map((split) => (split === null ? "" : text(split))),
        });
        drawn = new uPlot({
            width,
            height,
            cursor: { y: false, points: { size: 6 } },
            legend: { show: false },
            scales: { x: { time: false, ...(range ? { range: () => range } : {}) }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.05 : 1] } },
            axes: [axis(x, xText, 40), axis(y, yText, 62)],
            series: [
                {},
                ...series.map((one) => ({
                    label: one.label,
                    stroke: colour(one.colour),
                    fill: one.bars ? `${colour(one.colour)}55` : undefined,
                    width: 1.5,
                    points: { show: false },
                    dash: one.dash,
                    paths: one.bars ? uPlot.paths.bars({ size: [0.94, 60] }) : one.steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
                })),
            ],
        }, data, frame);
    }
    const entry = { again: draw };
    alive.add(entry);
    let width = 0;
    new ResizeObserver(() => {
        if (Math.floor(frame.clientWidth) !== width) {
            width = Math.floor(frame.clientWidth);
            draw();
        }
    }).observe(frame);
    return frame;
}

// Numbers in bins of equal width; whole numbers in bins of whole width.
export function bins(sorted, most = 48) {
    const low = sorted[0];
    const high = sorted[sorted.length - 1];
    const isWhole = sorted.every(Number.isInteger);
    let width = (high - low) / Math.min(most, Math.max(8, Math.ceil(2 * Math.sqrt(sorted.length))));
    width = isWhole ? Math.max(1, Math.ceil(width)) : width || 1;
    const many = Math.floor((high - low) / width) + 1;
    const middles = Array.from({ length: many }, (_, i) => low + (isWhole && width === 1 ? i : (i + 0.5) * width));
    const counts = new Array(many).fill(0);
    for (const number of sorted) {
        counts[Math.min(many - 1, Math.floor((number - low) / width))]++;
    }
    const half = (isWhole && width === 1 ? 1 : width) / 2;
    return { middles, counts, range: [middles[0] - half, middles[many - 1] + half] };
}

// A distribution: bins, and its quantiles as a list.
export function distribution({ numbers, label, unit, text }) {
    const sorted = Float64Array.from(numbers).sort();
    if (sorted.length === 0) {
        return h("p", { class: "empty" }, `${label}: nothing to count.`);
    }
    const marks = [["least", 0], ["median", 0.5], ["90 %", 0.9], ["99 %", 0.99], ["most", 1]];
    const found = marks.map(([name, share]) => [name, share === 1 ? sorted[sorted.length - 1] : quantile(sorted, share)]);
    const { middles, counts, range } = bins([...sorted]);
    return h("figure", null,
        h("figcaption", null, label),
        plot({
            label: `${label}: ${found.map(([name, number]) => `${name} ${text(number)}`).join(", ")}`,
            x: unit,
            y: "count",
            xText: text,
            yText: wholes,
            range,
            data: [middles, counts],
            series: [{ label: "count", colour: "--blue", bars: true }],
            height: 200,
        }),
        h("dl", { class: "quantiles" },
            h("div", null, h("dt", null, "number"), h("dd", null, String(sorted.length))),
            found.map(([name, number]) => h("div", null, h("dt", null, name), h("dd", null, text(number))))));
}
