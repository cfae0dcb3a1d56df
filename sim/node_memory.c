#include "sim/node_memory.h"

#include <string.h>

#include "core/check.h"
#include "sim/operation.h"

enum {
    COUNTER_US = 500,  /* to increment one, on a part that does not say */
    AGE_US = 60000000, /* between two looks at what time has done to a part */
};

static uint64_t flash_draw(struct node *node);
static uint64_t tear_draw(struct node *node);
static void note(struct node *node);
static void note_write(struct node *node, struct flash_range range);
static void age(struct node *node);
static uint64_t mask_of(uint64_t draw, uint32_t count);
static void lose_cache(struct node *node, uint64_t key);

/* ---- flash ----------------------------------------------------------------------------------- */

static enum err port_flash_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    struct node *node = ctx;
    bool done;
    enum err err = operation_whole(node, OPERATION_FLASH_READ, 1, offset, size_bytes, &done);
    if (err != ERR_OK) {
        return err;
    }
    age(node);
    const struct flash_counts before = node->flash->counts;
    const struct flash_counts *after = &node->flash->counts;
    uint64_t *probes = node->stage->probes;
    err = flash_read(node->flash, offset, bytes, size_bytes, flash_draw(node));
    probes[PROBE_uncertain_read] += after->uncertain_reads - before.uncertain_reads;
    probes[PROBE_ecc_corrected] += after->corrected_reads - before.corrected_reads;
    probes[PROBE_ecc_refused] += after->poisoned_reads - before.poisoned_reads;
    note(node);
    hash_bytes(&node->stage->hash, bytes, err == ERR_OK ? size_bytes : 0);
    if (after->poisoned_reads > before.poisoned_reads &&
        node->flash->profile.ecc == FLASH_ECC_FAULT) {
        /* Nobody caught it: the fault's handler resets the processor, in the middle of the step. */
        probes[PROBE_ecc_fault]++;
        node->fall = NODE_PROCESS_DIED;
        node->reset_reason = RESET_SOFTWARE;
    }
    return err;
}

/* While the supply is too low nobody says that a program went wrong. */
static enum err program(struct node *node, uint32_t offset, const uint8_t *bytes,
                        uint32_t size_bytes)
{
    if (node->brown_out_ppm > 0 && flash_draw(node) % 1000000 < node->brown_out_ppm) {
        return flash_brown_out(node->flash, offset, size_bytes, flash_draw(node));
    }
    return flash_program(node->flash, offset, bytes, size_bytes);
}

static enum err port_flash_program(void *ctx, uint32_t offset, const uint8_t *bytes,
                                   uint32_t size_bytes)
{
    struct node *node = ctx;
    uint32_t fraction;
    const enum ending ending = operation_begin(
        node, OPERATION_FLASH_PROGRAM, flash_program_us(node->flash, size_bytes), &fraction);
    enum err err = ERR_IO;
    if (ending == DIES_INSIDE) {
        err = flash_program_torn(node->flash, offset, bytes, size_bytes, (uint16_t)fraction,
                                 flash_draw(node));
        node->stage->probes[PROBE_cut_inside_program]++;
    } else if (ending != DIES_BEFORE) {
        err = program(node, offset, bytes, size_bytes);
        node->stage->figures[FIGURE_flash_programs]++;
    }
    if (ending != DIES_BEFORE) {
        note_write(node, (struct flash_range){offset, size_bytes});
    }
    err = ending == GOES_ON ? err : ERR_IO;
    operation_end(node, OPERATION_FLASH_PROGRAM, offset, size_bytes, err);
    hash_bytes(&node->stage->hash, bytes, size_bytes);
    return err;
}

/* A part with unequal blocks has sectors that take longer than others. */
static uint64_t erase_us(const struct flash *flash, uint32_t offset)
{
    return offset < flash->size_bytes ? flash_erase_at_us(flash, offset) : flash_erase_us(flash);
}

static enum err port_flash_erase(void *ctx, uint32_t offset)
{
    struct node *node = ctx;
    uint32_t fraction;
    const enum ending ending =
        operation_begin(node, OPERATION_FLASH_ERASE, erase_us(node->flash, offset), &fraction);
    enum err err = ERR_IO;
    if (ending == DIES_INSIDE) {
        err = flash_erase_torn(node->flash, offset, (uint16_t)fraction, flash_draw(node));
        node->stage->probes[PROBE_cut_inside_erase]++;
    } else if (ending != DIES_BEFORE) {
        err = flash_erase(node->flash, offset);
        node->stage->figures[FIGURE_flash_erases]++;
    }
    if (ending != DIES_BEFORE) {
        note_write(node, (struct flash_range){offset, node->flash->profile.geometry.sector_bytes});
    }
    err = ending == GOES_ON ? err : ERR_IO;
    operation_end(node, OPERATION_FLASH_ERASE, offset, 0, err);
    return err;
}

/* Cut inside, the cache keeps what it has, and the fall decides what of it reached the cells. */
static enum err port_flash_sync(void *ctx)
{
    struct node *node = ctx;
    bool done;
    const enum err err =
        operation_whole(node, OPERATION_FLASH_SYNC, flash_sync_us(node->flash), 0, 0, &done);
    if (done) {
        flash_sync(node->flash);
    }
    return err;
}

/* ---- counters and retained RAM --------------------------------------------------------------- */

static enum err port_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    struct node *node = ctx;
    bool done;
    CHECK(counter < COUNTER_COUNT);
    *value = node->counters[counter];
    const enum err err = operation_whole(node, OPERATION_COUNTER_READ, 1, counter, 0, &done);
    hash_u64(&node->stage->hash, *value);
    return err;
}

/* A cut inside leaves the old value or the new one. */
static enum err port_counter_increment(void *ctx, enum port_counter counter)
{
    struct node *node = ctx;
    uint32_t fraction;
    CHECK(counter < COUNTER_COUNT);
    const struct flash_profile *profile = node->flash == NULL ? NULL : &node->flash->profile;
    const uint64_t takes_us =
        profile == NULL || profile->counter_us == 0 ? COUNTER_US : profile->counter_us;
    const uint64_t max =
        profile == NULL || profile->counter_max == 0 ? UINT64_MAX : profile->counter_max;
    const enum ending ending =
        operation_begin(node, OPERATION_COUNTER_INCREMENT, takes_us, &fraction);
    bool done = ending == GOES_ON || ending == DIES_AFTER;
    if (ending == DIES_INSIDE) {
        done = tear_draw(node) % 2 == 1;
        node->stage->probes[done ? PROBE_counter_cut_new : PROBE_counter_cut_old]++;
    }
    const bool full = node->counters[counter] >= max;
    node->counters[counter] += done && !full;
    const enum err err = ending != GOES_ON ? ERR_IO : full ? ERR_FULL : ERR_OK;
    operation_end(node, OPERATION_COUNTER_INCREMENT, counter, 0, err);
    return err;
}

static enum err port_retained_read(void *ctx, uint8_t bytes[RETAINED_BYTES])
{
    struct node *node = ctx;
    bool done;
    memcpy(bytes, node->retained, RETAINED_BYTES);
    const enum err err = operation_whole(node, OPERATION_RETAINED_READ, 1, 0, 0, &done);
    hash_bytes(&node->stage->hash, bytes, RETAINED_BYTES);
    return err;
}

/* Not atomic. Cut inside, half of the time the first bytes are new and the rest is old, else each
 * byte is one or the other: a compiler is free to copy in any order. */
static void tear_retained(struct node *node, const uint8_t bytes[RETAINED_BYTES])
{
    const uint64_t draw = tear_draw(node);
    const uint32_t prefix = (uint32_t)(draw >> 8) % (RETAINED_BYTES + 1);
    for (uint32_t i = 0; i < RETAINED_BYTES; i++) {
        const bool is_new = (draw & 1u) != 0 ? i < prefix : (random_at(draw, i) & 1u) != 0;
        node->retained[i] = is_new ? bytes[i] : node->retained[i];
    }
}

static enum err port_retained_write(void *ctx, const uint8_t bytes[RETAINED_BYTES])
{
    struct node *node = ctx;
    uint32_t fraction;
    const enum ending ending = operation_begin(node, OPERATION_RETAINED_WRITE, 1, &fraction);
    if (ending == DIES_INSIDE) {
        tear_retained(node, bytes);
        node->stage->probes[PROBE_cut_inside_retained]++;
    } else if (ending != DIES_BEFORE) {
        memcpy(node->retained, bytes, RETAINED_BYTES);
    }
    const enum err err = ending == GOES_ON ? ERR_OK : ERR_IO;
    operation_end(node, OPERATION_RETAINED_WRITE, 0, 0, err);
    hash_bytes(&node->stage->hash, bytes, RETAINED_BYTES);
    return err;
}

/* ---- the node's side ------------------------------------------------------------------------- */

void node_memory_port(const struct node *node, struct port *port)
{
    port->flash_read = port_flash_read;
    port->flash_program = port_flash_program;
    port->flash_erase = port_flash_erase;
    port->flash_sync = port_flash_sync;
    port->counter_read = port_counter_read;
    port->counter_increment = port_counter_increment;
    port->retained_read = port_retained_read;
    port->retained_write = port_retained_write;
    if (node->flash != NULL) {
        port->flash = node->flash->profile.geometry;
    }
}

void node_memory_fall(struct node *node, enum node_fall fall, uint64_t key)
{
    if (fall == NODE_PROCESS_DIED) {
        if (node->flash != NULL) {
            flash_reset(node->flash);
        }
        return;
    }
    random_bytes(&(struct random_stream){key, 0}, node->retained, RETAINED_BYTES);
    if (node->flash != NULL) {
        lose_cache(node, random_at(key, 1));
    }
}

void node_memory_strike(struct node *node, const struct plan_entry *entry, uint64_t now_us, bool on)
{
    struct flash *flash = node->flash;
    const struct flash_geometry *geometry = &flash->profile.geometry;
    const uint32_t amount = (uint32_t)entry->amount;
    const uint64_t key = random_at(random_at(node->flash_fault_key, entry->effect), now_us);
    switch ((int)entry->effect) {
    case EFFECT_FLASH_BAD:
    case EFFECT_FLASH_BAD_SILENT:
        for (uint32_t i = 0; i < amount; i++) {
            flash_set_bad(flash, (uint32_t)(random_at(key, i) % geometry->sector_count),
                          entry->effect == EFFECT_FLASH_BAD ? FLASH_BAD_LOUD : FLASH_BAD_SILENT);
        }
        break;
    case EFFECT_FLASH_ROT:
        (void)flash_rot(flash, amount, key);
        break;
    case EFFECT_FLASH_STUCK:
        for (uint32_t i = 0; i < amount; i++) {
            const uint64_t draw = random_at(key, i);
            flash_stick(flash, (uint32_t)((draw >> 3) % flash->size_bytes),
                        (uint8_t)(1u << (draw & 7u)));
        }
        break;
    case EFFECT_FLASH_DISTURB:
        (void)flash_weaken(flash, amount, key);
        break;
    case EFFECT_FLASH_WEAR:
        flash_wear(flash, amount);
        break;
    default:
        CHECK(entry->effect == EFFECT_FLASH_BROWN_OUT);
        node->brown_out_ppm = on ? amount : 0;
        break;
    }
    note(node);
}

/* Each operation on the flash has its own key for what chance decides in it. */
static uint64_t flash_draw(struct node *node)
{
    return random_at(node->flash_key, node->flash_ordinal++);
}

static uint64_t tear_draw(struct node *node)
{
    return random_at(node->tear_key, node->tear_ordinal++);
}

/* Figures of what the part did by itself. */
static void note(struct node *node)
{
    const struct flash_counts *now = &node->flash->counts, *seen = &node->flash_seen;
    uint64_t *figures = node->stage->figures;
    figures[FIGURE_flash_dropped] += now->lost_writes - seen->lost_writes;
    figures[FIGURE_flash_poisoned] += now->poisoned_reads - seen->poisoned_reads;
    figures[FIGURE_flash_refused] += now->refused - seen->refused;
    figures[FIGURE_flash_ignored] += now->ignored - seen->ignored;
    figures[FIGURE_flash_worn] += now->worn - seen->worn;
    figures[FIGURE_flash_faded] += now->faded - seen->faded;
    figures[FIGURE_flash_weak] += now->disturbed - seen->disturbed;
    figures[FIGURE_flash_garbled] += now->garbled - seen->garbled;
    node->flash_seen = *now;
}

/* A program or an erase took place, whole or torn. */
static void note_write(struct node *node, struct flash_range range)
{
    const uint64_t breaches = node->flash->counts.discipline - node->flash_seen.discipline;
    note(node);
    node->stage->flash_write(node->stage->ctx, node->number, range, breaches);
}

/* Parts that lose bits with time: when they are looked at, and the cache, if any, is at rest. */
static void age(struct node *node)
{
    const uint64_t now_us = node_instant(node);
    if (node->flash->profile.retention_us == 0 || node->flash->pending_count > 0 ||
        now_us < node->aged_us + AGE_US) {
        return;
    }
    (void)flash_age(node->flash, now_us - node->aged_us, random_at(node->flash_fault_key, now_us));
    node->aged_us = now_us;
}

/* Which of `count` writes reached the cells: nothing, all, the older half, or each by chance. */
static uint64_t mask_of(uint64_t draw, uint32_t count)
{
    switch (draw % 4) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return (UINT64_C(1) << (count + 1) / 2) - 1;
    default:
        return random_at(draw, 1);
    }
}

static void lose_cache(struct node *node, uint64_t key)
{
    struct flash *flash = node->flash;
    const uint32_t count = flash->pending_count;
    const uint64_t kept = mask_of(random_at(key, 0), count), draw = random_at(key, 1);
    const uint64_t before = flash->counts.lost_writes;
    uint32_t first = 0; /* that is surely lost */
    while (first < count && (kept >> first & 1u) != 0) {
        first++;
    }
    flash_power_cut(flash, kept,
                    (struct flash_cut){.units_done = (uint32_t)(draw >> 8) % 64,
                                       .tear = (enum flash_tear)(draw % FLASH_TEAR_COUNT)});
    const uint64_t lost = flash->counts.lost_writes - before;
    node->stage->probes[PROBE_cache_lost] += lost > 0;
    node->stage->probes[PROBE_cache_reordered] += lost < count - first;
    note(node);
}
