// Elements without a framework. Text always goes in as text, never as markup.

export function h(tag, properties, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties ?? {})) {
        if (value === null || value === undefined) {
            continue;
        }
        if (name.startsWith("on")) {
            element.addEventListener(name.slice(2), value);
        } else if (name in element && name !== "list" && name !== "style") {
            element[name] = value;
        } else if (value !== false) {
            element.setAttribute(name, value === true ? "" : value);
        }
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
}

// A table with a caption. columns: { title, cell(row), number, wide, sort(row) }; cells are text or elements.
// Columns with a sort have a button in their head.
export function table({ caption, note, columns, rows, empty = "There are none." }) {
    const body = h("tbody");
    let sorted = { column: null, down: true };

    function fill() {
        const { column, down } = sorted;
        const order = [...rows];
        if (column) {
            order.sort((a, b) => {
                const [x, y] = [column.sort(a), column.sort(b)];
                return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
            });
        }
        body.replaceChildren(
            ...order.map((row) =>
                h("tr", null, columns.map((column, i) => {
                    const cell = column.cell(row);
                    return h(i === 0 ? "th" : "td", {
                        class: [column.number && "number", column.wide && "wide"].filter(Boolean).join(" ") || null,
                        scope: i === 0 ? "row" : null,
                    }, cell ?? "");
                })),
            ),
        );
    }

    const heads = columns.map((column) => {
        const head = h("th", { scope: "col", class: column.number ? "number" : null });
        if (!column.sort) {
            head.append(column.title);
            return head;
        }
        head.append(h("button", {
            class: "sort",
            type: "button",
            onclick: () => {
                sorted = { column, down: sorted.column === column ? !sorted.down : true };
                for (const other of heads) {
                    other.removeAttribute("aria-sort");
                }
                head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
                fill();
            },
        }, column.title));
        return head;
    });
    fill();
    return h("div", { class: "table" },
        h("table", null,
            h("caption", null, caption, note ? h("span", { class: "note" }, note) : null),
            h("thead", null, h("tr", null, heads)),
            body),
        rows.length === 0 ? h("p", { class: "empty" }, empty) : null);
}

// Never by colour alone: each state has a sign and a word.
const states = {
    pass: ["✓", "good"],
    held: ["✓", "good"],
    fail: ["✕", "bad"],
    broken: ["✕", "bad"],
    void: ["~", "odd"],
    unknown: ["?", "odd"],
    nondeterministic: ["≠", "bad"],
    harness: ["!", "odd"],
    usage: ["!", "odd"],
    never: ["○", "dim"],
};
export function state(name, text = name) {
    const [sign, look] = states[name] ?? ["•", "dim"];
    return h("span", { class: `state ${look}` }, h("span", { class: "sign", "aria-hidden": "true" }, sign), text);
}

// A button that copies the text of `code`.
function copier(label, text, code) {
    const said = h("span", { class: "said", role: "status" });
    const button = h("button", {
        type: "button",
        onclick: async () => {
            try {
                await navigator.clipboard.writeText(text);
                said.textContent = "copied";
            } catch {
                getSelection().selectAllChildren(code); // a file is no secure context everywhere
                said.textContent = "selected";
            }
        },
    }, "Copy", h("span", { class: "unseen" }, ` ${label}`));
    return [button, said];
}

export function copyLine(label, line) {
    const code = h("code", { tabIndex: 0 }, line);
    return h("div", { class: "line" }, h("span", { class: "label" }, label), code, copier(`the line: ${label}`, line, code));
}

export function copyBlock(label, text) {
    const code = h("pre", { tabIndex: 0 }, text);
    return h("div", { class: "block" }, code, h("div", null, copier(label, text, code)));
}

export function say(text) {
    document.getElementById("live").textContent = text;
}
