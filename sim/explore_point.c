/* Keys: of the halves of an image, and of points that a run may pass twice. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/explore_inside.h"
#include "sim/hash.h"

uint64_t explore_state_digest(const struct life_state *state)
{
    uint64_t digest[2];
    hash_once(state, sizeof *state, digest);
    return digest[0];
}

/* Epochs and counters count by their rank. */
static void mind_key(struct image_key *key, const struct life_mind *mind)
{
    struct life_mind plain = *mind;
    plain.epoch = plain.top = 0;
    memset(plain.stored, 0, sizeof plain.stored);
    image_key_bytes(key, &plain, sizeof plain);
    image_key_add(key, KEY_EPOCH, mind->epoch);
    image_key_add(key, KEY_COUNTER, mind->top);
    for (uint32_t i = 0; i < LIFE_OUTBOX_MAX; i++) {
        image_key_add(key, KEY_COUNTER, mind->stored[i]);
    }
}

void explore_law_frame(struct update_law *law, const struct update_law *frame)
{
    law->key = frame->key;
    law->key_next = frame->key_next;
    law->policy = frame->policy;
    law->policy_said = frame->policy_said;
    law->epoch = frame->epoch;
}

static void law_key(struct image_key *key, const struct update_law *law)
{
    struct update_law plain = *law;
    plain.epoch = 0;
    image_key_bytes(key, &plain, sizeof plain);
}

void explore_base_key(struct explore *explore, const struct flash *flash,
                      const struct update_law *law, sector_set masked, uint64_t digest[2])
{
    struct image_key *key = explore->key;
    struct update_law plain = *law;
    explore_law_frame(&plain, &(struct update_law){.key = 0});
    image_key_begin(key);
    image_key_flash(key, flash, masked);
    law_key(key, &plain);
    image_key_end(key, digest);
}

void explore_frame_key(struct explore *explore, const struct flash *flash,
                       const struct life_state *state, uint64_t digest[2])
{
    struct image_key *key = explore->key;
    struct update_law plain = {.key = 0};
    explore_law_frame(&plain, &state->law);
    image_key_begin(key);
    image_key_store(key, flash, explore->layout.app_store);
    image_key_add(key, KEY_EPOCH, flash_counter(flash, COUNTER_EPOCH));
    image_key_add(key, KEY_EPOCH, state->law.epoch);
    law_key(key, &plain);
    mind_key(key, &state->mind);
    image_key_end(key, digest);
}

static void report_key(struct image_key *key, const struct boot_report *report)
{
    const struct boot_record *record = &report->record;
    const uint64_t words[] = {
        (uint64_t)report->outcome | (uint64_t)report->slot << 8,
        (uint64_t)report->reverted | (uint64_t)report->recovered << 8,
        report->floor.level,
        report->manifest.sequence.number,
        record->confirmed,
        record->sequence.number,
        record->trial.slot,
        record->trial.sequence.number,
        record->trial.trials.left,
        record->revert.sequence.number,
        (uint64_t)record->revert.reason,
        record->revert.count,
    };
    image_key_bytes(key, words, sizeof words);
}

static void outbox_key(struct image_key *key, const struct life_device *device)
{
    const struct outbox *outbox = &device->outbox;
    const struct store *store = &outbox->store;
    const uint64_t words[] = {
        store->head_sector | (uint64_t)store->failed << 8 | (uint64_t)store->head_offset << 32,
        store->sectors_blank,
        store->entry_count | (uint64_t)outbox->count << 32,
        device->vault.generation | (uint64_t)device->vault.staged << 32,
        device->vault.policy,
    };
    image_key_bytes(key, words, sizeof words);
    for (uint32_t i = 0; i < store->entry_count; i++) {
        image_key_add(key, KEY_PLAIN,
                      store->entries[i].id ^ (uint64_t)store->entries[i].offset << 32);
    }
    for (uint32_t i = 0; i < store->sector_count; i++) {
        image_key_add(key, KEY_PLAIN,
                      store->sector_frames[i] | (uint64_t)(store->sector_headers[i] != 0) << 32);
    }
    image_key_add(key, KEY_COUNTER, outbox->counter_next);
    image_key_add(key, KEY_COUNTER, outbox->counter_reserved);
    for (uint32_t i = 0; i < outbox->count; i++) {
        image_key_add(key, KEY_COUNTER, outbox->entries[i].counter);
    }
}

/* What RAM holds that the flash does not say again. */
static void device_key(struct image_key *key, enum life_place place,
                       const struct life_device *device)
{
    if (place == LIFE_AT_TAKE || place == LIFE_AT_START || place == LIFE_AT_ACT) {
        report_key(key, &device->report);
    }
    if (place >= LIFE_AT_MOUNT) {
        outbox_key(key, device);
    }
    if (place >= LIFE_AT_START) {
        const struct update *update = &device->update;
        image_key_add(key, KEY_PLAIN,
                      (uint64_t)update->state | (uint64_t)update->confirmed << 8 |
                          (uint64_t)update->received_bytes << 32);
        image_key_add(key, KEY_PLAIN, update->manifest.sequence.number);
    }
}

/* What has been made certain since needs no answer any more. */
static void forget_forks(struct run *run)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < run->fork_count; i++) {
        if (flash_is_uncertain(run->flash, run->forks[i].offset, run->forks[i].size_bytes)) {
            run->forks[kept++] = run->forks[i];
        }
    }
    run->fork_count = kept;
}

void explore_point_key(struct explore *explore, enum life_place place,
                       const struct life_device *device, uint64_t digest[2])
{
    struct run *run = &explore->run;
    struct image_key *key = explore->key;
    forget_forks(run);
    image_key_begin(key);
    image_key_add(key, KEY_PLAIN, (uint64_t)place);
    image_key_flash(key, run->flash, run->masked);
    image_key_add(key, KEY_EPOCH, flash_counter(run->flash, COUNTER_EPOCH));
    image_key_add(key, KEY_EPOCH, run->state.law.epoch);
    law_key(key, &run->state.law);
    mind_key(key, &run->state.mind);
    device_key(key, place, device);
    image_key_bytes(key, run->retained, sizeof run->retained);
    if (run->mode != RUN_PAIR) { /* there, which reading it was says nothing, but what it led to */
        image_key_bytes(key, run->forks, run->fork_count * (uint32_t)sizeof run->forks[0]);
    }
    image_key_end(key, digest);
}

/* ---- Points that a work may pass twice ------------------------------------------------------- */

void explore_edge(struct explore *explore, uint32_t from, uint32_t to)
{
    struct edge *edge = LIST_ADD(explore->edges);
    *edge = (struct edge){from, to};
}

bool explore_pass(struct explore *explore, enum life_place place, const struct life_device *device)
{
    struct run *run = &explore->run;
    uint64_t digest[2];
    bool added;
    explore_point_key(explore, place, device, digest);
    const uint32_t point = digest_map_put(&explore->points, digest, explore->points.count, &added);
    explore_edge(explore, run->point, point);
    run->point = point;
    explore->result->counts.points += added;
    explore->result->counts.met += !added;
    return added;
}

bool explore_returns(struct explore *explore, enum life_place place,
                     const struct life_device *device)
{
    uint64_t digest[2];
    bool added;
    explore_point_key(explore, place, device, digest);
    (void)digest_map_put(&explore->told, digest, 0, &added);
    return !added;
}

/* Kahn's algorithm: what cannot be taken away, source by source, goes round. */
bool explore_is_acyclic(const struct explore *explore)
{
    const uint32_t count = explore->points.count, edges = explore->edges.count;
    uint32_t *into = calloc(count + 1, sizeof *into);
    uint32_t *first = calloc(count + 2, sizeof *first);
    uint32_t *at = malloc((count + 2) * sizeof *at);
    uint32_t *targets = malloc((edges + 1) * sizeof *targets);
    uint32_t *ready = malloc((count + 1) * sizeof *ready);
    CHECK(into != NULL && first != NULL && at != NULL && targets != NULL && ready != NULL);
    for (uint32_t i = 0; i < edges; i++) {
        into[explore->edges.items[i].to]++;
        first[explore->edges.items[i].from + 1]++;
    }
    for (uint32_t i = 0; i < count; i++) {
        first[i + 1] += first[i];
    }
    memcpy(at, first, (count + 1) * sizeof *at);
    for (uint32_t i = 0; i < edges; i++) {
        targets[at[explore->edges.items[i].from]++] = explore->edges.items[i].to;
    }
    uint32_t ready_count = 0, taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (into[i] == 0) {
            ready[ready_count++] = i;
        }
    }
    while (taken < ready_count) {
        const uint32_t point = ready[taken++];
        for (uint32_t i = first[point]; i < first[point + 1]; i++) {
            if (--into[targets[i]] == 0) {
                ready[ready_count++] = targets[i];
            }
        }
    }
    free(into);
    free(first);
    free(at);
    free(targets);
    free(ready);
    return taken == count;
}
