-- Does a device come out of every power cut of an install with the old release or the new one?

---@type Life
return {
    releases = { { level = 1 }, { level = 3 } },
    life = {
        { install = 2 },
    },
}
