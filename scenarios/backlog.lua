-- The outage lasts longer than the replay window is wide: does the backlog come through it?
-- A device sends only within its window of the oldest unacked reading, so it must work its way up.

---@type Scenario
return {
    fleet = { devices = 6, gateways = 2 },
    duration = "6h",
    heal = "30m",
    sweep_every = 4,
    device = { sample_every = "1m", window = 16, outbox = 250 },
    cloud = { window = 16 },
    gateway = { queue = 64 },

    run = function(w)
        w:sleep("30m")
        w:power_cut("gateway", "3h") -- 180 readings: eleven windows
        w:sleep("3h")
        local sampled = w:figure("sampled")
        local caught_up = w:await(function(w) return w:figure("accepted") >= sampled end, "1h")
        if not caught_up then
            w:fail(("an hour later %d readings of the outage are missing"):format(
                sampled - w:figure("accepted")))
        end
    end,

    expect = {
        { "shed", "==", 0 },
        { "lost", "==", 0 },
        { "accepted", ">=", 6 * 350 },
    },
}
