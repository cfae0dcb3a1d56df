-- Does every device end on a whole, confirmed image when sites lose power in mid-update?
-- Links are slow, so that a download takes minutes. From the release on a third of the fleet and a
-- gateway go dark at once, again and again; and half of the devices lose power inside an operation
-- of the flash as well. The cloud must know of each device what it runs.

local operations = { "flash_erase", "flash_program", "counter_increment", "retained_write" }

---@type Scenario
return {
    fleet = { clouds = 1, gateways = 3, devices = 200 },
    duration = "4h",
    heal = "90m",
    crypto = "ideal",
    device = { sample_every = "5m", gateways = 3 },
    link = { device = "nb-iot" },
    firmware = { image = 30000, release = "20m" },

    run = function(w)
        w:sleep("20m")
        for device = 1, 100 do
            local operation = operations[device % #operations + 1]
            w:strike {
                effect = "power_cut", on = "dev" .. device, lasts = "20s",
                operation = operation, nth = operation == "flash_program" and w:random(60) or
                    operation == "flash_erase" and w:random(12) or 1,
                phase = "inside", fraction = w:random(65535),
            }
        end
        for _ = 1, 16 do
            w:sleep(w:random(20, 240) .. "s")
            for device = 1, 200 do
                if w:random(3) == 1 then
                    w:power_cut("dev" .. device, w:random(1, 90) .. "s")
                end
            end
            w:power_cut("gw" .. w:random(3), "30s")
        end
    end,

    expect = {
        { "updated", "==", 200 },
        { "known", "==", 200 },
        { "resumed", ">=", 40 },
        { "power_losses", ">=", 800 },
    },
}
