-- The cloud cannot be reached for two hours: do the gateways hold what they took into custody?
-- Devices go on handing over to their gateways. Nothing is lost, and nothing is accepted meanwhile.

---@type Scenario
return {
    fleet = { devices = 10, gateways = 2 },
    duration = "4h",
    heal = "30m",
    device = { sample_every = "1m" },

    run = function(w)
        w:sleep("30m")
        w:partition("cloud1", "2h")
        w:sleep("1m") -- what was under way when it began
        local accepted = w:figure("accepted")

        w:sleep("1h")
        w:crash("gw1", "5s") -- custody is a promise on disk, not in memory
        w:sleep("30m")
        if w:figure("accepted") ~= accepted then
            w:fail("readings reached the cloud through a partition")
        end
    end,

    expect = {
        { "lost", "==", 0 },
        { "shed", "==", 0 },
        { "queue_peak", ">=", 100 },
        { "accepted", ">=", 10 * 230 },
    },
}
