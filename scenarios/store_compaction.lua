-- Is a stored reading there until it is acked, while the store under it is compacted and power goes?
-- Sectors are small, so that twelve readings go round the log; two at a time wait for their acks.

---@type Life
return {
    sector = 1024,
    image = 4096,
    life = {
        { sample = 12 },
    },
}
