// The space-time diagram: a lane for each node, time from left to right. Here is its window, and what
// pointer and keys do; paint.js draws it.
import { h, say } from "./dom.js";
import { KIND, lowerBound } from "./model.js";
import { HEAD, LABELS, LANE, Painter } from "./paint.js";

const SPAN_LEAST = 20; // microseconds

export class Diagram extends Painter {
    // state: { lanes: [node], shown: items that pass the filter, messages: bool, cursor: item }
    constructor(run, { onCursor }) {
        super();
        this.run = run;
        this.onCursor = onCursor;
        this.state = { lanes: [], shown: new Uint32Array(0), messages: true, cursor: -1 };
        this.canvas = h("canvas", {
            tabIndex: 0, role: "application", "aria-roledescription": "space-time diagram",
            "aria-label": "Space-time diagram. Arrows left and right go from item to item, plus and minus zoom, " +
                "shift with an arrow moves the window, F shows the whole run, V goes to the broken law.",
        });
        this.scroller = h("div", { class: "scroller" }, h("div", { class: "sticky" }, this.canvas), this.filler = h("div"));
        this.status = h("p", { class: "note status" });
        this.element = h("div", { class: "diagram" }, this.scroller, this.status);
        this.listen();
        this.fit();
    }

    fit() {
        const pad = (this.run.to - this.run.from) * 0.01;
        this.from = this.run.from - pad;
        this.to = this.run.to + pad;
        this.draw();
    }

    // A window of about so many items that are shown, with this one near its right.
    around(item, items = 160) {
        const { shown } = this.state;
        let at = lowerBound(shown, item);
        const first = shown[Math.max(0, at - items)] ?? 0;
        const last = shown[Math.min(shown.length - 1, at + Math.floor(items / 8))] ?? item;
        const time = this.run.items.time;
        const width = Math.max(SPAN_LEAST, time[last] - time[first], 1000);
        this.from = time[first] - width * 0.03;
        this.to = Math.max(time[last], time[item]) + width * 0.08;
        this.draw();
    }

    zoom(factor, about = null) {
        const middle = about ?? this.cursorTime() ?? (this.from + this.to) / 2;
        const inside = middle >= this.from && middle <= this.to ? middle : (this.from + this.to) / 2;
        const width = Math.min(Math.max((this.to - this.from) * factor, SPAN_LEAST), (this.run.to - this.run.from) * 1.1 + SPAN_LEAST);
        const share = (inside - this.from) / (this.to - this.from);
        this.from = inside - width * share;
        this.to = this.from + width;
        this.draw();
    }

    pan(us) {
        const width = this.to - this.from;
        const from = Math.min(Math.max(this.from + us, this.run.from - width * 0.9), this.run.to - width * 0.1);
        this.from = from;
        this.to = from + width;
        this.draw();
    }

    cursorTime() {
        return this.state.cursor >= 0 ? this.run.items.time[this.state.cursor] : null;
    }

    set(state) {
        Object.assign(this.state, state);
        this.laneOf = new Map(this.state.lanes.map((node, i) => [node, i]));
        this.layout();
        this.draw();
    }

    // See that the cursor is in the window.
    reveal() {
        const time = this.cursorTime();
        if (time === null) {
            return;
        }
        const width = this.to - this.from;
        if (time < this.from + width * 0.02 || time > this.to - width * 0.02) {
            this.from = time - width / 2;
            this.to = this.from + width;
        }
        const lane = this.laneOf?.get(this.run.items.node[this.state.cursor]);
        if (lane !== undefined) {
            const y = lane * LANE;
            const height = this.scroller.clientHeight - HEAD;
            if (y < this.scroller.scrollTop || y + LANE > this.scroller.scrollTop + height) {
                this.scroller.scrollTop = Math.max(0, y - height / 2);
            }
        }
        this.draw();
    }

    layout() {
        const height = Math.min(HEAD + this.state.lanes.length * LANE + 8, 520);
        this.scroller.style.height = `${height}px`;
        this.filler.style.height = `${Math.max(0, HEAD + this.state.lanes.length * LANE + 8 - height)}px`;
        const width = this.scroller.clientWidth;
        const ratio = devicePixelRatio || 1;
        if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
            this.canvas.width = Math.round(width * ratio);
            this.canvas.height = Math.round(height * ratio);
            this.canvas.style.width = `${width}px`;
            this.canvas.style.height = `${height}px`;
        }
        this.size = { width, height, ratio };
    }

    draw() {
        if (!this.pending) {
            this.pending = requestAnimationFrame(() => {
                this.pending = 0;
                if (this.size && this.canvas.isConnected && this.size.width > LABELS) {
                    this.paint();
                }
            });
        }
    }

    // The item that is shown nearest to a point.
    nearest(x, y) {
        const { items } = this.run;
        const { shown } = this.state;
        const lane = Math.floor((y - HEAD + this.scroller.scrollTop) / LANE);
        const node = this.state.lanes[lane];
        const time = this.time(x);
        const reach = ((this.to - this.from) / this.size.width) * 40;
        let best = -1;
        let least = Infinity;
        for (let k = lowerBound(shown, this.run.at(time - reach - this.run.slack)); k < shown.length && this.run.eventTimes[shown[k]] <= time + reach; k++) {
            const i = shown[k];
            const distance = Math.abs(items.time[i] - time) * (items.node[i] === node ? 1 : 20) + (items.kind[i] <= KIND.OPERATION ? reach / 100 : 0);
            if (distance < least && this.laneOf.has(items.node[i])) {
                least = distance;
                best = i;
            }
        }
        return best;
    }

    step(by) {
        const { shown, cursor } = this.state;
        if (shown.length === 0) {
            return;
        }
        const at = cursor < 0 ? 0 : lowerBound(shown, cursor);
        const next = shown[at] === cursor || by < 0 ? at + by : at;
        this.onCursor(shown[Math.min(Math.max(next, 0), shown.length - 1)]);
    }

    listen() {
        const { canvas } = this;
        let held = null;
        canvas.addEventListener("pointerdown", (event) => {
            held = { x: event.offsetX, from: this.from, moved: false };
            canvas.setPointerCapture(event.pointerId);
        });
        canvas.addEventListener("pointermove", (event) => {
            if (held && Math.abs(event.offsetX - held.x) > 3) {
                held.moved = true;
                const us = ((held.x - event.offsetX) / (this.size.width - LABELS)) * (this.to - this.from);
                const width = this.to - this.from;
                this.from = held.from + us;
                this.to = this.from + width;
                this.draw();
            }
        });
        canvas.addEventListener("pointerup", (event) => {
            if (held && !held.moved) {
                const item = this.nearest(event.offsetX, event.offsetY);
                if (item >= 0) {
                    this.onCursor(item);
                }
            }
            held = null;
        });
        canvas.addEventListener("wheel", (event) => {
            if (event.ctrlKey || event.altKey) {
                event.preventDefault();
                this.zoom(Math.exp(event.deltaY * 0.004), this.time(event.offsetX));
            } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
                event.preventDefault();
                this.pan((event.deltaX / this.size.width) * (this.to - this.from));
            }
        }, { passive: false });
        canvas.addEventListener("keydown", (event) => {
            const width = this.to - this.from;
            const acts = {
                ArrowLeft: () => (event.shiftKey ? this.pan(-width / 4) : this.step(-1)),
                ArrowRight: () => (event.shiftKey ? this.pan(width / 4) : this.step(1)),
                ArrowUp: () => { this.scroller.scrollTop -= LANE; },
                ArrowDown: () => { this.scroller.scrollTop += LANE; },
                "+": () => this.zoom(0.5),
                "=": () => this.zoom(0.5),
                "-": () => this.zoom(2),
                f: () => this.fit(),
                v: () => this.toViolation(),
                Home: () => this.state.shown.length && this.onCursor(this.state.shown[0]),
                End: () => this.state.shown.length && this.onCursor(this.state.shown.at(-1)),
            };
            const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
            if (act && !event.metaKey && !event.ctrlKey) {
                event.preventDefault();
                act();
            }
        });
        this.scroller.addEventListener("scroll", () => this.draw());
        new ResizeObserver(() => {
            if (this.scroller.clientWidth > 0) {
                this.layout();
                this.draw();
            }
        }).observe(this.scroller);
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
            this.palette = null;
            this.patterns = null;
            this.draw();
        });
    }

    toViolation() {
        const { violationItem } = this.run;
        if (violationItem < 0) {
            say("No law broke in this run.");
            return;
        }
        this.onCursor(violationItem);
        this.around(violationItem);
    }
}
