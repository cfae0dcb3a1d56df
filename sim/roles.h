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

/* Of a device that is up: what it runs. False: nothing, or its firmware is not managed. */
bool role_device_firmware(const void *memory, struct device_firmware_view *out);

#endif
