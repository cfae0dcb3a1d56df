/* Inside of the device: what its parts share. For core/device*.c only. */
#ifndef BROWNOUT_CORE_DEVICE_INSIDE_H
#define BROWNOUT_CORE_DEVICE_INSIDE_H

#include "core/device.h"
#include "core/evidence.h"

enum next_gateway { GATEWAY_SAME, GATEWAY_NEXT };

/* Say this of the device. */
void device_say(const struct device *device, const struct port *port, struct evidence evidence);
/* A peer's bytes were dropped. */
void device_drop(struct device *device, const struct port *port, enum refusal refusal);
/* Did the cloud sign it? Too many that it did not sign end the connection. */
bool device_verified(struct device *device, const struct port *port, uint64_t now_us,
                     const struct cose_sign1 *parsed) MUST_USE;
/* End the connection, and plan the next one. */
void device_leave(struct device *device, const struct port *port, uint64_t now_us,
                  enum next_gateway next);
/* No connection, and no next one: a reset comes at reset_at_us. */
void device_retire(struct device *device, const struct port *port);
/* Ask for a reset after backoff_cap_us. */
void device_reset_later(struct device *device, uint64_t now_us);
/* Saturating. */
uint64_t device_add(uint64_t left, uint64_t right);

#endif
