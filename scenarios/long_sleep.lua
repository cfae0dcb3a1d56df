-- Devices sleep for hours, or hang until the watchdog bites: do they come back where they were?
-- Asleep a device does not sample and its clock stands still; hung, it owes an explanation.

---@type Scenario
return {
    fleet = { devices = 8, gateways = 2 },
    duration = "8h",
    heal = "30m",
    sweep_every = 8,
    device = { sample_every = "1m", watchdog = "5m" },

    run = function(w)
        w:sleep("30m")
        w:suspend({ "dev1", "dev2", "dev3" }, "3h")
        w:hang({ "dev4", "dev5" }, "20m") -- the watchdog bites first
        w:hang("dev6", "2m")              -- it is patient for that long
        w:sleep("20m")
        if w:view("dev4") == nil or w:view("dev5") == nil then
            w:fail("the watchdog did not bring the hung devices back")
        end
        w:sleep("3h")
        -- The whole fleet nods off, as at night, and wakes at the same moment.
        w:suspend("device", "1h")
    end,

    expect = {
        { "power_losses", "==", 0 },
        { "boots", ">=", 11 + 2 },
        { "lost", "==", 0 },
        { "accepted", ">=", 8 * 200 },
    },
}
