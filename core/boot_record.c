#include "core/boot_record.h"

#include <stddef.h>
#include <string.h>

#include "core/cbor.h"
#include "core/check.h"

enum {
    RECORD_ID = 1, /* in boot's store; there is no other */
    RECORD_BYTES_MAX = 1 + 5 + 9 + (5 + 9 + 5) + (9 + 5 + 5),
};

/* [confirmed, sequence, trial's slot, sequence, trials left, revert's sequence, reason, count] */
static bool is_sound(const struct boot_record *record);

enum err boot_record_load(struct store *store, const struct port *port,
                          const struct slot_layout *layout, struct boot_record *out)
{
    CHECK(out != NULL);
    const struct slot_region *region = &layout->boot_store;
    *out = (struct boot_record){0};
    enum err err = store_mount(store, port, region->first_sector, region->sector_count);
    if (err != ERR_OK) {
        return err;
    }
    uint8_t bytes[RECORD_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    err = store_get(store, port, RECORD_ID, bytes, &size_bytes);
    if (err == ERR_IO) {
        return ERR_IO;
    }
    if (err != ERR_OK || store->lost > 0) { /* what is lost may have been a newer record */
        return ERR_CORRUPT;
    }
    struct cbor_reader reader;
    cbor_read(&reader, bytes, size_bytes);
    cbor_get_array(&reader, 8);
    out->confirmed = cbor_get_u32(&reader);
    out->sequence.number = cbor_get_uint(&reader);
    out->trial.slot = cbor_get_u32(&reader);
    out->trial.sequence.number = cbor_get_uint(&reader);
    out->trial.trials.left = cbor_get_u32(&reader);
    out->revert.sequence.number = cbor_get_uint(&reader);
    const uint32_t reason = cbor_get_u32(&reader);
    out->revert.count = cbor_get_u32(&reader);
    out->revert.reason = reason < IMAGE_FAULT_COUNT ? (enum image_fault)reason : IMAGE_FAULT_COUNT;
    return cbor_end(&reader) == ERR_OK && is_sound(out) ? ERR_OK : ERR_CORRUPT;
}

enum err boot_record_save(struct store *store, const struct port *port,
                          const struct boot_record *record)
{
    CHECK(is_sound(record));
    uint8_t bytes[RECORD_BYTES_MAX];
    uint32_t size_bytes;
    struct cbor_writer writer;
    cbor_write(&writer, bytes, sizeof bytes);
    cbor_put_array(&writer, 8);
    cbor_put_uint(&writer, record->confirmed);
    cbor_put_uint(&writer, record->sequence.number);
    cbor_put_uint(&writer, record->trial.slot);
    cbor_put_uint(&writer, record->trial.sequence.number);
    cbor_put_uint(&writer, record->trial.trials.left);
    cbor_put_uint(&writer, record->revert.sequence.number);
    cbor_put_uint(&writer, record->revert.reason);
    cbor_put_uint(&writer, record->revert.count);
    enum err err = cbor_finish(&writer, &size_bytes);
    CHECK(err == ERR_OK);
    err = store_put(store, port, RECORD_ID, bytes, size_bytes);
    CHECK(err == ERR_OK || err == ERR_IO); /* one small record always finds room */
    return err;
}

enum err boot_record_raise_floor(const struct port *port, struct security_floor confirmed,
                                 struct security_floor *floor)
{
    CHECK(floor != NULL);
    enum err err = port->counter_read(port->ctx, COUNTER_SECURITY, &floor->level);
    for (uint32_t i = 0; i < SECURITY_LEAP_MAX; i++) {
        if (err != ERR_OK || floor->level >= confirmed.level) {
            break;
        }
        err = port->counter_increment(port->ctx, COUNTER_SECURITY);
        floor->level += err == ERR_OK;
    }
    return err;
}

static bool is_sound(const struct boot_record *record)
{
    const struct boot_trial *trial = &record->trial;
    return record->confirmed < SLOT_COUNT && trial->slot <= SLOT_NONE &&
           trial->slot != record->confirmed && record->revert.reason < IMAGE_FAULT_COUNT;
}
