-- Power fails just when the acknowledgement is due: is the reading sent again, and counted once?
-- Each step waits for what the fleet has come to, instead of guessing at times.

---@type Scenario
return {
    fleet = { devices = 1, gateways = 1 },
    duration = "40m",
    heal = "15m",
    sweep_every = 16,
    device = { sample_every = "1m" },

    run = function(w)
        for round = 1, 5 do
            local accepted = w:figure("accepted")
            if not w:await(function(w) return w:figure("accepted") > accepted end, "5m") then
                return w:fail("round " .. round .. ": the cloud accepts nothing any more")
            end
            -- Accepted by the cloud, not yet acked to the device.
            w:power_cut("dev1", "30s")

            local released = w:figure("released")
            if not w:await(function(w) return w:figure("released") > released end, "5m") then
                return w:fail("round " .. round .. ": the device never learned of it")
            end
        end
    end,

    expect = {
        { "power_losses", "==", 5 },
        { "rejected", ">=", 1 }, -- copies, sent again and recognised
        { "lost", "==", 0 },
    },
}
