-- Is the key in force the old one or the new one, whole, at every cut of two rotations and a policy?
-- The server is asked to sign one pair for each rotation, and never another one.

---@type Life
return {
    image = 4096,
    life = {
        { rotate = true },
        { policy = 3 },
        { rotate = true },
    },
}
