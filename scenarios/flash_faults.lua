-- What is left of a device's promises when its flash rots, sticks, wears out and lies?
-- All opt-in faults of flash, on every device, beside power cuts, while an update rolls out. What no
-- such flash can keep is void at the device that has it, and printed as void; everything else holds:
-- only whole, signed images run, no floor falls, nothing acked is lost, nothing is accepted twice.

local faults = {
    { "flash_faded", ">", 0 },
    { "flash_weak", ">", 0 },
    { "flash_garbled", ">", 0 },
    { "flash_refused", ">", 0 },
    { "flash_ignored", ">", 0 },
    { "flash_worn", ">", 0 },
}

---@type Scenario
return {
    fleet = { gateways = 2, devices = 60 },
    duration = "2h",
    heal = "30m",
    crypto = "ideal",
    device = { sample_every = "30s", reserve = 8, backoff_cap = "10s", ack_timeout = "1m" },
    firmware = { image = 6000, release = "20m", trial = "3m" },

    faults = {
        power_cut = { every = "20m", lasts = "1s..30s", on = "device" },
        crash = { every = "40m", lasts = "1s..10s", on = "device" },
        flash_bad = { every = "8h", amount = "1..2" },
        flash_bad_silent = { every = "6h", amount = "1..2" },
        flash_rot = { every = "16h", amount = "1..4" },
        flash_stuck = { every = "8h", amount = "1..32" },
        flash_disturb = { every = "16h", amount = "1..8" },
        flash_brown_out = { every = "8h", amount = "100000..500000", lasts = "10s..2m" },
        flash_wear = { every = "16h", amount = "4..12" },
    },

    expect = faults,
}
