-- The cloud loses power right after it accepted the hundredth reading: is that one kept and acked?
-- Hooks hear what nodes say, after the step that said it; a strike inside a step is a trigger.

---@type Scenario
return {
    fleet = { devices = 6, gateways = 2 },
    duration = "1h",
    heal = "15m",
    sweep_every = 16,
    device = { sample_every = "30s" },

    run = function(w)
        local count = 0
        local hook
        hook = w:on("ACCEPT", function(e)
            count = count + 1
            if count == 100 then
                w:power_cut(e.node, "20s")
                w:off(hook)
                -- The next one falls earlier: inside the write that makes the acceptance durable.
                w:power_cut(e.node, "20s", { operation = "disk_write", nth = 200 })
            end
        end)
    end,

    expect = {
        { "power_losses", "==", 2 },
        { "accepted", ">=", 6 * 100 },
        { "lost", "==", 0 },
    },
}
