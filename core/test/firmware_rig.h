/* A device on the bench, for tests of boot loader and update: flash in RAM that is strict about its
 * rules, counters, real crypto, two keys to sign with, and power that can be cut before any
 * operation that changes something. */
#ifndef BROWNOUT_TEST_FIRMWARE_RIG_H
#define BROWNOUT_TEST_FIRMWARE_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/boot.h"
#include "core/crypto/openssl.h"
#include "core/evidence.h"
#include "core/update.h"

enum {
    RIG_SECTOR_BYTES = 512,
    RIG_UNIT_BYTES = 8,
    RIG_SLOT_SECTORS = 5,
    RIG_SECTORS = 3 + 3 + 2 * RIG_SLOT_SECTORS,
    RIG_AREA_BYTES = (RIG_SLOT_SECTORS - 1) * RIG_SECTOR_BYTES,
    RIG_TRIALS = 3,
    RIG_HARDWARE = 77,
    RIG_RADIO = 9, /* a component, of level 4 */
};

struct rig {
    struct port port;
    struct crypto_openssl openssl;
    struct key_pair author, operator;
    uint8_t cells[RIG_SECTORS * RIG_SECTOR_BYTES];
    bool programmed[RIG_SECTORS * RIG_SECTOR_BYTES / RIG_UNIT_BYTES];
    uint64_t counters[COUNTER_COUNT];
    uint32_t writes;      /* programs, erases and increments since rig_power */
    uint32_t cut_at;      /* power goes before this one, counted from 1; 0: it stays */
    bool dead;            /* power is gone */
    bool worn;            /* power is there, but programs and erases fail */
    uint32_t unreadable;  /* this sector answers ERR_IO; RIG_SECTORS: none does */
    bool deadly;          /* reading that sector resets the device, as a bus fault does */
    bool counterless;     /* counters answer ERR_IO */
    uint64_t watchdog_us; /* as last armed */
    uint8_t retained[RETAINED_BYTES];
    uint32_t drawn; /* calls of entropy */
    struct boot_config boot_config;
    struct update_config update_config;
    struct boot boot;
    struct boot_report report;
    struct update update;
    struct store store; /* the application's */
    uint32_t said[EVIDENCE_COUNT];
    struct evidence last[EVIDENCE_COUNT];
};

/* What a maker of firmware hands out. */
struct release {
    struct manifest manifest;
    struct manifest_envelopes envelopes;
    uint8_t image[RIG_AREA_BYTES];
};

/* A device as it leaves the line: `factory` in slot A, nothing else. The rig stays where it is. */
void rig_make(struct rig *rig, const struct release *factory);
/* Before any release is made: port, keys and configuration. */
void rig_prepare(struct rig *rig);
void rig_free(struct rig *rig);

/* Fill in an image and a manifest for it, and sign. */
void rig_release(struct rig *rig, struct release *release, uint64_t sequence, uint64_t level,
                 uint32_t size_bytes);
/* Sign again after the manifest was changed. */
void rig_sign(struct rig *rig, struct release *release);

/* Power comes back; it goes before the cut_at-th write from now on, 0 = it stays. */
void rig_power(struct rig *rig, uint32_t cut_at);
/* Boot, and where a slot is chosen, start its image. */
enum err rig_boot(struct rig *rig);
/* Offer, download, finish, while the power is there. */
enum err rig_install(struct rig *rig, const struct release *release);
/* The same, and boot it, and confirm. */
void rig_replace(struct rig *rig, const struct release *release);

/* Does the slot hold exactly this image? */
bool rig_holds(const struct rig *rig, uint32_t slot, const struct release *release);
uint8_t *rig_slot(struct rig *rig, uint32_t slot);

#endif
