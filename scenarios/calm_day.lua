-- Does every reading of a calm day arrive, exactly once, and does its device learn of it?
-- No fault is drawn: what goes wrong here goes wrong for everybody.

---@type Scenario
return {
    fleet = { devices = 12, gateways = 2 },
    duration = "1d",
    heal = "10m",
    sweep_every = 16,
    device = { sample_every = "5m" },

    expect = {
        { "sampled", ">=", 12 * 288 },
        { "lost", "==", 0 },
        { "shed", "==", 0 },
        { "refused", "==", 0 },
        all_arrive = function(w)
            -- The last reading of each device may still be on its way.
            local missing = w:figure("sampled") - w:figure("accepted")
            return missing <= #w:nodes("device"), missing .. " readings are missing"
        end,
    },
}
