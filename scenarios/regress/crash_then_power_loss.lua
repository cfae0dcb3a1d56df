-- A process dies between its write and its sync, boots, and then the power goes: is what it served still there?
-- The log that a dead process leaves is readable and not durable. Found by a sweep: telemetry.durable.

---@type Scenario
return {
    fleet = { devices = 2 },
    duration = "10m",
    heal = "15m",
    device = { sample_every = "10s" },
    crypto = "ideal",

    strikes = {
        { effect = "crash", on = "cloud1", at = "2m", operation = "disk_sync", nth = 1, phase = "before", lasts = "1s" },
        { effect = "power_cut", on = "cloud1", at = "2m", evidence = "BOOT", nth = 1, delay = "9s", lasts = "1s" },
    },

    expect = {
        { "power_losses", "==", 1 },
        { "images_judged", ">=", 3 },
    },
}
