/* Goal: no counter is ever signed twice and no stored reading vanishes without a word, whatever
 * power and flash do.
 * Method: the world of device_world.h is cut at every operation that changes something durable, in
 * sampling and in the boots behind it; all evidence of all lives is judged together. */
#include <string.h>

#include "core/check.h"
#include "core/store_inside.h"
#include "core/test/device_world.h"

static struct world other;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

/* No counter of an epoch is signed twice, and none is kept or sent that was not signed. */
static void expect_honest_evidence(const struct world *at)
{
    for (uint32_t i = 0; i < at->said_count; i++) {
        const struct said *said = &at->said[i];
        uint32_t signed_count = 0;
        uint64_t body = 0;
        if (said->kind != EVIDENCE_SIGN && said->kind != EVIDENCE_STORE &&
            said->kind != EVIDENCE_SEND) {
            continue;
        }
        for (uint32_t k = 0; k < at->said_count; k++) {
            if (at->said[k].kind == EVIDENCE_SIGN && at->said[k].epoch == said->epoch &&
                at->said[k].counter == said->counter) {
                signed_count++;
                body = at->said[k].body;
            }
        }
        EXPECT_EQUAL(signed_count, 1);
        EXPECT(said->body == body);
    }
}

/* All that was stored and not shed is in the outbox, or was acked. */
static void expect_nothing_lost(void)
{
    for (uint32_t i = 0; i < world.said_count; i++) {
        const struct said *said = &world.said[i];
        if (said->kind != EVIDENCE_STORE || said->epoch != view().epoch) {
            continue;
        }
        bool found = said_count(&world, EVIDENCE_SHED, said->counter) > 0 ||
                     said_count(&world, EVIDENCE_RELEASE, said->counter) > 0;
        for (uint32_t k = 0; k < world.device.outbox.count && !found; k++) {
            found = world.device.outbox.entries[k].counter == said->counter;
        }
        EXPECT(found);
    }
}

static void no_cut_makes_a_counter_used_twice_or_a_stored_reading_vanish(void)
{
    begin();
    world.config.outbox_max = 4;
    world_boot(&world, RESET_POWER_ON);
    run_samples(6);
    ack(4, 0);
    other = world;
    uint32_t cuts = 0;
    for (uint32_t kind = 0; kind < CUT_KINDS; kind++) {
        /* Sampling, a reserve, a boot, sampling: cut at each operation, then at each of the next
         * boot (nested), then let it live. */
        for (uint64_t k = 1;; k++) {
            world = other;
            world.port.ctx = &world;
            world.cut = (enum cut)kind;
            world.cut_at = world.operations + k;
            run_samples(4);
            if (world.powered) {
                world_boot(&world, RESET_WATCHDOG);
                run_samples(2);
            }
            if (world.powered) {
                break; /* beyond the last operation */
            }
            cuts++;
            for (uint64_t nested = 1; nested <= 6; nested++) {
                world.cut_at = world.operations + nested;
                world_boot(&world, RESET_POWER_ON);
                if (world.powered) {
                    run_samples(2);
                }
            }
            world.cut_at = 0;
            world_boot(&world, RESET_POWER_ON);
            EXPECT_EQUAL(view().epoch, 1);
            expect_nothing_lost();
            run_samples(3);
            expect_nothing_lost();
            expect_honest_evidence(&world);
            EXPECT_EQUAL(said_last(&world, EVIDENCE_SIGN)->time_us, world.now_us);
        }
    }
    EXPECT(cuts > 30);
}

static void no_cut_while_an_epoch_is_founded_brings_a_counter_back(void)
{
    begin();
    run_samples(3);
    other = world;
    uint32_t cuts = 0;
    for (uint32_t kind = 0; kind < CUT_KINDS; kind++) {
        for (uint64_t k = 1;; k++) {
            world = other;
            memset(world.flash, 0xFF, sizeof world.flash); /* the flash is lost */
            world.cut = (enum cut)kind;
            world.cut_at = world.operations + k;
            world_boot(&world, RESET_POWER_ON);
            const bool was_cut = !world.powered;
            world.cut_at = 0;
            if (was_cut) {
                world_boot(&world, RESET_POWER_ON);
            }
            EXPECT(view().epoch >= 2);
            EXPECT_EQUAL(view().epoch, world.counters[COUNTER_EPOCH]);
            run_samples(3);
            expect_honest_evidence(&world);
            if (!was_cut) {
                break;
            }
            cuts++;
        }
    }
    EXPECT(cuts > 20);
}

static void many_reboots_never_sign_a_counter_twice(void)
{
    begin();
    for (uint32_t i = 0; i < 200; i++) {
        run_samples(1 + i % 3);
        if (i % 5 == 4 && view().connected && view().outbox_count > 0) {
            ack(view().counter_next - 1, 0);
        }
        world_boot(&world, RESET_POWER_ON);
        EXPECT(view().outbox_count <= world.config.outbox_max);
    }
    EXPECT_EQUAL(view().epoch, 1);
    EXPECT(view().counter_next <= 1 + 200 * (world.config.reserve + 3));
    expect_honest_evidence(&world);
}

static void acked_readings_do_not_come_back_for_ever(void)
{
    begin();
    for (uint32_t life = 0; life < 5; life++) {
        for (uint32_t i = 0; i < 2 * world.config.reserve + 1; i++) {
            run_samples(1);
            ack(view().counter_next - 1, 0);
            EXPECT_EQUAL(view().outbox_count, 0);
        }
        world_boot(&world, RESET_POWER_ON);
        EXPECT(view().outbox_count <= 1); /* of nine that went through the flash */
    }
}

static void a_store_of_another_epoch_than_the_counters_is_founded_anew(void)
{
    begin();
    run_samples(2);
    world.counters[COUNTER_EPOCH]++; /* as a cut between increment and format leaves it */
    world_boot(&world, RESET_POWER_ON);
    EXPECT_EQUAL(view().epoch, 3);
    EXPECT_EQUAL(view().counter_next, 1);
    EXPECT_EQUAL(view().outbox_count, 0);
    run_samples(1);
    EXPECT_EQUAL(world.taken[world.taken_count - 1].epoch, 3);
    expect_honest_evidence(&world);
}

/* Put a state record behind the outbox's back, as rot or an old copy would. */
static void put_state(uint8_t epoch, uint64_t reserved, uint64_t floor)
{
    uint8_t state[20] = {0, 0, 0, epoch};
    for (uint32_t i = 0; i < 8; i++) {
        state[4 + i] = (uint8_t)(reserved >> (56 - 8 * i) & 0xFFu);
        state[12 + i] = (uint8_t)(floor >> (56 - 8 * i) & 0xFFu);
    }
    EXPECT_EQUAL(
        store_put(&world.device.outbox.store, &world.port, UINT64_C(1) << 56, state, sizeof state),
        ERR_OK);
}

static void a_state_that_cannot_be_believed_ends_the_epoch(void)
{
    const struct {
        uint8_t epoch;
        uint64_t reserved, floor;
    } wrong[] = {
        {1, 5, 0},               /* readings 5 and 6 are beyond it */
        {0, 9, 0},               /* no such epoch */
        {2, 9, 0},               /* not the one that the counter says */
        {1, 9, 9},               /* more closed than reserved */
        {1, 0, 0},               /* nothing starts at 0 */
        {1, COUNTER_MAX + 1, 0}, /* out of range */
    };
    begin();
    run_samples(6);
    other = world;
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        world = other;
        put_state(wrong[i].epoch, wrong[i].reserved, wrong[i].floor);
        world_boot(&world, RESET_POWER_ON);
        EXPECT_EQUAL(view().epoch, 2);
        EXPECT_EQUAL(view().counter_next, 1);
        EXPECT_EQUAL(view().outbox_count, 0);
        run_samples(6);
        expect_honest_evidence(&world);
    }
    world = other;
    put_state(1, 9, 2); /* a good one, to show that the others failed for their reason */
    world_boot(&world, RESET_POWER_ON);
    EXPECT_EQUAL(view().epoch, 1);
    EXPECT_EQUAL(view().counter_next, 9);
    EXPECT_EQUAL(view().outbox_count, 4);
    EXPECT_EQUAL(view().oldest, 3);
}

/* One bit anywhere: in the newest state, in a reading, in what follows. What the store says that it
 * cannot see is left out. */
static void a_flipped_bit_never_brings_a_counter_back(void)
{
    begin();
    world.config.sample_every_us = 2 * SECOND;
    world.refuses_links = true;
    world_boot(&world, RESET_POWER_ON);
    run_samples(15);
    other = world;
    uint32_t founded = 0;
    for (uint32_t at = 0; at < sizeof world.flash; at++) {
        if (at % SECTOR_BYTES < store_first_frame(&world.port)) {
            continue; /* a header */
        }
        world = other;
        world.flash[at] ^= (uint8_t)(1u << at % 8);
        world_boot(&world, RESET_POWER_ON);
        founded += view().epoch > 1;
        run_samples(2 * world.config.reserve);
        expect_honest_evidence(&world);
    }
    EXPECT(founded > 100);
}

static void an_epoch_whose_counters_are_used_up_is_followed_by_the_next(void)
{
    begin();
    run_samples(2);
    /* A reserve that leaves room for one more, as years of reboots would. */
    const uint64_t reserved = COUNTER_MAX - world.config.reserve;
    put_state(1, reserved, 0);
    world_boot(&world, RESET_POWER_ON);
    EXPECT_EQUAL(view().counter_next, reserved);
    run_samples(world.config.reserve);
    EXPECT_EQUAL(view().counter_next, COUNTER_MAX);
    EXPECT_EQUAL(world.device.counts.lost, 0);
    run_samples(1);
    const uint64_t ended_us = world.now_us;
    EXPECT_EQUAL(said_last(&world, EVIDENCE_LOSE)->value, -ERR_RANGE);
    EXPECT_EQUAL(view().outbox_count, 0);
    world_run(&world, ended_us + world.config.backoff_cap_us);
    EXPECT_EQUAL(world.resets, 1);
    EXPECT_EQUAL(world.reset_us, ended_us + world.config.backoff_cap_us);
    world_boot(&world, RESET_SOFTWARE);
    EXPECT(view().epoch > 1);
    EXPECT_EQUAL(view().counter_next, 1);
    run_samples(1);
    expect_honest_evidence(&world);
}

static void an_ack_beyond_what_was_used_proves_an_old_flash_and_ends_the_epoch(void)
{
    begin();
    run_samples(2);
    other = world;
    run_samples(10);
    const uint64_t seen = view().counter_next - 1; /* by the cloud */
    const uint64_t now_us = world.now_us;
    world = other; /* the flash is set back to an older image */
    world.now_us = now_us;
    world_boot(&world, RESET_POWER_ON);
    world_run(&world, world.now_us + SECOND);
    EXPECT(view().connected);
    EXPECT(view().counter_next < seen);
    ack(view().counter_next - 1, 0); /* all that may have been used, and no more */
    EXPECT_EQUAL(view().epoch, 1);
    EXPECT_EQUAL(view().outbox_count, 0);
    EXPECT(view().connected);
    const uint32_t released = said_count(&world, EVIDENCE_RELEASE, 0);
    other = world;
    ack(view().counter_next, 0);
    EXPECT(!view().connected);
    world = other;
    ack(seen - 1, 0x1);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_RELEASE, 0), released);
    EXPECT(!view().connected);
    const uint64_t ended_us = world.now_us;
    world_run(&world, ended_us + world.config.backoff_cap_us);
    EXPECT_EQUAL(world.reset_us, ended_us + world.config.backoff_cap_us);
    world_boot(&world, RESET_SOFTWARE);
    EXPECT(view().epoch > 1);
}

static void a_flash_that_fails_loses_with_a_word_and_asks_for_a_reset_in_time(void)
{
    begin();
    run_samples(2);
    world.flash_fails = true;
    run_samples(3); /* the third of the reserve, then writes that fail */
    const struct said *lose = said_last(&world, EVIDENCE_LOSE);
    EXPECT_EQUAL(lose->value, -ERR_IO);
    EXPECT_EQUAL(view().counts.lost, 3);
    EXPECT(view().connected); /* what can be read is still sent */
    EXPECT_EQUAL(view().outbox_count, 2);
    const uint64_t failed_us = first_sample_us() + 20 * SECOND;
    world_run(&world, failed_us + world.config.backoff_cap_us - 1);
    EXPECT_EQUAL(world.resets, 0);
    world_run(&world, failed_us + world.config.backoff_cap_us);
    EXPECT_EQUAL(world.resets, 1);
    world_boot(&world, RESET_SOFTWARE); /* still broken: it waits as long again */
    world_run(&world, world.now_us + world.config.backoff_cap_us);
    EXPECT(world.resets <= 1);
    world.flash_fails = false;
    world_boot(&world, RESET_SOFTWARE);
    EXPECT_EQUAL(view().epoch, 1);
    EXPECT_EQUAL(view().outbox_count, 2);
    run_samples(1);
    expect_honest_evidence(&world);
}

static void a_full_flash_sheds_the_oldest_and_says_so(void)
{
    world_init(&world);
    world.port.flash.sector_bytes = SECTOR_BYTES;
    world.port.flash.sector_count = 3; /* two sectors of records at the most */
    world.config.outbox_max = OUTBOX_MAX;
    world.refuses_links = true;
    world_boot(&world, RESET_POWER_ON);
    run_samples(64);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_STORE, 0), 64);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_LOSE, 0), 0);
    EXPECT_EQUAL(view().outbox_count + view().counts.shed, 64);
    EXPECT(view().counts.shed > 0);
    EXPECT_EQUAL(view().oldest, view().counts.shed + 1);
    EXPECT_EQUAL(view().counter_next, 65);
}

static void a_corrupt_reading_is_shed_and_the_others_are_sent(void)
{
    begin();
    world.refuses_links = true;
    run_samples(3);
    struct store *store = &world.device.outbox.store;
    const uint64_t id = (UINT64_C(2) << 56) + world.device.outbox.entries[1].slot;
    for (uint32_t i = 0; i < store->entry_count; i++) {
        if (store->entries[i].id == id) {
            memset(world.flash + store->entries[i].offset + 60, 0, 8);
        }
    }
    world.refuses_links = false;
    world_run(&world, world.now_us + 9 * SECOND);
    EXPECT_EQUAL(said_count(&world, EVIDENCE_SHED, 2), 1);
    EXPECT_EQUAL(world.taken_count, 2);
    EXPECT_EQUAL(world.taken[0].counter, 1);
    EXPECT_EQUAL(world.taken[1].counter, 3);
}

int main(void)
{
    RUN(no_cut_makes_a_counter_used_twice_or_a_stored_reading_vanish);
    RUN(no_cut_while_an_epoch_is_founded_brings_a_counter_back);
    RUN(many_reboots_never_sign_a_counter_twice);
    RUN(acked_readings_do_not_come_back_for_ever);
    RUN(a_store_of_another_epoch_than_the_counters_is_founded_anew);
    RUN(a_state_that_cannot_be_believed_ends_the_epoch);
    RUN(a_flipped_bit_never_brings_a_counter_back);
    RUN(an_epoch_whose_counters_are_used_up_is_followed_by_the_next);
    RUN(an_ack_beyond_what_was_used_proves_an_old_flash_and_ends_the_epoch);
    RUN(a_flash_that_fails_loses_with_a_word_and_asks_for_a_reset_in_time);
    RUN(a_full_flash_sheds_the_oldest_and_says_so);
    RUN(a_corrupt_reading_is_shed_and_the_others_are_sent);
    return 0;
}
