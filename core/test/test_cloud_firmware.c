/* Goal: the cloud learns what runs on a device from what that device signed, in the order in which
 * it signed it, durably, and from nothing else; and learning costs no write that says nothing new.
 * Method: a real device and real gateways before a real cloud; a gateway that is not honest sends
 * what it has seen, and what it makes up, in forwards of its own. */
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "core/test/wire_world.h"

#define MINUTE (60 * SECOND)

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

static struct release factory, second;

static struct wire_world *begin(void)
{
    struct wire_world *world = wire_new(&factory);
    rig_release(&world->rig, &second, 2, 2, RIG_AREA_BYTES - 100);
    second.manifest.expires_us = MANIFEST_NEVER;
    rig_sign(&world->rig, &second);
    wire_offer(world, &second, 0);
    return world;
}

static uint32_t said(const struct wire_world *world, enum evidence_kind kind)
{
    return fake_port_count(wire_cloud_said(world), kind);
}

static uint32_t dropped(const struct wire_world *world, enum refusal why)
{
    return fake_port_count_value(wire_cloud_said(world), EVIDENCE_DROP, why);
}

static void an_older_status_is_never_learnt_after_a_newer_one(void)
{
    struct wire_world *world = begin();
    wire_boot(world);
    wire_run_to(world, 2, 10 * MINUTE);
    wire_run(world, world->now_us + MINUTE);
    EXPECT(world->status_count >= 8);
    for (uint32_t round = 0; round < 2; round++) {
        const struct cloud_firmware before = wire_known(world);
        const uint32_t learnt = said(world, EVIDENCE_LEARN);
        const uint32_t old = dropped(world, REFUSAL_OLD);
        const uint32_t down = world->counts_down[MESSAGE_CHUNK] + world->counts_down[MESSAGE_OFFER];
        for (uint32_t i = 0; i < world->status_count; i++) {
            wire_forward(world, &world->statuses[i]);
        }
        const struct cloud_firmware after = wire_known(world);
        EXPECT_EQUAL(said(world, EVIDENCE_LEARN), learnt);
        EXPECT_EQUAL(dropped(world, REFUSAL_OLD), old + world->status_count);
        EXPECT_EQUAL(world->counts_down[MESSAGE_CHUNK] + world->counts_down[MESSAGE_OFFER], down);
        EXPECT(memcmp(&before, &after, sizeof before) == 0);
        wire_restart_cloud(world);
        wire_run(world, world->now_us + 30 * SECOND);
    }
    EXPECT(wire_is_true(world));
    wire_free(world);
}

static void what_the_device_did_not_sign_is_not_learnt(void)
{
    struct wire_world *world = begin();
    wire_boot(world);
    wire_run_to(world, 2, 10 * MINUTE);
    struct key_pair stranger = {.seed = {99}};
    const struct port_crypto *crypto = &world->rig.port.crypto;
    EXPECT_EQUAL(crypto->public_key(crypto->ctx, &stranger), ERR_OK);
    const struct cloud_firmware before = wire_known(world);
    struct status status = {.device = WIRE_DEVICE,
                            .epoch = before.epoch + 1,
                            .boot = 1,
                            .name = {.tick = 1},
                            .sequence = {9},
                            .outcome = BOOT_CONFIRMED};
    struct envelope envelope;
    EXPECT_EQUAL(message_status(&world->rig.port, &stranger, &status, &envelope), ERR_OK);
    wire_forward(world, &envelope);
    EXPECT_EQUAL(dropped(world, REFUSAL_SIGNATURE), 1);
    status.device = 8;
    EXPECT_EQUAL(message_status(&world->rig.port, &stranger, &status, &envelope), ERR_OK);
    wire_forward(world, &envelope);
    EXPECT_EQUAL(dropped(world, REFUSAL_UNKNOWN), 1);
    /* One bit of a true one, anywhere. */
    const struct envelope good = world->statuses[world->status_count - 1];
    const uint32_t learnt = said(world, EVIDENCE_LEARN);
    for (uint32_t at = 0; at < good.size_bytes; at++) {
        envelope = good;
        envelope.bytes[at] ^= (uint8_t)(1u << at % 8);
        wire_forward(world, &envelope);
    }
    EXPECT_EQUAL(said(world, EVIDENCE_LEARN), learnt);
    const struct cloud_firmware after = wire_known(world);
    EXPECT(memcmp(&before, &after, sizeof before) == 0);
    wire_free(world);
}

/* LEARN, COMMIT, and only then an answer; a request for bytes alone is not worth a write. */
static void what_is_new_is_durable_before_it_is_answered_and_nothing_else_is_written(void)
{
    struct wire_world *world = begin();
    world->device_config.sample_every_us = 60 * MINUTE; /* no reading asks for a commit */
    wire_boot(world);
    wire_run_to(world, 2, 10 * MINUTE);
    EXPECT(wire_cloud(world).statuses >= 7);
    /* The factory's image, the trial, and that it is confirmed. */
    EXPECT_EQUAL(said(world, EVIDENCE_LEARN), 3);
    EXPECT_EQUAL(wire_cloud(world).learnt, 3);
    EXPECT_EQUAL(said(world, EVIDENCE_COMMIT), 3);
    EXPECT_EQUAL(wire_cloud_said(world)->unsynced_sends, 0);
    const struct evidence *last = fake_port_last(wire_cloud_said(world), EVIDENCE_LEARN);
    EXPECT_EQUAL(last->device, WIRE_DEVICE);
    EXPECT_EQUAL(last->counter, 2);
    EXPECT_EQUAL(last->value, BOOT_CONFIRMED);
    wire_free(world);
}

static void the_table_says_what_the_device_said(void)
{
    struct wire_world *world = begin();
    wire_boot(world);
    wire_run_to(world, 2, 10 * MINUTE);
    const struct cloud_firmware before = wire_known(world);
    EXPECT_EQUAL(wire_stored(world, "SELECT sequence*1000+outcome*100+floor FROM firmware"
                                    " WHERE device=7 AND revert_count=0"),
                 2000 + BOOT_CONFIRMED * 100 + 2);
    const struct cloud_firmware after = wire_known(world);
    EXPECT(memcmp(&before, &after, sizeof before) == 0);
    EXPECT_EQUAL(after.sequence.number, 2);
    EXPECT_EQUAL(after.floor.level, 2);
    EXPECT(after.boot >= 1 && after.tick >= 2 && after.epoch == 1);
    wire_free(world);
}

/* Nothing is learnt that did not fit the disk, nobody is answered, and later it goes on. */
static void a_full_disk_learns_nothing_and_the_next_status_is_learnt(void)
{
    struct wire_world *world = begin();
    world->lost_down = 1u << MESSAGE_OFFER;
    wire_boot(world);
    wire_run(world, 25 * SECOND);
    EXPECT_EQUAL(wire_known(world).sequence.number, 1);
    wire_restart_cloud(world); /* a boot empties the log: any commit makes it longer */
    world->lost_down = 0;
    world->disk.full = true;
    wire_run(world, world->now_us + 40 * SECOND);
    EXPECT(fake_port_count_value(wire_cloud_said(world), EVIDENCE_REFUSE, REFUSAL_DISK) > 0);
    EXPECT_EQUAL(wire_known(world).sequence.number, 1);
    EXPECT_EQUAL(wire_device(world).firmware.outcome,
                 wire_device(world).firmware.sequence.number == 1 ? BOOT_CONFIRMED : BOOT_TRIAL);
    world->disk.full = false;
    wire_run_to(world, 2, world->now_us + 10 * MINUTE);
    wire_free(world);
}

/* Where the cloud does not manage firmware, a status is no message. */
static void without_management_a_status_is_dropped_and_there_is_no_table(void)
{
    struct wire_world *world = begin();
    world->cloud_config.firmware.managed = false;
    wire_boot(world);
    wire_run(world, 5 * MINUTE);
    EXPECT(dropped(world, REFUSAL_MALFORMED) > 5); /* the first may have found no cloud yet */
    EXPECT(dropped(world, REFUSAL_MALFORMED) + 2 >= world->counts_up[MESSAGE_STATUS]);
    EXPECT(!wire_known(world).known);
    EXPECT_EQUAL(world->counts_down[MESSAGE_ANSWER], 0);
    EXPECT(wire_cloud(world).accepted > 5); /* readings do not suffer */
    EXPECT_EQUAL(wire_stored(world, "SELECT count(*) FROM sqlite_master WHERE name='firmware'"), 0);
    wire_free(world);
}

int main(void)
{
    RUN(an_older_status_is_never_learnt_after_a_newer_one);
    RUN(what_the_device_did_not_sign_is_not_learnt);
    RUN(what_is_new_is_durable_before_it_is_answered_and_nothing_else_is_written);
    RUN(the_table_says_what_the_device_said);
    RUN(a_full_disk_learns_nothing_and_the_next_status_is_learnt);
    RUN(without_management_a_status_is_dropped_and_there_is_no_table);
    return 0;
}
