-- Where flash is full and each new reading sheds an old one, do all that are held come back after a restart?
-- The new one took a slot that was chosen before room was made, and not the lowest free one. Found by
-- scenarios/swarm.lua with flash.sectors=6, seed 93: spec.telemetry.
---@type Scenario
return {
    fleet = { gateways = 1, devices = 1 },
    duration = "40m",
    heal = "15m",
    crypto = "ideal",
    device = { sample_every = "10s", reserve = 1 },
    flash = { sectors = 6, sector = 1024, unit = 32 },

    run = function(w)
        w:sleep("5m")
        w:partition("device", "30m")
        w:sleep("20m")
        w:crash("dev1", "1s")
    end,

    expect = {
        { "shed", ">=", 50 },
        { "lost", "==", 0 },
    },
}
