/* Core's roles, and the attacker's, as the simulator runs them: one table of four or five pointers
 * each. */
#ifndef BROWNOUT_SIM_ROLES_H
#define BROWNOUT_SIM_ROLES_H

#include "core/device_firmware.h"
#include "sim/node.h"

/* role_mask: one ROLE_MASK_*. */
const struct role *role_of(uint32_t role_mask);
/* RAM of the role for its configuration. */
size_t role_memory_bytes(uint32_t role_mask, const void *config);

/* What a device keeps, and how it answered the newest challenge. */
struct role_outbox {
    uint32_t epoch; /* 0: it has no store */
    uint64_t next;
    uint32_t count;
    uint64_t answers, answer_floor; /* how many since its boot; the newest */
};
/* Of a device that has booted as far as its outbox. */
void role_device_outbox(const void *memory, struct role_outbox *out);
/* The MQTT packet id that its next PUBLISH has; 0: it has no connection. */
uint16_t role_device_packet_id(const void *memory);
void role_device_kept(const void *memory, uint32_t index, uint64_t *counter, uint32_t *slot);

/* Of a device that is up: what it runs. False: nothing, or its firmware is not managed. */
bool role_device_firmware(const void *memory, struct device_firmware_view *out);

#endif
