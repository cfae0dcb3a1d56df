-- Which edges of the Telemetry spec's own graph do devices take?
-- Its constants are those of specs/Telemetry/MC.cfg, so the first three readings of each device lie in the graph that TLC
-- explored, and `brownout spec edges Telemetry` says which of its edges no run has taken.
-- For the other configurations: --set reserve=1 (MC_reserve); --set reserve=2 with both windows 1
-- (MC_epochs).

---@type Scenario
return {
    fleet = { gateways = 2, rogues = 1, devices = 60 },
    duration = "2m",
    heal = "10m",
    crypto = "ideal",
    device = {
        sample_every = "4s",
        gateways = 3,
        reserve = 3,
        window = 2,
        outbox = 2,
        backoff_base = "200ms",
        backoff_cap = "1s",
        ack_timeout = "10s",
    },
    gateway = { backoff_cap = "1s" },
    cloud = { window = 2 },
    faults = {
        power_cut = { every = "15s", lasts = "100ms..5s", on = "device" },
        crash = { every = "20s", lasts = "100ms..5s", on = "cloud" },
        link_reset = "10s",
        link_delay = { every = "20s", lasts = "1s..10s", amount = "100ms..5s" },
        partition = { every = "20s", lasts = "1s..10s" },
        attack_replay = { every = "10s", lasts = "5s..1m" },
        attack_duplicate = { every = "10s", lasts = "5s..1m" },
        attack_reorder = { every = "10s", lasts = "5s..1m" },
    },
}
