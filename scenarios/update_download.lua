-- Does a download that is withdrawn half way leave nothing that a later one could trip over?
-- Release 2 is offered and withdrawn after three sectors; release 3 takes its place, and is installed.

---@type Life
return {
    image = 16 * 1024, -- with parts of small sectors in mind: progress is counted by sectors
    releases = { { level = 1 }, { level = 2 }, { level = 3 } },
    life = {
        { download = 2, sectors = 3 },
        { install = 3 },
    },
}
