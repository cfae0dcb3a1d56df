// The list of items: only rows in view are elements, however many there are.
import { h } from "./dom.js";
import { instant } from "./number.js";
import { lowerBound } from "./model.js";

const ROW = 22;
const HEIGHT_MAX = 8e6; // of an element, in pixels: browsers end somewhere above; beyond it rows share pixels
const signs = ["│", "·", "●", "▼", "◆", "■"];
const looks = ["event", "operation", "evidence", "effect", "truth", "delivery"];

export class EventList {
    constructor(run, { onCursor }) {
        this.run = run;
        this.onCursor = onCursor;
        this.shown = new Uint32Array(0);
        this.cursor = -1;
        this.rows = h("div", { class: "rows" });
        this.space = h("div", { class: "space" }, this.rows);
        this.element = h("div", {
            class: "list", tabIndex: 0, role: "listbox", "aria-label": "Items of the run, in their order",
        }, this.space);
        this.element.addEventListener("scroll", () => this.draw());
        this.element.addEventListener("keydown", (event) => this.key(event));
        this.element.addEventListener("click", (event) => {
            const row = event.target.closest("[data-item]");
            if (row) {
                this.onCursor(Number(row.dataset.item));
            }
        });
        let height = 0;
        new ResizeObserver(() => {
            if (height === 0 && this.element.clientHeight > 0) {
                this.reveal(); // before, there was nothing to scroll
            }
            height = this.element.clientHeight;
            this.draw();
        }).observe(this.element);
    }

    set({ shown = this.shown, cursor = this.cursor }) {
        const moved = cursor !== this.cursor || shown !== this.shown;
        this.shown = shown;
        this.cursor = cursor;
        this.height = Math.min(shown.length * ROW, HEIGHT_MAX);
        this.space.style.height = `${this.height}px`;
        if (moved) {
            this.reveal();
        }
        this.draw();
    }

    visible() {
        return Math.max(1, Math.floor(this.element.clientHeight / ROW));
    }

    // Scrolled so far, which row is the first?
    first() {
        const most = Math.max(1, this.height - this.element.clientHeight);
        const last = Math.max(0, this.shown.length - this.visible());
        return Math.min(last, Math.round((this.element.scrollTop / most) * last));
    }

    scrollTo(row) {
        const most = Math.max(1, this.height - this.element.clientHeight);
        const last = Math.max(1, this.shown.length - this.visible());
        this.element.scrollTop = (Math.min(Math.max(0, row), last) / last) * most;
    }

    reveal() {
        const at = lowerBound(this.shown, this.cursor);
        if (this.cursor < 0 || this.shown[at] !== this.cursor) {
            return;
        }
        const first = this.first();
        if (at < first || at >= first + this.visible()) {
            this.scrollTo(at - Math.floor(this.visible() / 2));
        }
    }

    draw() {
        const first = this.first();
        const rows = [];
        for (let k = first; k < Math.min(this.shown.length, first + this.visible() + 1); k++) {
            rows.push(this.row(k));
        }
        this.rows.style.transform = `translateY(${this.element.scrollTop}px)`;
        this.rows.replaceChildren(...rows);
        const chosen = this.rows.querySelector("[aria-selected=true]");
        if (chosen) {
            this.element.setAttribute("aria-activedescendant", chosen.id);
        } else {
            this.element.removeAttribute("aria-activedescendant");
        }
    }

    row(k) {
        const i = this.shown[k];
        const { items, nodes } = this.run;
        const kind = items.kind[i];
        const isLaw = i === this.run.violationItem;
        return h("div", {
            class: `row ${looks[kind]}${i === this.cursor ? " chosen" : ""}${isLaw ? " law" : ""}`,
            role: "option", id: `item-${i}`, "data-item": i, "aria-selected": String(i === this.cursor),
            "aria-setsize": this.shown.length, "aria-posinset": k + 1,
        },
        h("span", { class: "ordinal" }, String(items.event[i])),
        h("span", { class: "time" }, instant(items.time[i])),
        h("span", { class: "node" }, nodes[items.node[i]] || "–"),
        h("span", { class: "sign", "aria-hidden": "true" }, isLaw ? "✕" : signs[kind]),
        h("span", { class: "what" }, h("b", null, this.run.name(i)), " ", this.run.detail(i),
            isLaw ? h("em", null, ` breaks ${this.run.failure.law}`) : null));
    }

    key(event) {
        const at = lowerBound(this.shown, Math.max(0, this.cursor));
        const page = this.visible() - 1;
        const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
        if (step !== undefined && this.shown.length > 0) {
            event.preventDefault();
            this.onCursor(this.shown[Math.min(Math.max(at + step, 0), this.shown.length - 1)]);
        }
    }
}
