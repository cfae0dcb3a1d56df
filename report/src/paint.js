// Draws the space-time diagram on its canvas. What is outside of the window is not looked at, and of
// what falls on the same pixel only the first is drawn: a million items are as quick as a thousand.
import { instant, span } from "./number.js";
import { KIND, lowerBound } from "./model.js";

export const LANE = 30;
export const HEAD = 46;
export const LABELS = 74;
const STAMP = 28; // pixels: what the largest mark needs

const patterns = {
    power: (context, size) => { for (let x = -size; x < size; x += 4) { context.moveTo(x, size); context.lineTo(x + size, 0); } },
    clock: (context, size) => { for (let x = 2; x < size; x += 6) { for (let y = 2; y < size; y += 6) { context.rect(x, y, 1, 1); } } },
    link: (context, size) => { for (let y = 2; y < size; y += 4) { context.moveTo(0, y); context.lineTo(size, y); } },
    media: (context, size) => { for (let x = 1.5; x < size; x += 4) { context.moveTo(x, 0); context.lineTo(x, size); } },
    attack: (context, size) => { for (let x = -size; x < size; x += 6) { context.moveTo(x, size); context.lineTo(x + size, 0); context.moveTo(x + size, size); context.lineTo(x, 0); } },
};
export const bandColours = { power: "--bad", clock: "--violet", link: "--blue", media: "--orange", attack: "--pink" };
// Power takes the whole lane; the others lie in it.
const bandHeights = { power: 24, clock: 18, link: 12, media: 16, attack: 8 };
const kindColours = { [KIND.EVENT]: "--faint", [KIND.OPERATION]: "--dim", [KIND.EVIDENCE]: "--green", [KIND.EFFECT]: "--bad", [KIND.TRUTH]: "--violet", [KIND.DELIVERY]: "--blue" };

// Expects of the diagram: run, state, canvas, scroller, status, size, laneOf, and the window from..to.
export class Painter {
    x(time) {
        return LABELS + ((time - this.from) / (this.to - this.from)) * (this.size.width - LABELS - 8);
    }

    time(x) {
        return this.from + ((x - LABELS) / (this.size.width - LABELS - 8)) * (this.to - this.from);
    }

    y(lane) {
        return HEAD + lane * LANE + LANE / 2 - this.scroller.scrollTop;
    }

    colours() {
        const style = getComputedStyle(document.documentElement);
        return new Proxy({}, { get: (_, name) => style.getPropertyValue(name).trim() });
    }

    paint() {
        const context = this.canvas.getContext("2d");
        const { width, height, ratio } = this.size;
        const colours = this.palette ?? (this.palette = Object.fromEntries(
            ["--paper", "--ink", "--dim", "--faint", "--line", "--bad", "--good", "--blue", "--green", "--orange", "--violet", "--pink", "--sans", "--mono", "--lane"]
                .map((name) => [name, this.colours()[name]])));
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.fillStyle = colours["--paper"];
        context.fillRect(0, 0, width, height);
        this.paintAxis(context, colours);
        context.save();
        context.beginPath();
        context.rect(0, HEAD, width, height - HEAD);
        context.clip();
        this.paintLanes(context, colours);
        context.save();
        context.beginPath();
        context.rect(LABELS, HEAD, width - LABELS, height - HEAD);
        context.clip();
        this.paintBands(context, colours);
        const arrows = this.state.messages ? this.paintMessages(context, colours) : null;
        const marks = this.paintItems(context, colours);
        context.restore();
        context.restore();
        this.paintViolation(context, colours);
        this.paintCursor(context, colours);
        this.status.textContent = `${span(Math.min(this.to - this.from, this.run.to - this.run.from))} of ${span(this.run.to - this.run.from)} in the window · ` +
            `${marks.seen.toLocaleString("en")} items` +
            (arrows ? ` · ${arrows.seen.toLocaleString("en")} messages` : "") +
            (marks.seen > marks.drawn || (arrows && arrows.seen > arrows.drawn) ? " · what falls on the same pixel is drawn once" : "");
    }

    paintAxis(context, colours) {
        const { width, height } = this.size;
        const step = niceStep((this.to - this.from) / Math.max(2, (width - LABELS) / 110));
        context.font = `11px ${colours["--sans"]}`;
        context.textBaseline = "middle";
        context.textAlign = "center";
        const clear = Math.max(0, this.run.from);
        for (let time = Math.ceil(Math.max(this.from, clear) / step) * step; time <= this.to; time += step) {
            const x = Math.round(this.x(time)) + 0.5;
            context.strokeStyle = colours["--line"];
            context.beginPath();
            context.moveTo(x, HEAD - 6);
            context.lineTo(x, height);
            context.stroke();
            context.fillStyle = colours["--dim"];
            const text = axisText(time, step);
            const half = context.measureText(text).width / 2;
            if (x - half > LABELS - 10 && x + half < width) {
                context.fillText(text, x, HEAD - 15);
            }
        }
    }

    lanesInView() {
        const top = this.scroller.scrollTop;
        const first = Math.max(0, Math.floor(top / LANE) - 1);
        const last = Math.min(this.state.lanes.length - 1, Math.ceil((top + this.size.height) / LANE));
        return [first, last];
    }

    paintLanes(context, colours) {
        const [first, last] = this.lanesInView();
        const node = this.state.cursor >= 0 ? this.run.items.node[this.state.cursor] : -1;
        context.textAlign = "right";
        context.textBaseline = "middle";
        for (let lane = first; lane <= last; lane++) {
            const y = Math.round(this.y(lane)) + 0.5;
            context.strokeStyle = colours["--lane"];
            context.beginPath();
            context.moveTo(LABELS, y);
            context.lineTo(this.size.width - 8, y);
            context.stroke();
            const here = this.state.lanes[lane];
            const name = this.run.nodes[here];
            context.font = `${here === node ? "600 " : ""}12px ${colours["--sans"]}`;
            context.fillStyle = name === this.run.failure.node ? colours["--bad"] : colours["--ink"];
            context.fillText(name, LABELS - 12, y);
        }
    }

    // A mark, drawn once: a stamp is put down far quicker than a shape is filled.
    stamp(kind, colour) {
        this.stamps ??= new Map();
        const key = `${kind}/${colour}/${this.size.ratio}`;
        let made = this.stamps.get(key);
        if (!made) {
            made = document.createElement("canvas");
            made.width = STAMP * this.size.ratio;
            made.height = STAMP * this.size.ratio;
            const paint = made.getContext("2d");
            paint.scale(this.size.ratio, this.size.ratio);
            paint.fillStyle = colour;
            paint.beginPath();
            mark(paint, kind, STAMP / 2, STAMP / 2);
            paint.fill();
            this.stamps.set(key, made);
        }
        return made;
    }

    pattern(context, family, colour) {
        this.patterns ??= new Map();
        const key = `${family}/${colour}`;
        let made = this.patterns.get(key);
        if (!made) {
            const size = 12;
            const tile = document.createElement("canvas");
            tile.width = size;
            tile.height = size;
            const paint = tile.getContext("2d");
            paint.strokeStyle = colour;
            paint.lineWidth = 1;
            paint.beginPath();
            patterns[family](paint, size);
            paint.stroke();
            made = context.createPattern(tile, "repeat");
            this.patterns.set(key, made);
        }
        return made;
    }

    paintBands(context, colours) {
        context.font = `10px ${colours["--sans"]}`;
        context.textAlign = "left";
        const labelled = new Map(); // lane: where its last label ends
        const labels = []; // over all bands
        for (const band of this.run.bands) {
            if (band.to < this.from || band.from > this.to) {
                continue;
            }
            const left = Math.max(this.x(band.from), LABELS - 2);
            const right = Math.min(this.x(band.to), this.size.width);
            const colour = colours[bandColours[band.family]];
            for (const node of band.nodes) {
                const lane = this.laneOf.get(node);
                if (lane === undefined) {
                    continue;
                }
                const y = this.y(lane);
                if (y < -LANE || y > this.size.height + LANE) {
                    continue;
                }
                const tall = bandHeights[band.family];
                const box = [left, y - tall / 2, Math.max(1.5, right - left), tall];
                context.globalAlpha = band.family === "power" ? 0.13 : 0.16;
                context.fillStyle = colour;
                context.fillRect(...box);
                context.globalAlpha = 0.5;
                context.fillStyle = this.pattern(context, band.family, colour);
                context.fillRect(...box);
                context.globalAlpha = 0.9;
                context.fillStyle = colour;
                context.fillRect(box[0], box[1], 1.5, box[3]);
                context.globalAlpha = 1;
                const label = context.measureText(band.name).width;
                const begin = box[0] + (band.from >= this.from ? 9 : 2); // beside the mark of what struck
                if (box[2] > label + 18 && begin > (labelled.get(lane) ?? -1)) {
                    labelled.set(lane, begin + label + 8);
                    labels.push([band.name, colour, begin, y - LANE / 2 + 2, label + 4]);
                }
            }
        }
        for (const [name, colour, x, y, wide] of labels) {
            context.globalAlpha = 0.85;
            context.fillStyle = colours["--paper"];
            context.fillRect(x, y, wide, 11);
            context.globalAlpha = 1;
            context.fillStyle = colour;
            context.fillText(name, x + 2, y + 6);
        }
    }

    paintMessages(context, colours) {
        const { items, messages } = this.run;
        const taken = new Set();
        const cursor = this.run.messageOf.get(this.state.cursor);
        let seen = 0;
        // Sorted by sending; one that is under way for long may begin far to the left.
        this.longest ??= messages.reduce((most, message) =>
            Math.max(most, message.arrive < 0 ? 0 : items.time[message.arrive] - items.time[message.send]), 0);
        let at = 0;
        let high = messages.length;
        const begin = this.from - this.longest - this.run.slack;
        while (at < high) {
            const middle = (at + high) >> 1;
            if (items.time[messages[middle].send] < begin) {
                at = middle + 1;
            } else {
                high = middle;
            }
        }
        const arrows = []; // to be drawn: distinct ones
        for (; at < messages.length; at++) {
            const message = messages[at];
            const sent = items.time[message.send];
            if (sent > this.to + this.run.slack) {
                break;
            }
            const arrived = message.arrive < 0 ? sent : items.time[message.arrive];
            const from = this.laneOf.get(message.from);
            const to = this.laneOf.get(message.to);
            if (arrived < this.from || sent > this.to || from === undefined || to === undefined) {
                continue;
            }
            seen++;
            const x0 = this.x(sent);
            const x1 = this.x(arrived);
            const key = `${Math.round(x0)}/${Math.round(x1)}/${from}/${to}`;
            if (taken.has(key)) {
                continue;
            }
            taken.add(key);
            arrows.push([message, x0, this.y(from), x1, this.y(to)]);
        }
        const drawn = arrows.length;
        context.strokeStyle = colours["--blue"];
        context.fillStyle = colours["--blue"];
        context.globalAlpha = Math.max(0.03, Math.min(0.75, 250 / drawn)); // where there are many, their density is seen
        context.lineWidth = 1;
        // One path of ten thousand lines takes far longer than a hundred of a hundred.
        for (let first = 0; first < drawn; first += 100) {
            const [lines, heads] = [new Path2D(), new Path2D()];
            for (let k = first; k < Math.min(first + 100, drawn); k++) {
                if (arrows[k][0].arrive >= 0) {
                    this.arrow(arrows[k], lines, heads, drawn < 6000);
                }
            }
            context.stroke(lines);
            context.fill(heads);
        }
        context.globalAlpha = Math.max(0.25, Math.min(0.9, 250 / drawn));
        context.strokeStyle = colours["--orange"];
        for (let first = 0; first < drawn; first += 100) {
            const lost = new Path2D();
            for (let k = first; k < Math.min(first + 100, drawn); k++) {
                if (arrows[k][0].arrive < 0) {
                    this.lostArrow(arrows[k], lost);
                }
            }
            context.stroke(lost);
        }
        context.globalAlpha = 1;
        if (cursor) {
            const from = this.laneOf.get(cursor.from);
            const to = this.laneOf.get(cursor.to);
            if (from !== undefined && to !== undefined) {
                const [line, head] = [new Path2D(), new Path2D()];
                const sent = items.time[cursor.send];
                const arrow = [cursor, this.x(sent), this.y(from), this.x(cursor.arrive < 0 ? sent : items.time[cursor.arrive]), this.y(to)];
                if (cursor.arrive < 0) {
                    this.lostArrow(arrow, line);
                } else {
                    this.arrow(arrow, line, head, true);
                }
                context.strokeStyle = colours["--ink"];
                context.fillStyle = colours["--ink"];
                context.lineWidth = 2;
                context.stroke(line);
                context.fill(head);
                context.lineWidth = 1;
            }
        }
        return { seen, drawn };
    }

    // It leaves, and is not seen again.
    lostArrow([, x0, y0, , y1], path) {
        const down = y1 > y0 ? 1 : -1;
        path.moveTo(x0, y0);
        path.lineTo(x0 + 5, y0 + down * LANE * 0.5);
        path.moveTo(x0 + 2, y0 + down * (LANE * 0.5 - 3));
        path.lineTo(x0 + 8, y0 + down * (LANE * 0.5 + 3));
        path.moveTo(x0 + 8, y0 + down * (LANE * 0.5 - 3));
        path.lineTo(x0 + 2, y0 + down * (LANE * 0.5 + 3));
    }

    arrow([, x0, y0, x1, y1], lines, heads, withHead) {
        const down = y1 > y0 ? 1 : -1;
        const tip = y1 - down * 4;
        const angle = Math.atan2(tip - y0, x1 - x0);
        lines.moveTo(x0, y0);
        lines.lineTo(x1, tip);
        if (!withHead) {
            return;
        }
        heads.moveTo(x1, tip);
        heads.lineTo(x1 - 6 * Math.cos(angle - 0.38), tip - 6 * Math.sin(angle - 0.38));
        heads.lineTo(x1 - 6 * Math.cos(angle + 0.38), tip - 6 * Math.sin(angle + 0.38));
        heads.closePath();
    }

    paintItems(context, colours) {
        const { items } = this.run;
        const { shown } = this.state;
        const width = Math.ceil(this.size.width);
        const [firstLane, lastLane] = this.lanesInView();
        const taken = new Uint8Array((lastLane - firstLane + 1) * 6 * width);
        const places = Array.from({ length: 6 }, () => []); // of each kind: x, y, x, y
        let seen = 0;
        let drawn = 0;
        const stop = this.run.at(this.to + 1);
        for (let k = lowerBound(shown, this.run.at(this.from - this.run.slack)); k < shown.length && shown[k] < stop; k++) {
            const i = shown[k];
            const time = items.time[i];
            const lane = this.laneOf.get(items.node[i]);
            if (lane === undefined || time < this.from || time > this.to) {
                continue;
            }
            seen++;
            if (lane < firstLane || lane > lastLane) {
                continue;
            }
            const kind = items.kind[i];
            const x = this.x(time);
            const cell = ((lane - firstLane) * 6 + kind) * width + Math.round(x);
            if (taken[cell]) {
                continue;
            }
            taken[cell] = 1;
            drawn++;
            places[kind].push(x, this.y(lane));
        }
        for (const kind of [KIND.EVENT, KIND.OPERATION, KIND.DELIVERY, KIND.EVIDENCE, KIND.TRUTH, KIND.EFFECT]) {
            const stamp = this.stamp(kind, colours[kindColours[kind]]);
            for (let k = 0; k < places[kind].length; k += 2) {
                context.drawImage(stamp, places[kind][k] - STAMP / 2, places[kind][k + 1] - STAMP / 2, STAMP, STAMP);
            }
        }
        return { seen, drawn };
    }

    paintViolation(context, colours) {
        const { failure, violationItem, items } = this.run;
        if (violationItem < 0) {
            return;
        }
        const x = this.x(items.time[violationItem]);
        if (x < LABELS - 1 || x > this.size.width) {
            return;
        }
        const lane = this.laneOf.get(items.node[violationItem]);
        context.strokeStyle = colours["--bad"];
        context.lineWidth = 2;
        context.beginPath();
        context.moveTo(x, 8);
        context.lineTo(x, this.size.height);
        context.stroke();
        context.font = `600 11px ${colours["--sans"]}`;
        const text = `✕ ${failure.law}`;
        const wide = context.measureText(text).width + 12;
        const left = Math.max(LABELS, Math.min(x - wide, this.size.width - wide));
        context.fillStyle = colours["--bad"];
        context.fillRect(left, 4, wide, 18);
        context.fillStyle = colours["--paper"];
        context.textAlign = "left";
        context.textBaseline = "middle";
        context.fillText(text, left + 6, 13.5);
        if (lane !== undefined && this.y(lane) > HEAD) {
            const y = this.y(lane);
            context.beginPath();
            context.arc(x, y, 9, 0, 2 * Math.PI);
            context.moveTo(x - 5, y - 5);
            context.lineTo(x + 5, y + 5);
            context.moveTo(x + 5, y - 5);
            context.lineTo(x - 5, y + 5);
            context.stroke();
        }
        context.lineWidth = 1;
    }

    paintCursor(context, colours) {
        const { cursor } = this.state;
        if (cursor < 0) {
            return;
        }
        const x = Math.round(this.x(this.run.items.time[cursor])) + 0.5;
        if (x < LABELS || x > this.size.width) {
            return;
        }
        context.strokeStyle = colours["--ink"];
        context.setLineDash([2, 3]);
        context.beginPath();
        context.moveTo(x, HEAD - 6);
        context.lineTo(x, this.size.height);
        context.stroke();
        context.setLineDash([]);
        const lane = this.laneOf.get(this.run.items.node[cursor]);
        if (lane !== undefined && this.y(lane) > HEAD) {
            context.lineWidth = 2;
            context.strokeRect(x - 6, this.y(lane) - 6, 12, 12);
            context.lineWidth = 1;
        }
    }
}

// Each kind has a shape of its own, colour or no colour.
function mark(path, kind, x, y) {
    switch (kind) {
        case KIND.EVENT:
            path.rect(x - 0.5, y + 4, 1, 5);
            break;
        case KIND.OPERATION:
            path.rect(x - 0.5, y - 8, 1, 5);
            break;
        case KIND.DELIVERY:
            path.rect(x - 2, y - 2, 4, 4);
            break;
        case KIND.EVIDENCE:
            path.moveTo(x + 3.5, y);
            path.arc(x, y, 3.5, 0, 2 * Math.PI);
            break;
        case KIND.TRUTH:
            path.moveTo(x, y - 5);
            path.lineTo(x + 5, y);
            path.lineTo(x, y + 5);
            path.lineTo(x - 5, y);
            path.closePath();
            break;
        default:
            path.moveTo(x - 6, y - 13);
            path.lineTo(x + 6, y - 13);
            path.lineTo(x, y - 3);
            path.closePath();
    }
}

const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 10e6, 15e6, 30e6, 60e6,
    120e6, 300e6, 600e6, 1200e6, 1800e6, 3600e6, 7200e6, 14400e6, 21600e6, 43200e6, 86400e6, 172800e6, 604800e6];
function niceStep(us) {
    return steps.find((step) => step >= us) ?? steps.at(-1) * Math.ceil(us / steps.at(-1));
}

function axisText(time, step) {
    const text = instant(Math.max(0, Math.round(time)));
    return step >= 1e6 ? text.slice(0, text.indexOf(".")) : step >= 1e3 ? text.slice(0, -3) : text;
}
