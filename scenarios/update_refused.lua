-- Is an offer that must be refused refused, without one write to flash, whatever is wrong with it?
-- Thieves with one key of two, changed bits, other hardware, old sequences, floors, leaps, expiry, size;
-- and at last an honest offer while updates are disabled. Then an honest one, which is taken.

---@type Life
return {
    releases = { { level = 1 }, { level = 3 } },
    image = 4096,
    life = {
        { refuse = 2 },
        { install = 2 },
    },
}
