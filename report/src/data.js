// What the command put into the page: JSON for the whole, and one JSON for each run with a diagram.
// Columns of numbers are packed as sim/report_column.h says.

export const report = JSON.parse(document.getElementById("report-data").textContent);

// A table of {columns, rows} as objects; one that has no rows has no columns either.
export function rows(table) {
    const { columns = [], rows = [] } = table ?? {};
    return rows.map((cells) => Object.fromEntries(columns.map((name, i) => [name, cells[i]])));
}

async function inflate(text) {
    const binary = atob(text);
    const packed = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) {
        packed[i] = binary.charCodeAt(i);
    }
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Null where a number is too large for a double: then the slow way is taken.
function readFast(bytes, rows, difference) {
    const numbers = new Float64Array(rows);
    let at = 0;
    let before = 0;
    for (let i = 0; i < rows; i++) {
        let value = 0;
        let place = 1;
        let byte;
        do {
            byte = bytes[at++];
            value += (byte & 0x7f) * place;
            place *= 128;
        } while (byte & 0x80);
        if (value >= Number.MAX_SAFE_INTEGER) {
            return null;
        }
        value = value % 2 === 0 ? value / 2 : -(value + 1) / 2;
        if (difference) {
            value += before;
            before = value;
            if (Math.abs(value) > Number.MAX_SAFE_INTEGER) {
                return null;
            }
        }
        numbers[i] = value;
    }
    return { numbers, exact: null };
}

function readSlow(bytes, rows, difference) {
    const numbers = new Float64Array(rows);
    const exact = new BigInt64Array(rows);
    let at = 0;
    let before = 0n;
    for (let i = 0; i < rows; i++) {
        let value = 0n;
        let place = 0n;
        let byte;
        do {
            byte = bytes[at++];
            value |= BigInt(byte & 0x7f) << place;
            place += 7n;
        } while (byte & 0x80);
        value = value & 1n ? -((value + 1n) >> 1n) : value >> 1n;
        if (difference) {
            value = BigInt.asIntN(64, value + before);
            before = value;
        }
        exact[i] = value;
        numbers[i] = Number(exact[i]);
    }
    return { numbers, exact };
}

// { rows, column name: { numbers, exact: BigInt64Array or null } }
export async function unpack(table) {
    const bytes = await inflate(table.bytes);
    const result = { rows: table.rows };
    let at = 0;
    for (const column of table.columns) {
        const part = bytes.subarray(at, at + column.bytes);
        at += column.bytes;
        result[column.name] =
            readFast(part, table.rows, column.difference) ?? readSlow(part, table.rows, column.difference);
    }
    return result;
}

export function hasDiagram(run) {
    return report.diagrams.includes(run);
}

export function runData(run) {
    return JSON.parse(document.getElementById(`run-${run}`).textContent);
}
