-- Words that power tore do not read any more: does an update still end well on flash with ECC?
-- Sites lose power at once while the fleet downloads, installs and confirms, most of it inside a
-- write. A torn word answers an error until its sector is erased, at every boot, to boot loader and
-- image alike; and each word is programmed once.

local operations = { "flash_program", "flash_erase", "counter_increment", "flash_program" }

---@type Scenario
return {
    fleet = { gateways = 3, devices = 120 },
    duration = "3h",
    heal = "90m",
    crypto = "ideal",
    device = { sample_every = "5m", gateways = 3 },
    link = { device = "nb-iot" },
    flash = { part = "ecc-8", sectors = 64 },
    firmware = { image = 30000, release = "20m" },

    run = function(w)
        w:sleep("20m")
        for _ = 1, 24 do
            w:sleep(w:random(15, 90) .. "s")
            -- A site: a third of the fleet and its gateway, each device in its next write.
            local site = w:random(3)
            for device = site, 120, 3 do
                w:strike {
                    effect = "power_cut", on = "dev" .. device, lasts = w:random(5, 90) .. "s",
                    operation = operations[w:random(#operations)], nth = w:random(20),
                    phase = "inside", fraction = w:random(65535),
                }
            end
            w:power_cut("gw" .. site, "30s")
        end
    end,

    expect = {
        { "updated", "==", 120 },
        { "known", "==", 120 },
        { "resumed", ">=", 10 },
        { "flash_poisoned", ">=", 20 },
        { "power_losses", ">=", 400 },
    },
}
