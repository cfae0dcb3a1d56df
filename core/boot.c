#include "core/boot.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/evidence.h"

static bool look(const struct boot_config *config, const struct port *port,
                 struct boot_report *report, uint32_t slot);
static bool recover(struct boot *boot, const struct boot_config *config, const struct port *port,
                    struct boot_report *report, enum err loaded);
static bool run_trial(struct boot *boot, const struct boot_config *config, const struct port *port,
                      struct boot_report *report);
static void revert(struct boot *boot, const struct boot_config *config, const struct port *port,
                   struct boot_report *report, enum image_fault reason);
static void run_confirmed(const struct boot_config *config, const struct port *port,
                          struct boot_report *report, bool recorded);
static void say(const struct boot_config *config, const struct port *port,
                struct evidence evidence);
static enum err say_end(const struct boot_config *config, const struct port *port,
                        const struct boot_report *report);

enum err boot_run(struct boot *boot, const struct boot_config *config, const struct port *port,
                  struct boot_report *report)
{
    CHECK(boot != NULL);
    CHECK(report != NULL);
    CHECK(config->trials.left >= 1);
    CHECK(slot_layout_is_valid(&config->layout, &port->flash));
    CHECK(memcmp(config->authority.author_key, config->authority.operator_key, KEY_BYTES) != 0);
    *report = (struct boot_report){
        .outcome = BOOT_NONE, .slot = SLOT_NONE, .record = {.trial = {.slot = SLOT_NONE}}};
    /* Without the floor nobody knows what may run. */
    if (port->counter_read(port->ctx, COUNTER_SECURITY, &report->floor.level) != ERR_OK) {
        report->faults[SLOT_A] = IMAGE_FAULT_UNREADABLE;
        report->faults[SLOT_B] = IMAGE_FAULT_UNREADABLE;
        return say_end(config, port, report);
    }
    const enum err loaded = boot_record_load(&boot->store, port, &config->layout, &report->record);
    const bool recorded = loaded == ERR_OK || recover(boot, config, port, report, loaded);
    const bool trial = report->record.trial.slot != SLOT_NONE;
    if (!trial || !run_trial(boot, config, port, report)) {
        run_confirmed(config, port, report, recorded);
    }
    return say_end(config, port, report);
}

/* Verify a slot; its manifest is then that of the report. */
static bool look(const struct boot_config *config, const struct port *port,
                 struct boot_report *report, uint32_t slot)
{
    report->faults[slot] = slot_verify(&config->layout, port, &config->authority, report->floor,
                                       slot, &report->manifest);
    return report->faults[slot] == IMAGE_FAULT_NONE;
}

/* Make the record anew from what is in the slots. An image that never was confirmed is newer than
 * the one that was: so the older one counts as confirmed, and the newer one has to prove itself.
 * False: it could not be kept. */
static bool recover(struct boot *boot, const struct boot_config *config, const struct port *port,
                    struct boot_report *report, enum err loaded)
{
    struct manifest_sequence sequences[SLOT_COUNT] = {{0}, {0}}; /* 0 = no good image */
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (look(config, port, report, slot)) {
            sequences[slot] = report->manifest.sequence;
        }
    }
    const uint64_t a = sequences[SLOT_A].number, b = sequences[SLOT_B].number;
    const uint32_t older = a != 0 && (b == 0 || a <= b) ? SLOT_A : SLOT_B;
    const uint32_t newer = SLOT_B - older;
    struct boot_record *record = &report->record;
    *record = (struct boot_record){
        .confirmed = older, .sequence = sequences[older], .trial = {.slot = SLOT_NONE}};
    report->recovered = true;
    if (sequences[older].number == 0) {
        return false; /* nothing to keep a record of */
    }
    if (sequences[newer].number > sequences[older].number) {
        record->trial = (struct boot_trial){newer, sequences[newer], config->trials};
    }
    const struct slot_region *region = &config->layout.boot_store;
    enum err err = loaded;
    if (err != ERR_IO) { /* else the store is there, but fails: nothing that is in it is given up */
        err = store_format(&boot->store, port, region->first_sector, region->sector_count);
    }
    if (err == ERR_OK) {
        err = boot_record_save(&boot->store, port, record);
    }
    if (err != ERR_OK) {
        record->trial = (struct boot_trial){.slot = SLOT_NONE}; /* nobody would count it */
    }
    return err == ERR_OK;
}

/* Boot the image on trial, or revert it. False: the confirmed image is to boot. */
static bool run_trial(struct boot *boot, const struct boot_config *config, const struct port *port,
                      struct boot_report *report)
{
    struct boot_trial *trial = &report->record.trial;
    if (trial->trials.left == 0) {
        revert(boot, config, port, report, IMAGE_FAULT_TRIALS);
        return false;
    }
    trial->trials.left--;
    if (boot_record_save(&boot->store, port, &report->record) != ERR_OK) {
        trial->trials.left++; /* as it was: what was not counted does not run */
        return false;
    }
    const uint32_t slot = trial->slot;
    if (look(config, port, report, slot) &&
        report->manifest.sequence.number != trial->sequence.number) {
        report->faults[slot] = IMAGE_FAULT_STRANGER;
    }
    if (report->faults[slot] != IMAGE_FAULT_NONE) {
        revert(boot, config, port, report, report->faults[slot]);
        return false;
    }
    if (config->watchdog_us != 0) {
        port->watchdog_arm(port->ctx, config->watchdog_us);
    }
    report->outcome = BOOT_TRIAL;
    report->slot = slot;
    return true;
}

/* Should the record not become durable, the next boot reverts again. */
static void revert(struct boot *boot, const struct boot_config *config, const struct port *port,
                   struct boot_report *report, enum image_fault reason)
{
    struct boot_record *record = &report->record;
    const bool again = record->revert.sequence.number == record->trial.sequence.number;
    record->revert = (struct boot_revert){
        .sequence = record->trial.sequence,
        .reason = reason,
        .count = again ? record->revert.count + 1 : 1,
    };
    record->trial = (struct boot_trial){.slot = SLOT_NONE};
    report->reverted = true;
    if (boot_record_save(&boot->store, port, record) == ERR_OK) {
        say(config, port,
            (struct evidence){.kind = EVIDENCE_REVERT,
                              .counter = record->revert.sequence.number,
                              .value = (uint64_t)reason});
    }
}

/* Where there is no record, the image that may have been confirmed is one to fall back to: its
 * floor is not raised, and it says so. */
static void run_confirmed(const struct boot_config *config, const struct port *port,
                          struct boot_report *report, bool recorded)
{
    const uint32_t confirmed = report->record.confirmed;
    const uint32_t other = SLOT_B - confirmed;
    const bool good = look(config, port, report, confirmed);
    if (good && !recorded) {
        report->outcome = BOOT_FALLBACK;
        report->slot = confirmed;
    } else if (good) {
        report->outcome = BOOT_CONFIRMED;
        report->slot = confirmed;
        /* Power may have gone between confirm and floor. If it does not rise now, then next time.
         */
        const uint64_t before = report->floor.level;
        const enum err err =
            boot_record_raise_floor(port, report->manifest.security, &report->floor);
        if (err == ERR_OK && report->floor.level > before) {
            say(config, port,
                (struct evidence){.kind = EVIDENCE_RAISE, .value = report->floor.level});
        }
    } else if (report->faults[other] == IMAGE_FAULT_NONE && look(config, port, report, other)) {
        report->outcome = BOOT_FALLBACK;
        report->slot = other;
    }
}

static enum err say_end(const struct boot_config *config, const struct port *port,
                        const struct boot_report *report)
{
    if (report->outcome == BOOT_NONE) {
        const uint64_t a = (uint64_t)report->faults[SLOT_A], b = (uint64_t)report->faults[SLOT_B];
        say(config, port, (struct evidence){.kind = EVIDENCE_STRAND, .value = a | b << 8});
        return ERR_NOT_FOUND;
    }
    say(config, port,
        (struct evidence){.kind = EVIDENCE_JUMP,
                          .epoch = report->slot,
                          .counter = report->manifest.sequence.number,
                          .value = (uint64_t)report->outcome});
    return ERR_OK;
}

static void say(const struct boot_config *config, const struct port *port, struct evidence evidence)
{
    evidence.device = config->device;
    port->evidence(port->ctx, &evidence);
}
