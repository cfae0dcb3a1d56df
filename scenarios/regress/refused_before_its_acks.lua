-- Where a gateway takes few readings of a device and refuses the next, do the acks of those arrive?
-- A device that left at the refusal was gone before the acks of what was taken could come: it lived on
-- shedding. Found by scenarios/swarm.lua with run.duration=15m and run.heal=20m, seed 178.

---@type Scenario
return {
    fleet = { devices = 1, gateways = 1 },
    duration = "10m",
    heal = "20m",
    crypto = "ideal",
    device = { sample_every = "10s", gateways = 1, backoff_cap = "10s", ack_timeout = "25s" },
    gateway = { share = 2 },
    link = { device = "wifi", gateway = "satellite" },

    faults = { partition = { every = "2m", lasts = "8m", on = "cloud" } },

    expect = { { "lost", "==", 0 }, { "shed", "==", 0 } },
}
