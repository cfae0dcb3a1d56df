-- A compromised gateway replays, doubles and corrupts what it carries: is any of it accepted?
-- It is enrolled and speaks valid MQTT; what it has not is the devices' keys.

---@type Scenario
return {
    fleet = { devices = 8, gateways = 1, rogues = 1 },
    duration = "2h",
    heal = "30m",
    device = { sample_every = "20s" },

    run = function(w)
        w:sleep("5m")
        w:attack_replay("rogue1", 500000, "90m")
        w:attack_duplicate("rogue1", 300000, "90m")
        w:attack_reorder("rogue1", 300000, "90m")
        w:attack_corrupt("rogue1", 200000, "60m")
        -- The cloud's memory of what it has seen must outlive its process.
        for _ = 1, 6 do
            w:sleep("10m")
            w:power_cut("cloud1", "5s", { evidence = "ACCEPT" })
        end
    end,

    expect = {
        { "rejected", ">=", 50 },
        { "accepted", ">=", 8 * 300 },
        attacked = function(w)
            local rogue = w:view("rogue1")
            return rogue.replayed > 0 and rogue.duplicated > 0 and rogue.corrupted > 0,
                "the attacks did not come to pass"
        end,
    },
}
