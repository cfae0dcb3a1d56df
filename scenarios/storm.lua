-- Does a fleet keep every promise while everything that can befall it does?
-- All fault classes at once, and a compromised gateway. Disks that lie or are lost void what was
-- promised on them: here they strike gateways alone, so the laws of telemetry hold unabridged.

---@type Scenario
return {
    fleet = { clouds = 1, gateways = 3, rogues = 1, devices = 60 },
    duration = "6h",
    heal = "40m",
    crypto = "ideal", -- the same history in a tenth of the time; --set crypto=openssl for real ones
    device = { sample_every = "1m", gateways = 3 },

    faults = {
        power_cut = { every = "90m", lasts = "1s..5m" },
        crash = { every = "3h", lasts = "1s..30s" },
        hang = { every = "6h", lasts = "10s..5m" },
        suspend = { every = "6h", lasts = "30s..20m" },

        disk_full = { every = "2h", lasts = "10s..10m" },
        disk_error = { every = "2h", lasts = "10s..5m", amount = "1000..50000" },
        disk_lying = { every = "4h", lasts = "10s..5m", on = "gateway" },
        disk_lost = { every = "6h", on = "gateway" },

        wall_step = { every = "4h", amount = "-1h..1h" },
        wall_drift = { every = "6h", lasts = "10m..1h" },
        wall_freeze = { every = "8h", lasts = "1m..1h" },
        wall_reset = "8h",
        monotonic_drift = { every = "6h", lasts = "10m..1h" },

        link_reset = "1h",
        link_half_open = "2h",
        link_stall = { every = "1h", lasts = "1s..2m" },
        link_delay = { every = "2h", lasts = "10s..10m", amount = "100ms..20s" },
        link_slow = { every = "2h", lasts = "10s..10m", amount = "1000..200000" },
        partition = { every = "3h", lasts = "10s..20m" },
        partition_in = { every = "4h", lasts = "10s..10m" },
        partition_out = { every = "4h", lasts = "10s..10m" },

        attack_replay = { every = "30m", lasts = "5m..30m" },
        attack_reorder = { every = "30m", lasts = "5m..30m" },
        attack_duplicate = { every = "30m", lasts = "5m..30m" },
        attack_delay = { every = "1h", lasts = "5m..30m" },
        attack_corrupt = { every = "1h", lasts = "5m..30m" },
        attack_drop = { every = "2h", lasts = "1m..10m" },
    },

    expect = {
        { "accepted", ">=", 10000 },
        { "power_losses", ">=", 60 },
        { "released", ">=", 10000 },
    },
}
