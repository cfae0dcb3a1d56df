-- Power goes away while the header of a download is written: does an image still boot?
-- A boot loader that takes half a header for an attack runs nothing: update.bootable. One history of
-- scenarios/update_small.lua, with its cut pinned: brownout cuts lives it, and no other.

---@type Life
return {
    sector = 512,
    image = 1000,
    reverts = 1,
    releases = { { level = 1 }, { level = 3 } },
    life = {
        { install = 2 },
    },
    cuts = {
        -- programs 288 bytes at 0x1200; power goes away after 0 of 36 units, all but one bit of the next one
        "2a.5",
        "end",
    },
}
