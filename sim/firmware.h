/* The firmware of a fleet: who signs it, what releases there are, where devices keep them. Made
 * from settings and seed, so that both crypto providers see the same bytes.
 *
 * Release 1 is what devices leave the line with, in slot A, security level 1. Release 2 is offered
 * from firmware.release on, as the settings describe it.
 *
 *   flash of a device: [ boot's store, 3 sectors ][ the application's ][ slot A ][ slot B ]
 */
#ifndef BROWNOUT_SIM_FIRMWARE_H
#define BROWNOUT_SIM_FIRMWARE_H

#include <stddef.h>

#include "core/boot_record.h"
#include "core/device_firmware.h"
#include "core/server/release.h"
#include "sim/behaviour.h"
#include "sim/flash.h"
#include "sim/setting.h"

enum { FIRMWARE_RELEASES_MAX = 8, FIRMWARE_BOOT_SECTORS = 3, FIRMWARE_APP_SECTORS_MIN = 3 };

/* What a release is to be. Its number, from 1 on, is the sequence of its manifest. */
struct firmware_model {
    uint64_t level; /* of security */
    enum behaviour_defect defect;
    uint64_t from_us; /* wall time from which on it is offered; 0: always */
};

/* What a fleet's firmware is to be. */
struct firmware_spec {
    uint64_t seed; /* of signers and images */
    struct slot_layout layout;
    uint32_t image_bytes;
    uint32_t trials, reverts_max;
    uint64_t watchdog_us, trial_us;
    uint32_t release_count;
    struct firmware_model releases[FIRMWARE_RELEASES_MAX];
};

struct firmware_release {
    struct manifest manifest;
    struct manifest_envelopes envelopes;
    uint8_t *area; /* the whole image area of a slot: image, then erased cells */
};

struct firmware {
    struct flash_geometry geometry; /* of a device's part */
    uint32_t area_bytes;
    uint32_t release_count; /* 1: nothing is offered */
    struct firmware_release releases[FIRMWARE_RELEASES_MAX];
    struct device_firmware_config device; /* but for the device's number */
    struct cloud_release offered[FIRMWARE_RELEASES_MAX];
    struct cloud_firmware_config cloud; /* borrows `offered` */
    struct key_pair author, operator;   /* who sign: for those who play a thief of one key */
};

/* Can the settings be had on this part? True as well where firmware is not managed. False: error
 * says what to change. */
bool firmware_check(const struct settings *settings, const struct flash_geometry *geometry,
                    char *error, size_t error_bytes);

/* NULL when crypto fails. */
struct firmware *firmware_make(const struct firmware_spec *spec, const struct port_crypto *crypto,
                               const struct flash_geometry *geometry);
/* The settings are checked, and ask for managed firmware. NULL when crypto fails. */
struct firmware *firmware_create(const struct settings *settings, uint64_t seed,
                                 const struct port_crypto *crypto,
                                 const struct flash_geometry *geometry);
void firmware_free(struct firmware *firmware);

/* Program release number `index` + 1 into an erased slot. */
void firmware_program(const struct firmware *firmware, struct flash *flash, uint32_t index,
                      uint32_t slot);
/* A device as it leaves the line: release 1 is in slot A of an erased part. */
void firmware_install(const struct firmware *firmware, struct flash *flash);

/* The sequence of the release that is whole and certain in a slot, its header included; 0: none. */
uint64_t firmware_in_slot(const struct firmware *firmware, const struct flash *flash,
                          uint32_t slot);

/* The sequence of the release that a slot's header names, whatever is behind it; 0: none. */
uint64_t firmware_header(const struct firmware *firmware, const struct flash *flash, uint32_t slot);

/* The boot loader's record, as the flash has it now. False: none that reads. To look leaves no
 * trace. */
bool firmware_record(const struct firmware *firmware, const struct flash *flash,
                     struct boot_record *out);
/* The agent's: of which release how many sectors count. 0, 0: of none. */
void firmware_progress(const struct firmware *firmware, const struct flash *flash,
                       struct manifest_sequence *sequence, uint32_t *sectors);

#endif
