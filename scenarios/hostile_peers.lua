-- Hostile peers ask a gateway for more sessions than it has: does it still serve who is honest?
-- They say nothing, a byte a second, garbage, huge lengths, or that they are one of its devices, and are
-- left half-open at the end. Devices come anew in the middle of it; half know that gateway alone.

local most = 0 -- readings that a device held back, at a minute's end

---@type Scenario
return {
    fleet = { devices = 12, gateways = 1, rogues = 1 },
    duration = "30m",
    heal = "15m",
    device = { sample_every = "20s", gateways = 1, outbox = 256, backoff_cap = "20s" },
    gateway = { sessions = 16, queue = 64, share = 16 },
    faults = {
        attack_flood = { every = "4m", lasts = "3m..8m", amount = "64..128" },
        power_cut = { every = "10m", lasts = "5s..20s", on = "device" },
    },

    run = function(w)
        for _ = 1, 29 do
            w:sleep("1m")
            for _, device in ipairs(w:nodes("device")) do
                local view = w:view(device)
                most = math.max(most, view and view.outbox_count or 0)
            end
        end
    end,

    expect = {
        { "lost", "==", 0 },
        { "shed", "==", 0 },
        -- 12 devices, 30 minutes, a reading each 20 s, but for the cuts: nine in ten.
        { "accepted", ">=", 12 * 30 * 3 * 9 // 10 },
        share = function(_)
            return most <= 9, ("a device held %d readings back: three minutes are 9"):format(most)
        end,
    },
}
