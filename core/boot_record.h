/* What boot loader and running image tell each other: one record in boot's store.
 * The boot loader counts trials and reverts; the running image arms a trial and confirms it. They
 * never run at the same time, and each change is one put: it took place whole or not at all.
 */
#ifndef BROWNOUT_CORE_BOOT_RECORD_H
#define BROWNOUT_CORE_BOOT_RECORD_H

#include "core/slot.h"
#include "core/store.h"

struct boot_trial {
    uint32_t slot;                     /* SLOT_NONE: no trial; then the rest is 0 */
    struct manifest_sequence sequence; /* of the manifest that was armed */
    struct trial_counter trials;       /* boots that it has left */
};

struct boot_revert {
    struct manifest_sequence sequence; /* of the image last reverted; 0 = none ever was */
    enum image_fault reason;
    uint32_t count; /* times in a row that this sequence was reverted */
};

struct boot_record {
    uint32_t confirmed;                /* slot that boots when there is no trial */
    struct manifest_sequence sequence; /* highest that was ever confirmed */
    struct boot_trial trial;           /* of the other slot */
    struct boot_revert revert;
};

/* Mount boot's store and read the record. ERR_OK | ERR_NOT_FOUND: no store, format it |
 * ERR_CORRUPT: no record in it, or none that is to be trusted | ERR_IO. */
enum err boot_record_load(struct store *store, const struct port *port,
                          const struct slot_layout *layout, struct boot_record *out) MUST_USE;

/* Put the record into the mounted store; durable once ERR_OK. ERR_OK | ERR_IO. */
enum err boot_record_save(struct store *store, const struct port *port,
                          const struct boot_record *record) MUST_USE;

/* Raise the device's security floor to that of a confirmed image, by SECURITY_LEAP_MAX steps at the
 * most. Only after the record that confirms it is durable; again whenever that image boots, in case
 * power went in between. *floor: out, what the floor is now. ERR_OK | ERR_IO: the next boot goes
 * on.
 */
enum err boot_record_raise_floor(const struct port *port, struct security_floor confirmed,
                                 struct security_floor *floor) MUST_USE;

#endif
