// One run with all its items, made ready for the diagram and the list: typed columns, lanes, messages
// with both ends, bands of what befell nodes, and what nodes saw of themselves.
import { report, unpack } from "./data.js";
import { instant } from "./number.js";

const names = report.names;
export const KIND = { EVENT: 0, OPERATION: 1, EVIDENCE: 2, EFFECT: 3, TRUTH: 4, DELIVERY: 5 };
export const kinds = [
    { kind: KIND.EVIDENCE, name: "evidence", doc: "what nodes say that they did" },
    { kind: KIND.EFFECT, name: "faults", doc: "what befalls the world" },
    { kind: KIND.TRUTH, name: "truths", doc: "what the simulator alone knows" },
    { kind: KIND.DELIVERY, name: "deliveries", doc: "what the net hands to nodes" },
    { kind: KIND.OPERATION, name: "operations", doc: "calls of ports" },
    { kind: KIND.EVENT, name: "events", doc: "what the queue gave" },
];

const truthFirst = names.evidence.length;
const indexOf = (list, name) => {
    const at = list.indexOf(name);
    return at < 0 ? 255 : at;
};
const SAID = { sign: indexOf(names.evidence, "SIGN"), accept: indexOf(names.evidence, "ACCEPT"), boot: indexOf(names.evidence, "BOOT") };
const OPERATION = {
    open: indexOf(names.operation, "link_open"),
    send: indexOf(names.operation, "link_send"),
};
const DATA = indexOf(names.delivery, "link_data");
const TRUTH = { down: truthFirst, up: truthFirst + 1, heal: truthFirst + names.truth.indexOf("all faults end: the liveness phase begins") };
const refusing = new Set(["REJECT", "REFUSE", "DROP"].map((name) => names.evidence.indexOf(name)));

export const families = [
    { id: "power", name: "power", effects: /^(power_cut|crash|hang|suspend|disk_lost|left_dark)$/ },
    { id: "clock", name: "clock", effects: /^(wall|monotonic)_/ },
    { id: "link", name: "partition, link", effects: /^(partition|link|left_cut)/ },
    { id: "media", name: "disk, flash", effects: /^(disk|flash)_/ },
    { id: "attack", name: "attack", effects: /^attack_/ },
];
export function familyOf(effect) {
    return families.find((family) => family.effects.test(effect)) ?? families[0];
}

async function join(data) {
    const chunks = [];
    for (const chunk of data.chunks) {
        chunks.push({ first: chunk.first, items: await unpack(chunk.items), views: await unpack(chunk.views) });
    }
    const total = (part) => chunks.reduce((sum, chunk) => sum + chunk[part].rows, 0);
    const merge = (part, name, Type) => {
        const whole = new Type(total(part));
        let at = 0;
        for (const chunk of chunks) {
            whole.set(chunk[part][name].numbers, at);
            at += chunk[part].rows;
        }
        return whole;
    };
    const exact = new Map(); // `${column}/${item}`: numbers beyond a double
    let at = 0;
    for (const chunk of chunks) {
        for (const name of ["counter", "value", "result"]) {
            chunk.items[name].exact?.forEach((number, i) => exact.set(`${name}/${at + i}`, number));
        }
        at += chunk.items.rows;
    }
    const mixed = merge("items", "kind", Uint32Array);
    return {
        chunks: chunks.map((chunk) => chunk.first),
        count: mixed.length,
        kind: Uint8Array.from(mixed, (number) => number >> 8),
        what: Uint8Array.from(mixed, (number) => number & 255),
        event: merge("items", "event", Float64Array),
        time: merge("items", "time_us", Float64Array),
        node: merge("items", "node", Uint32Array),
        a: merge("items", "a", Uint32Array),
        b: merge("items", "b", Uint32Array),
        result: merge("items", "result", Float64Array),
        counter: merge("items", "counter", Float64Array),
        value: merge("items", "value", Float64Array),
        exact,
        views: {
            item: merge("views", "item", Float64Array),
            node: merge("views", "node", Uint32Array),
            name: merge("views", "name", Uint8Array),
            value: merge("views", "value", Float64Array),
        },
    };
}

// The event's own time never goes back; times inside of steps may overlap those of later events.
function eventTimes(items) {
    const times = new Float64Array(items.count);
    let latest = 0;
    let slack = 0;
    let event = -1;
    for (let i = 0; i < items.count; i++) {
        if (items.event[i] !== event) {
            event = items.event[i];
            latest = Math.max(latest, items.time[i]);
        }
        times[i] = latest;
        slack = Math.max(slack, items.time[i] - latest);
    }
    return { times, slack };
}

// Streams keep order and lose nothing while they live: what arrives is what was sent first. A message is
// one call of link_send; it has arrived with its last byte.
function pairMessages(items) {
    const ends = new Map(); // link: [opener, the other]
    const streams = new Map(); // link and sender: messages under way
    const messages = [];
    let unknown = 0;
    for (let i = 0; i < items.count; i++) {
        const kind = items.kind[i];
        if (kind === KIND.OPERATION && items.what[i] === OPERATION.open && items.result[i] === 0) {
            ends.set(items.b[i], [items.node[i], items.a[i]]);
        } else if (kind === KIND.OPERATION && items.what[i] === OPERATION.send) {
            const link = items.a[i];
            const pair = ends.get(link);
            // A node that dies inside of the call does not learn how much of it left: any part may have.
            const bytes = items.result[i] > 0 ? items.result[i] : items.result[i] < 0 ? items.b[i] : 0;
            if (!pair) {
                unknown++;
            } else if (bytes > 0) {
                const from = items.node[i];
                const message = { send: i, arrive: -1, from, to: pair[0] === from ? pair[1] : pair[0], bytes, left: bytes, link };
                messages.push(message);
                const key = link * 2 + (pair[0] === from ? 0 : 1);
                const stream = streams.get(key) ?? { list: [], at: 0 };
                stream.list.push(message);
                streams.set(key, stream);
            }
        } else if (kind === KIND.DELIVERY && items.what[i] === DATA) {
            const pair = ends.get(items.a[i]);
            const stream = pair && streams.get(items.a[i] * 2 + (pair[0] === items.node[i] ? 1 : 0));
            let bytes = items.b[i];
            while (stream && bytes > 0 && stream.at < stream.list.length) {
                const message = stream.list[stream.at];
                const taken = Math.min(bytes, message.left);
                message.left -= taken;
                bytes -= taken;
                if (message.left === 0) {
                    message.arrive = i;
                    stream.at++;
                }
            }
        }
    }
    return { messages, unknown };
}

// What lasted: effects from begin to end, and nodes without power.
function findBands(run, items, end) {
    const bands = [];
    const open = new Map();
    const marks = [];
    const close = (key, time) => {
        const band = open.get(key);
        if (band) {
            band.to = time;
            open.delete(key);
        }
    };
    const begin = (key, band) => {
        close(key, band.from);
        bands.push(band);
        open.set(key, band);
    };
    for (let i = 0; i < items.count; i++) {
        const time = items.time[i];
        if (items.kind[i] === KIND.EFFECT) {
            const entry = run.entries[items.a[i]];
            const name = names.effect[items.what[i]];
            const key = `entry ${items.a[i]}`;
            if (items.b[i] !== 0) {
                close(key, time);
                continue;
            }
            const nodes = [items.node[i], ...(entry?.other ? [entry.other] : [])];
            const family = familyOf(name).id;
            marks.push({ item: i, nodes, family });
            // How long a power cut lasts is seen by the node's own silence.
            if (items.value[i] > 0 && !/^(power_cut|crash|disk_lost)$/.test(name)) {
                begin(key, { nodes, family, name, from: time, to: end, item: i });
            }
        } else if (items.kind[i] === KIND.TRUTH && items.what[i] === TRUTH.down) {
            begin(`power ${items.node[i]}`, { nodes: [items.node[i]], family: "power", name: items.value[i] === 0 ? "no power" : "down", from: time, to: end, item: i });
        } else if (items.kind[i] === KIND.TRUTH && items.what[i] === TRUTH.up) {
            close(`power ${items.node[i]}`, time);
        } else if (items.kind[i] === KIND.TRUTH && items.what[i] === TRUTH.heal) {
            for (const key of [...open.keys()]) {
                if (key.startsWith("entry")) {
                    close(key, time);
                }
            }
        }
    }
    return { bands, marks };
}

// How long a reading took from its signature to the cloud, and a node from its fall to its first word.
function measure(items) {
    const signed = new Map();
    const fallen = new Map();
    const delivery = [];
    const recovery = [];
    for (let i = 0; i < items.count; i++) {
        const what = items.what[i];
        if (items.kind[i] === KIND.EVIDENCE && (what === SAID.sign || what === SAID.accept)) {
            const key = `${items.a[i]}/${items.b[i]}/${items.counter[i]}`;
            if (what === SAID.sign) {
                signed.set(key, items.time[i]);
            } else if (signed.has(key)) {
                delivery.push(items.time[i] - signed.get(key));
                signed.delete(key);
            }
        } else if (items.kind[i] === KIND.TRUTH && what === TRUTH.down) {
            fallen.set(items.node[i], items.time[i]);
        } else if (items.kind[i] === KIND.EVIDENCE && what === SAID.boot && fallen.has(items.node[i])) {
            recovery.push(items.time[i] - fallen.get(items.node[i]));
            fallen.delete(items.node[i]);
        }
    }
    return { delivery, recovery };
}

export class Run {
    // data: runData() of it; source is not "none".
    static async load(failure, data) {
        return new Run(failure, data, await join(data));
    }

    constructor(failure, data, items) {
        this.failure = failure;
        this.data = data;
        this.items = items;
        this.nodes = data.nodes;
        const { times, slack } = eventTimes(items);
        this.eventTimes = times;
        this.slack = slack;
        this.from = items.count > 0 ? times[0] : 0;
        this.to = items.count > 0 ? Math.max(times[items.count - 1], failure.time_us ?? 0) + 1 : 1;
        Object.assign(this, pairMessages(items));
        Object.assign(this, findBands(data, items, this.to));
        this.measured = measure(items);
        this.violationItem = this.findViolation();
        this.messageOf = new Map();
        for (const message of this.messages) {
            this.messageOf.set(message.send, message);
            if (message.arrive >= 0) {
                this.messageOf.set(message.arrive, message); // the last one that it completes
            }
        }
    }

    // First item whose event begins at that time or later.
    at(time) {
        let low = 0;
        let high = this.items.count;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.eventTimes[middle] < time) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    findViolation() {
        const { failure, items } = this;
        if (!failure.law) {
            return -1;
        }
        let found = -1;
        for (let i = items.count - 1; i >= 0 && items.event[i] >= failure.event; i--) {
            if (items.event[i] !== failure.event) {
                continue;
            }
            const kind = items.kind[i];
            if (kind === KIND.EVIDENCE || kind === KIND.TRUTH) {
                if (this.nodes[items.node[i]] === failure.node) {
                    return i;
                }
                found = found < 0 ? i : found;
            }
        }
        return found >= 0 ? found : items.count - 1;
    }

    exact(column, i) {
        const found = this.items.exact.get(`${column}/${i}`);
        return found === undefined ? String(this.items[column][i]) : String(BigInt.asUintN(64, found));
    }

    name(i) {
        const what = this.items.what[i];
        switch (this.items.kind[i]) {
            case KIND.EVENT: return names.event[what] ?? "?";
            case KIND.OPERATION: return names.operation[what] ?? "?";
            case KIND.EVIDENCE: return names.evidence[what] ?? "?";
            case KIND.EFFECT: return names.effect[what] ?? "?";
            case KIND.TRUTH: return names.truth[what - truthFirst] ?? "?";
            default: return names.delivery[what] ?? "?";
        }
    }

    // What stands behind its name.
    detail(i) {
        const { a, b, result, what, value } = this.items;
        switch (this.items.kind[i]) {
            case KIND.EVENT:
                return this.items.node[i] === 0 ? "" : `(${a[i]}, ${b[i]})`;
            case KIND.OPERATION: {
                const message = this.messageOf.get(i);
                const answer = result[i] < 0 ? (names.error[result[i]] ?? result[i]) : result[i];
                if (message) {
                    return `${b[i]} bytes to ${this.nodes[message.to]}, link ${a[i]} → ${answer}` +
                        (message.arrive < 0 ? "; did not arrive" : "");
                }
                return `(${a[i]}, ${b[i]}) → ${answer}`;
            }
            case KIND.EVIDENCE: {
                const device = a[i] === 0 ? "" : `${this.nodes[a[i]] ?? a[i]} `;
                const more = refusing.has(what[i]) ? ` (${names.refusal[value[i]] ?? value[i]})`
                    : value[i] !== 0 ? ` value ${this.exact("value", i)}` : "";
                return `${device}epoch ${b[i]} counter ${this.exact("counter", i)}${more}`;
            }
            case KIND.EFFECT: {
                const entry = this.data.entries[a[i]];
                const other = entry?.other ? ` with ${this.nodes[entry.other]}` : "";
                return b[i] !== 0 ? "ends" : `${other}${result[i] !== 0 ? ` by ${result[i]}` : ""}${value[i] > 0 ? ` for ${value[i] / 1e6} s` : ""}`.trim();
            }
            case KIND.TRUTH:
                return value[i] !== 0 ? `(${this.exact("value", i)})` : "";
            default: {
                const message = this.messageOf.get(i);
                return b[i] > 0 ? `${b[i]} bytes${message ? ` from ${this.nodes[message.from]}` : ""}, link ${a[i]}` : `link ${a[i]}`;
            }
        }
    }

    line(i) {
        const node = this.nodes[this.items.node[i]] || "world";
        return `event ${this.items.event[i]}, ${instant(this.items.time[i])}, ${node}: ${this.name(i)} ${this.detail(i)}`;
    }

    // Items whose kind is wanted, on wanted nodes, where every word of the search fits: a name, a node,
    // a number of event, link, epoch, counter or value.
    filter(wanted, lanes, search) {
        const { items } = this;
        const found = new Uint32Array(items.count);
        const tests = search.toLowerCase().split(/\s+/).filter(Boolean).map((word) => this.test(word));
        let count = 0;
        next: for (let i = 0; i < items.count; i++) {
            if (!wanted[items.kind[i]] || (lanes && items.node[i] !== 0 && !lanes.has(items.node[i]))) {
                continue;
            }
            for (const test of tests) {
                if (!test(i)) {
                    continue next;
                }
            }
            found[count++] = i;
        }
        return found.slice(0, count);
    }

    test(word) {
        const { items } = this;
        const names = new Map();
        const nodes = new Set(this.nodes.flatMap((name, node) => (name && (name === word || (!/\d$/.test(word) && name.includes(word))) ? [node] : [])));
        const number = /^#?\d+$/.test(word) ? Number(word.replace("#", "")) : null;
        return (i) => {
            if (number !== null) {
                return items.event[i] === number || (!word.startsWith("#") && (items.counter[i] === number ||
                    items.value[i] === number || items.a[i] === number || items.b[i] === number));
            }
            if (nodes.has(items.node[i]) || (items.kind[i] === KIND.EVIDENCE && nodes.has(items.a[i]))) {
                return true;
            }
            const key = items.kind[i] << 8 | items.what[i];
            let fits = names.get(key);
            if (fits === undefined) {
                fits = this.name(i).toLowerCase().includes(word);
                names.set(key, fits);
            }
            return fits || (items.kind[i] === KIND.EVIDENCE && refusing.has(items.what[i]) && this.detail(i).includes(word));
        };
    }

    // What a node saw of itself behind the items before `item`: name to value; null: it is down.
    view(node, item) {
        this.viewsOf ??= this.indexViews();
        const own = this.viewsOf.get(node) ?? [];
        const { views } = this.items;
        const first = this.items.chunks.filter((chunk) => chunk < item).at(-1) ?? 0;
        const found = new Map();
        for (let i = own.length - 1; i >= 0 && views.item[own[i]] >= first; i--) {
            if (views.item[own[i]] > item) {
                continue;
            }
            const name = this.data.view_names[views.name[own[i]]];
            if (name === undefined) {
                return found.size > 0 ? found : null;
            }
            if (!found.has(name)) {
                found.set(name, views.value[own[i]]);
            }
        }
        return found.size > 0 ? found : null;
    }

    indexViews() {
        const index = new Map();
        const { views } = this.items;
        for (let i = 0; i < views.item.length; i++) {
            const own = index.get(views.node[i]);
            if (own) {
                own.push(i);
            } else {
                index.set(views.node[i], [i]);
            }
        }
        return index;
    }

    // First item of the event that `item` belongs to, and the one behind its last.
    eventOf(item) {
        const event = this.items.event[item];
        let from = item;
        let to = item + 1;
        while (from > 0 && this.items.event[from - 1] === event) {
            from--;
        }
        while (to < this.items.count && this.items.event[to] === event) {
            to++;
        }
        return [from, to];
    }
}

// Index of the first that is not below.
export function lowerBound(sorted, value) {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (sorted[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
