-- Pull the plug before, inside and after each flash operation of a device: is a promise broken?
-- One device for each operation, count and phase: it loses power in its first boot, and again in
-- the second, while it recovers from the first.

local strikes = {}
local device = 0
for _, operation in ipairs { "flash_program", "flash_erase", "flash_sync" } do
    for nth = 1, 6 do
        for _, phase in ipairs { "before", "inside", "after" } do
            device = device + 1
            for boot = 1, 2 do
                strikes[#strikes + 1] = {
                    effect = "power_cut", on = "dev" .. device, lasts = "5s",
                    operation = operation, nth = nth, phase = phase, boot = boot,
                    fraction = (nth * 7919 + boot * 31337) % 65536,
                }
            end
        end
    end
end

---@type Scenario
return {
    fleet = { devices = device, gateways = 1 },
    duration = "30m",
    heal = "15m",
    sweep_every = 4,
    device = { sample_every = "30s", reserve = 8 },
    strikes = strikes,

    expect = {
        -- A boot without that many operations of a kind lets its cut wait for ever.
        { "power_losses", ">=", device },
        { "accepted", ">=", device * 50 },
        { "lost", "<=", device },
    },
}
