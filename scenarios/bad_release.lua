-- Is a release that never gets healthy reverted everywhere, and does the cloud know why?

---@type Scenario
return {
    fleet = { clouds = 1, gateways = 2, devices = 20 },
    duration = "4h",
    heal = "2h",
    crypto = "ideal",
    device = { sample_every = "5m" },
    firmware = { image = 6000, release = "10m", defect = "mute", trial = "5m", reverts = 2 },

    faults = {
        power_cut = { every = "2h", lasts = "1s..2m", on = "device" },
    },

    expect = {
        { "updated", "==", 0 },
        { "confirmed", "==", 0 },
        { "known", "==", 20 },
        { "reverted", ">=", 30 },
    },
}
