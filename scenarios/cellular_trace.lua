-- Does a fleet live on a cellular link that fades, stalls and comes back, as measured?
-- With measured traces in mahimahi's format, a millisecond a line for each packet that may leave:
--   brownout run scenarios/cellular_trace.lua --set link.device=trace:UP.mahi,DOWN.mahi
-- Without them a stock 3G profile stands in, slowed and stalled by faults.

---@type Scenario
return {
    fleet = { devices = 8, gateways = 2 },
    duration = "2h",
    heal = "30m",
    link = { device = "3g" },
    device = { sample_every = "20s" },

    faults = {
        link_slow = { every = "20m", lasts = "30s..5m", amount = "1000..50000", on = "device" },
        link_stall = { every = "15m", lasts = "5s..1m", on = "device" },
        link_delay = { every = "30m", lasts = "30s..5m", amount = "500ms..10s", on = "device" },
    },

    expect = {
        { "lost", "==", 0 },
        { "shed", "==", 0 },
        { "accepted", ">=", 8 * 350 },
    },
}
