-- Is a stored reading there until it is acked, while the store under it is compacted and power goes?
-- Sectors are small, so that six readings go round the log; two at a time wait for their acks.

---@type Life
return {
    sector = 512,
    image = 1024,
    life = {
        { sample = 6 },
    },
}
