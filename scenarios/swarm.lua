-- Does every law hold in fleets that nobody thought of?
-- Topology, windows, links, latitude of the ports, and which faults there are: each seed draws its own.

---@type Scenario
return {
    fleet = { gateways = 1, devices = 4 },
    duration = "1h",
    heal = "40m",
    swarm = "yes",
    device = { sample_every = "1m" },
}
