-- Disks of gateways and cloud fill up, and fail now and then: is every promise still kept?
-- A node without room refuses; it never says yes and forgets.

---@type Scenario
return {
    fleet = { devices = 10, gateways = 2 },
    duration = "3h",
    heal = "30m",
    device = { sample_every = "30s" },

    faults = {
        disk_full = { every = "20m", lasts = "1m..10m" },
        disk_error = { every = "15m", lasts = "10s..2m", amount = "1000..100000" },
    },

    run = function(w)
        w:sleep("1h")
        w:disk_full({ "gateway", "cloud" }, "10m") -- everywhere at once
        w:sleep("5m")
        w:power_cut({ "gateway", "cloud" }, "5s")  -- and then the power
    end,

    expect = {
        { "lost", "==", 0 },
        { "accepted", ">=", 10 * 300 },
        refusals = function(w)
            return w:figure("refused") + w:figure("challenges") > 0, "no disk was ever full"
        end,
    },
}
