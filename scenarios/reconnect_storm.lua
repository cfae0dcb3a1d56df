-- When all gateways come back at the same moment, does the storm of reconnects blow over?
-- Devices back off with jitter, each for itself; nobody tells them to take turns.

local devices = 120

-- How many devices have a session.
local function connected(w)
    local count = 0
    for _, device in ipairs(w:nodes("device")) do
        local view = w:view(device)
        count = count + (view and view.connected or 0)
    end
    return count
end

---@type Scenario
return {
    fleet = { devices = devices, gateways = 2 },
    duration = "50m",
    heal = "20m",
    device = { sample_every = "2m" },

    run = function(w)
        w:sleep("10m")
        for round = 1, 3 do
            w:power_cut("gateway", "3m")
            w:sleep("3m")
            local enough = devices * 95 // 100
            if not w:await(function(w) return connected(w) >= enough end, "5m") then
                w:fail(("round %d: only %d devices are back"):format(round, connected(w)))
            end
        end
    end,

    expect = {
        -- A device that hammers at the door would need far more.
        { "reconnects", "<=", devices * 3 * 12 },
        { "lost", "==", 0 },
        { "shed", "==", 0 },
    },
}
