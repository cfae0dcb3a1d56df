-- The confirmed image rots, and the boot record with it, when another one is armed: who raises the floor then?
-- The boot loader takes the image that is left for confirmed, and its floor rises without a confirm.
-- Found by strikes placed on evidence: update.floor. There is nothing below it to go back to: the law
-- knows that now.
---@type Scenario
return {
    fleet = { gateways = 2, devices = 12 },
    duration = "30m",
    heal = "25m",
    crypto = "ideal",
    device = { sample_every = "30s", reserve = 4, backoff_cap = "10s", ack_timeout = "1m" },
    firmware = { image = 6000, release = "10m", trial = "3m" },

    faults = {
        power_cut = { every = "5m", lasts = "1s..30s", on = "device" },
    },
    strikes = {
        { effect = "flash_rot", on = "device", evidence = "ARM", nth = 1, amount = 3 },
    },

    expect = {
        { "flash_faded", ">=", 12 * 3 },
    },
}
