-- Does every law hold in a fleet as it comes, when whatever can befall a node does so about once an hour?
--
-- Written for no bug in particular: settings are the defaults, and every fault class that voids no law is
-- as long and as strong as it is by default. What brownout mutants --explore begins with. Every other run
-- is drawn anew by a swarm, which together finds most (docs/exploration.md).
---@type Scenario
return {
    fleet = { gateways = 2, rogues = 1, devices = 4 },
    duration = "1h",
    heal = "40m",
    swarm = "half",
    device = { sample_every = "1m" },
    faults = {
        power_cut = "1h",
        crash = "1h",
        hang = "1h",
        suspend = "1h",
        disk_full = "1h",
        disk_error = "1h",
        wall_step = "1h",
        wall_reset = "1h",
        wall_freeze = "1h",
        wall_drift = "1h",
        monotonic_drift = "1h",
        link_reset = "1h",
        link_half_open = "1h",
        link_stall = "1h",
        link_delay = "1h",
        link_slow = "1h",
        partition = "1h",
        partition_in = "1h",
        partition_out = "1h",
        attack_replay = "1h",
        attack_reorder = "1h",
        attack_duplicate = "1h",
        attack_delay = "1h",
        attack_corrupt = "1h",
        attack_drop = "1h",
    },
}
