-- Does the store keep its word while it is compacted, whatever power does?
-- Sectors are small, and half full when the cuts begin: the log goes on into the next sectors, and
-- copies what lives out of the oldest one.

---@type Life
return {
    sector = 512,
    image = 1000,
    before = {
        { rotate = true },
        { rotate = true },
        { rotate = true },
        { rotate = true },
    },
    life = {
        { rotate = true },
        { rotate = true },
        { rotate = true },
        { rotate = true },
    },
}
