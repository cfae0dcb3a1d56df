-- Clocks step, drift, freeze and fall back to 1970: does a device still sample once a period?
-- Wall time is what devices write into readings; decisions follow the monotonic clock alone.

---@type Scenario
return {
    fleet = { devices = 12, gateways = 2 },
    duration = "6h",
    heal = "20m",
    sweep_every = 2,
    device = { sample_every = "1m" },

    faults = {
        wall_step = { every = "1h", amount = "-1d..1d" },
        wall_drift = { every = "2h", lasts = "10m..1h", amount = "-100000..100000" },
        wall_freeze = { every = "2h", lasts = "1m..1h" },
        wall_reset = "3h",
        monotonic_drift = { every = "3h", lasts = "10m..1h", amount = "-500..500" },
    },

    run = function(w)
        -- All at once, as when a wrong time server is believed.
        w:sleep("2h")
        w:wall_step("all", "3650d")
        w:sleep("1h")
        w:wall_reset("all")
    end,

    expect = {
        { "sampled", ">=", 12 * 360 },
        { "lost", "==", 0 },
        { "rejected", "<=", 100 },
        on_time = function(w)
            local most = 12 * 400
            return w:figure("sampled") <= most, w:figure("sampled") .. " samples are too many"
        end,
    },
}
