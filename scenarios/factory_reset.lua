-- Is a device after a factory reset a new one, whatever power does meanwhile, its firmware apart?
-- Keys and policy go with the epoch; none of them comes back later.

---@type Life
return {
    image = 4096,
    life = {
        { rotate = true },
        { policy = 5 },
        { reset = true },
        { rotate = true },
    },
}
