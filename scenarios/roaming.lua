-- Devices roam while their old connections linger half-open: is each reading counted once?
-- The gateway left behind still holds bytes of the device, and hands them on later.

---@type Scenario
return {
    fleet = { devices = 9, gateways = 3 },
    duration = "2h",
    heal = "30m",
    device = { sample_every = "15s", gateways = 3, ack_timeout = "60s" },

    run = function(w)
        local devices = w:nodes("device")
        w:sleep("5m")
        for _ = 1, 250 do
            local device = devices[w:random(#devices)]
            local gateway = "gw" .. w:random(3)
            if w:random(3) == 1 then
                w:partition_in(gateway, "20s", { other = "cloud1" }) -- its acks come late
            end
            w:link_half_open(device)
            w:sleep(w:random(5, 40) .. "s")
        end
    end,

    expect = {
        { "reconnects", ">=", 50 },
        { "accepted", ">=", 9 * 450 },
        { "lost", "==", 0 },
    },
}
