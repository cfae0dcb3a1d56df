/* What a device keeps besides readings and firmware: its key pair, the one that is to follow, and
 * the version of its policy. Records of the application's store (record_id.h), which the outbox
 * has mounted.
 *
 * Rotation: stage a new pair (durable), let the server sign for it, switch to it in one put: at
 * every cut the old pair is in force, or the new one. The staged pair stays the same until it is
 * in force, so that the server is never asked for two.
 *
 * Each record names the telemetry epoch that it belongs to and counts in no other one. So a factory
 * reset is one increment of a counter, outbox_end_epoch: after it readings, keys and policy are
 * those of a new device, whatever power does; firmware and security floor are not touched. A store
 * that is lost (rot, outbox.h) is one as well: the server sees the new epoch, and generation 0. A
 * seed that was replaced stays in flash until its sector is compacted.
 */
#ifndef BROWNOUT_CORE_VAULT_H
#define BROWNOUT_CORE_VAULT_H

#include <stdbool.h>

#include "core/store.h"

struct vault_config {
    uint32_t device;
    struct key_pair factory; /* generation 0 */
    uint32_t epoch;          /* as the outbox has it; >= 1 */
};

struct vault {
    struct vault_config config;
    uint32_t generation; /* of the pair in force */
    struct key_pair keys;
    bool staged; /* `next` is durable */
    struct key_pair next;
    uint64_t policy; /* version; 0 = the factory's */
};

/* Says what is in force (ROTATE, POLICY). ERR_OK | ERR_IO | ERR_CORRUPT: what is there cannot be
 * read; to go on with an older key would be wrong. */
enum err vault_load(struct vault *vault, const struct store *store, const struct port *port,
                    const struct vault_config *config) MUST_USE;

/* Draw the pair that is to follow; durable once ERR_OK (ROTATE, 0). Where one is staged already it
 * stays. ERR_OK | ERR_IO | ERR_FULL | ERR_RANGE: generations are used up. */
enum err vault_stage(struct vault *vault, struct store *store, const struct port *port) MUST_USE;

/* The staged pair is in force, durably (ROTATE, 1). ERR_OK | ERR_DENIED: none is staged | ERR_IO |
 * ERR_FULL: the old one is. */
enum err vault_switch(struct vault *vault, struct store *store, const struct port *port) MUST_USE;

/* ERR_OK: durable (POLICY) | ERR_DENIED: not newer | ERR_IO | ERR_FULL. */
enum err vault_policy(struct vault *vault, struct store *store, const struct port *port,
                      uint64_t version) MUST_USE;

#endif
