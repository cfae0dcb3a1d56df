-- Is every planted bug caught? A small fleet under all fault classes that void no law, often.
--
-- What brownout mutants runs: each patch in sim/mutants must break the law that it names here, within a
-- few seeds. So windows are narrow, reserves small and outboxes long enough to hold a whole run:
-- what is stuck stays stuck, and is not shed by the counted rule.
---@type Scenario
return {
    fleet = { gateways = 2, rogues = 1, devices = 4 },
    duration = "25m",
    heal = "15m",
    crypto = "ideal",
    device = {
        sample_every = "10s",
        gateways = 3,
        reserve = 16,
        window = 16,
        outbox = 256,
        backoff_cap = "10s",
        ack_timeout = "30s",
        watchdog = "1m",
    },
    gateway = { backoff_cap = "5s", watchdog = "1m" },
    cloud = { window = 16, watchdog = "1m" },
    flash = { sectors = 24 },
    faults = {
        power_cut = { every = "4m", lasts = "1s..30s" },
        crash = { every = "8m", lasts = "1s..10s" },
        hang = { every = "20m", lasts = "5s..2m" },
        suspend = { every = "25m", lasts = "5s..2m" },
        disk_full = { every = "15m", lasts = "5s..1m" },
        disk_error = { every = "20m", lasts = "5s..1m" },
        wall_step = "10m",
        wall_reset = "30m",
        wall_freeze = { every = "30m", lasts = "1m..5m" },
        monotonic_drift = "30m",
        link_reset = "4m",
        link_half_open = "10m",
        link_stall = { every = "10m", lasts = "5s..1m" },
        link_delay = { every = "10m", lasts = "10s..1m" },
        partition = { every = "15m", lasts = "5s..1m" },
        partition_in = { every = "20m", lasts = "5s..1m" },
        partition_out = { every = "20m", lasts = "5s..1m" },
        attack_replay = { every = "3m", lasts = "30s..3m" },
        attack_reorder = { every = "6m", lasts = "30s..3m" },
        attack_duplicate = { every = "4m", lasts = "30s..3m" },
        attack_delay = { every = "6m", lasts = "30s..3m" },
        attack_corrupt = { every = "3m", lasts = "30s..3m" },
        attack_drop = { every = "6m", lasts = "30s..3m" },
    },
}
