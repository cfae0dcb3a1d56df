/* The first code that runs: chooses the slot to jump to, and says why.
 *
 * Every boot verifies what it is about to run, over the bytes in flash. The rules:
 *   - a trial is counted down, durably, before its image is even looked at: whatever that image or
 *     its verification does to this boot, the next one has one trial less;
 *   - a trial that is used up, or whose image does not verify, is reverted: the confirmed image
 *     boots, and the reason is on record;
 *   - if the confirmed image does not verify, the other slot boots, if that does. Such a fallback
 * is not counted: there is nothing left to go back to;
 *   - nothing boots below the security floor. A confirmed image raises it; no other does;
 *   - without a record (new device, or rot) the older of two good images counts as confirmed, and
 *     the newer one gets a fresh trial; where no record can be kept, the older one boots as a
 *     fallback: nobody knows that it is the confirmed one, so no floor rises and no update starts.
 *
 * Not counted are resets while a confirmed image is verified. No read of flash makes one (port.h,
 * ecc), and what else does (a supply that breaks down, a watchdog from before) says nothing about
 * the image: to give it up for that would let a weak battery undo an update.
 *
 * No heap; struct boot and the report are the caller's; stack use is bounded.
 */
#ifndef BROWNOUT_CORE_BOOT_H
#define BROWNOUT_CORE_BOOT_H

#include "core/boot_record.h"

struct boot_config {
    uint32_t device; /* for evidence */
    struct slot_layout layout;
    struct manifest_authority authority;
    struct trial_counter trials; /* boots that an unconfirmed image gets, >= 1 */
    uint64_t watchdog_us;        /* armed before the jump to one, so that it cannot hang; 0: not */
};

enum boot_outcome {
    BOOT_NONE,      /* no slot may run */
    BOOT_CONFIRMED, /* the confirmed image */
    BOOT_TRIAL,     /* an image that is not confirmed yet */
    BOOT_FALLBACK,  /* the other image, because the confirmed one is not good any more; or the older
                       one, because there is no record and no place for one */
};

/* For the running image, and through it for the cloud. */
struct boot_report {
    enum boot_outcome outcome;
    uint32_t slot;               /* to jump to; SLOT_NONE */
    struct manifest manifest;    /* of the image in it */
    struct security_floor floor; /* as this boot leaves it */
    struct boot_record record;   /* as this boot leaves it */
    bool reverted;               /* this boot reverted a trial: record.revert says which, and why */
    bool recovered;              /* there was no record: it was made anew */
    enum image_fault faults[SLOT_COUNT]; /* of the slots that were looked at */
};

struct boot {
    struct store store;
};

/* The whole life of the boot loader. ERR_OK: jump to report->slot. ERR_NOT_FOUND: no slot may run;
 * report->faults says why. When the power goes meanwhile, the next call goes on. */
enum err boot_run(struct boot *boot, const struct boot_config *config, const struct port *port,
                  struct boot_report *report) MUST_USE;

#endif
