-- The same question as update_install.lua, on the smallest flash that there can be: an answer in seconds.
-- For planted bugs, and for whoever changes boot loader, update agent or store and does not want to wait.

---@type Life
return {
    sector = 512,
    image = 1000,
    reverts = 1,
    releases = { { level = 1 }, { level = 3 } },
    life = {
        { install = 2 },
    },
}
