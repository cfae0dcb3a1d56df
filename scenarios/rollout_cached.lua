-- A controller acks writes that it still holds, and power takes some of them in any order: does an update end well?
-- The devices' flash stands behind a cache of pages. What was not synced when a site went dark may be
-- there, or not, whatever was written after it; the oldest page that is lost may be torn.

---@type Scenario
return {
    fleet = { gateways = 3, devices = 120 },
    duration = "3h",
    heal = "90m",
    crypto = "ideal",
    device = { sample_every = "5m", gateways = 3 },
    link = { device = "nb-iot" },
    flash = { part = "cached", sectors = 32 },
    firmware = { image = 30000, release = "20m" },

    run = function(w)
        w:sleep("20m")
        for _ = 1, 24 do
            w:sleep(w:random(15, 90) .. "s")
            -- A site: a third of the fleet and its gateway, each device in its next writes or at
            -- the sync behind them.
            local site = w:random(3)
            for device = site, 120, 3 do
                local at_sync = w:random(3) == 1
                w:strike {
                    effect = "power_cut", on = "dev" .. device, lasts = w:random(5, 90) .. "s",
                    operation = at_sync and "flash_sync" or "flash_program",
                    nth = w:random(12),
                    phase = at_sync and "before" or "after",
                }
            end
            w:power_cut("gw" .. site, "30s")
        end
    end,

    expect = {
        { "updated", "==", 120 },
        { "known", "==", 120 },
        { "resumed", ">=", 10 },
        { "flash_dropped", ">=", 50 },
        { "power_losses", ">=", 400 },
    },
}
