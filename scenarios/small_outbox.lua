-- An outage outlasts the outbox, on a link as slow as they come: is every loss a counted one?
-- The oldest readings are shed by rule and by word; what is kept crosses a link that says "later".

---@type Scenario
return {
    fleet = { devices = 6, gateways = 2 },
    duration = "2h",
    heal = "30m",
    link = { device = "nb-iot" },
    device = { sample_every = "5s", outbox = 96, window = 64 },

    strikes = {
        { effect = "partition", on = "cloud1", at = "20m", lasts = "30m" },
        { effect = "link_slow", on = "device", at = "50m", lasts = "10m", amount = 2000 },
    },

    expect = {
        { "shed", ">=", 6 * 100 },
        { "lost", "==", 0 },
        { "accepted", ">=", 6 * 700 },
    },
}
