-- Is a stored reading there until it is acked, and is no counter drawn twice, at whatever cut?

---@type Life
return {
    sector = 512,
    image = 1000,
    life = {
        { sample = 2 },
    },
}
