// Numbers and times for people.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

export function count(number) {
    return number === null || number === undefined ? "" : whole.format(number).replaceAll(",", "\u202f");
}

export function real(number) {
    return number === null || number === undefined ? "" : Math.abs(number) >= 1000 ? count(number) : fine.format(number);
}

// For the marks of an axis that counts things: between whole numbers there are none.
export function wholes(number) {
    return Number.isInteger(number) ? count(number) : "";
}

// A span of time: 1.24 ms, 3.5 s, 2 h 5 min.
export function span(us) {
    if (us === 0) {
        return "0 s";
    }
    const size = Math.abs(us);
    if (size < 1000) {
        return `${real(us)} µs`;
    }
    if (size < 1e6) {
        return `${real(us / 1e3)} ms`;
    }
    if (size < 120e6) {
        return `${real(us / 1e6)} s`;
    }
    if (size < 7200e6) {
        return `${real(us / 60e6)} min`;
    }
    return size < 172800e6 ? `${real(us / 3600e6)} h` : `${real(us / 86400e6)} d`;
}

// 64 MB: as the command prints them.
export function bytes(number) {
    return number < 1e6 ? `${real(number / 1e3)} kB` : number < 1e9 ? `${real(number / 1e6)} MB` : `${real(number / 1e9)} GB`;
}

// An instant of a run, as traces print it.
export function instant(us) {
    const two = (number) => String(number).padStart(2, "0");
    const micro = String(Math.floor(us % 1e6)).padStart(6, "0");
    return `+${two(Math.floor(us / 3600e6))}:${two(Math.floor(us / 60e6) % 60)}:${two(Math.floor(us / 1e6) % 60)}.${micro}`;
}

export function quantile(sorted, share) {
    return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
