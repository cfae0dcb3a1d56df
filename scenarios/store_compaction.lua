-- Does the store keep its word while it is compacted, whatever power does?
-- Sectors are small, and program units of 32 bytes fill them soon: a few rotations go round the log, and
-- copy what lives out of the oldest sector.

---@type Life
return {
    part = "nor-32",
    sector = 512,
    image = 1000,
    life = {
        { rotate = true },
        { rotate = true },
        { rotate = true },
        { rotate = true },
        { rotate = true },
        { rotate = true },
        { rotate = true },
        { rotate = true },
    },
}
