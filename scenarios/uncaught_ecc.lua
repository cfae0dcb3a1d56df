-- Where a port does not catch the fault of an ECC word that power tore, what may still be asked of a device?
-- core/port.h has the port catch it and answer an error. Here nobody does: the fault resets the processor in
-- the middle of a step, at every boot that reads that word again. Such a device may never come back, so that
-- nothing is asked of how far the fleet gets; what a device did say, and what others do, holds.

local strikes = {}
for device = 1, 6 do
    strikes[device] = {
        effect = "power_cut", on = "dev" .. device, at = device * 2 .. "m", lasts = "5s",
        operation = "flash_program", nth = device, phase = "inside", fraction = device * 5003,
    }
end

---@type Scenario
return {
    fleet = { gateways = 2, devices = 6 },
    duration = "40m",
    heal = "10m",
    crypto = "ideal",
    laws = "-liveness.delivered,-liveness.acked",
    device = { sample_every = "30s", reserve = 8 },
    flash = { part = "../sim/parts/hostile/ecc-8-fault.part" },
    strikes = strikes,

    faults = {
        power_cut = { every = "10m", lasts = "1s..10s", on = "device" },
    },

    expect = {
        { "power_losses", ">=", 6 },
        { "flash_poisoned", ">=", 1 },
    },
}
