-- Is a sweep in shards the sweep? Some of its runs fail.

---@type Scenario
return {
    fleet = { devices = 2, gateways = 1 },
    run = { duration = "2m", heal = "10m" },
    faults = { link_reset = "1m" },
    expect = { { "reconnects", "<", 9 } },
}
