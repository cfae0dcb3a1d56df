-- The cloud's disk says "done" and lies, then the power fails: what still holds?
-- What was promised on that disk is void, and the verdict says so. What no disk can take away
-- holds: nothing forged is accepted, and no device uses a counter twice.

---@type Scenario
return {
    fleet = { devices = 6, gateways = 2 },
    duration = "3h",
    heal = "30m",
    sweep_every = 16,
    device = { sample_every = "30s" },

    run = function(w)
        for round = 1, 4 do
            w:sleep("30m")
            w:disk_lying("cloud1", "1m")
            w:sleep(3 * round .. "s")
            w:power_cut("cloud1", "10s")
        end
        w:sleep("10m")
        w:disk_lying("gw1", "1m")
        w:power_cut("gw1", "10s", { operation = "disk_sync", phase = "after", nth = 4 })
    end,

    expect = {
        -- A database that lost half of a commit may be past reading; then the cloud stays down.
        { "power_losses", ">=", 2 },
        { "accepted", ">=", 6 * 50 },
        { "lost", "==", 0 },
    },
}
