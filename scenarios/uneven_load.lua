-- Is anybody's reading lost where a few devices send far more than the others, all of them in bursts?

---@type Scenario
return {
    fleet = { gateways = 2, devices = 12 },
    duration = "2h",
    heal = "30m",
    device = { sample_every = "1m", window = 16 },
    workload = { hot = 8, skew = 2, burst = 20, idle = "10m" },
    gateway = { queue = 64, share = 16 },
    faults = {
        link_reset = "30m",
        power_cut = { every = "1h", lasts = "10s..5m" },
        partition = { every = "2h", lasts = "1m..10m" },
    },
    expect = { { "sampled", ">=", 500 } },
}
