-- Does a release that never gets healthy give way to the old one, at whatever instant power goes?
-- It runs, and never comes to a round trip: its trials are used up, it is reverted, and offered again
-- until that has happened too often.

---@type Life
return {
    image = 16 * 1024, -- with parts of small sectors in mind: progress is counted by sectors
    releases = { { level = 1 }, { level = 3, defect = "mute" } },
    reverts = 1,
    life = {
        { install = 2 },
    },
}
