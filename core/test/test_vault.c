/* Goal: key and policy in force are the old ones or the new ones, at every cut, and never older;
 * a factory reset is whole or not at all. Method: power goes before each write of a rotation, a
 * policy and a reset, and the device starts again; its outbox owns the store, as in a device. */
#include "core/vault.h"

#include <string.h>

#include "core/check.h"
#include "core/outbox.h"
#include "core/test/firmware_rig.h"
#include "core/test/test.h"

static struct rig rig;
static struct outbox outbox;
static struct vault vault;
static struct key_pair factory;
static struct release one;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static enum err load(void)
{
    const struct outbox_config config = {.device = 7,
                                         .count_max = 4,
                                         .reserve = 4,
                                         .region = rig.boot_config.layout.app_store,
                                         .shared = true};
    enum err err = outbox_init(&outbox, &rig.port, &config);
    if (err == ERR_OK) {
        const struct vault_config vault_config = {
            .device = 7, .factory = factory, .epoch = outbox.epoch};
        err = vault_load(&vault, &outbox.store, &rig.port, &vault_config);
    }
    return err;
}

/* Power comes back for good. */
static void restart(void)
{
    rig_power(&rig, 0);
    EXPECT_EQUAL(load(), ERR_OK);
}

static void start(void)
{
    rig_make(&rig, &one);
    restart();
}

static bool same(const struct key_pair *left, const struct key_pair *right)
{
    return memcmp(left, right, sizeof *left) == 0;
}

static void rotate(void)
{
    EXPECT_EQUAL(vault_stage(&vault, &outbox.store, &rig.port), ERR_OK);
    EXPECT_EQUAL(vault_switch(&vault, &outbox.store, &rig.port), ERR_OK);
}

static void a_new_device_has_the_keys_of_the_factory(void)
{
    start();
    EXPECT(same(&vault.keys, &factory));
    EXPECT_EQUAL(vault.generation, 0);
    EXPECT(!vault.staged);
    EXPECT_EQUAL(vault.policy, 0);
    EXPECT_EQUAL(vault_switch(&vault, &outbox.store, &rig.port), ERR_DENIED);
}

static void a_staged_pair_stays_the_same_until_it_is_in_force(void)
{
    start();
    EXPECT_EQUAL(vault_stage(&vault, &outbox.store, &rig.port), ERR_OK);
    const struct key_pair next = vault.next;
    EXPECT(!same(&next, &factory));
    EXPECT_EQUAL(vault_stage(&vault, &outbox.store, &rig.port), ERR_OK);
    EXPECT(same(&vault.next, &next));
    restart();
    EXPECT(vault.staged);
    EXPECT(same(&vault.next, &next));
    EXPECT(same(&vault.keys, &factory));
    EXPECT_EQUAL(vault_switch(&vault, &outbox.store, &rig.port), ERR_OK);
    EXPECT_EQUAL(rig.last[EVIDENCE_ROTATE].counter, 1);
    EXPECT_EQUAL(rig.last[EVIDENCE_ROTATE].value, 1);
    restart();
    EXPECT(same(&vault.keys, &next));
    EXPECT_EQUAL(vault.generation, 1);
    EXPECT(!vault.staged);
}

static void a_rotation_cut_before_any_write_is_old_or_new(void)
{
    uint32_t cuts = 0, olds = 0, staged = 0;
    for (bool done = false; !done; cuts++) {
        start();
        rotate();
        const struct key_pair old = vault.keys;
        memset(rig.said, 0, sizeof rig.said);
        rig_power(&rig, cuts + 1);
        enum err err = vault_stage(&vault, &outbox.store, &rig.port);
        const struct key_pair next = vault.next;
        EXPECT_EQUAL(rig.said[EVIDENCE_ROTATE], err == ERR_OK ? 1 : 0);
        if (err == ERR_OK) {
            err = vault_switch(&vault, &outbox.store, &rig.port);
            EXPECT_EQUAL(rig.said[EVIDENCE_ROTATE], err == ERR_OK ? 2 : 1);
        }
        done = err == ERR_OK;
        EXPECT(same(&vault.keys, done ? &next : &old)); /* a key is used when it is durable */
        restart();
        EXPECT_EQUAL(vault.generation, done ? 2 : 1);
        EXPECT(same(&vault.keys, done ? &next : &old));
        olds += !done;
        staged += vault.staged;
        EXPECT(!vault.staged || same(&vault.next, &next));
        if (!done) {
            rotate();
        }
        EXPECT_EQUAL(vault.generation, 2);
    }
    EXPECT(olds >= 2);
    EXPECT(staged >= 1);
}

static void policy_versions_only_grow(void)
{
    start();
    EXPECT_EQUAL(vault_policy(&vault, &outbox.store, &rig.port, 5), ERR_OK);
    EXPECT_EQUAL(vault_policy(&vault, &outbox.store, &rig.port, 5), ERR_DENIED);
    EXPECT_EQUAL(vault_policy(&vault, &outbox.store, &rig.port, 4), ERR_DENIED);
    restart();
    EXPECT_EQUAL(vault.policy, 5);
    EXPECT_EQUAL(vault_policy(&vault, &outbox.store, &rig.port, 3), ERR_DENIED);
}

static void a_policy_cut_before_any_write_is_old_or_new(void)
{
    uint32_t olds = 0;
    for (bool done = false; !done;) {
        start();
        EXPECT_EQUAL(vault_policy(&vault, &outbox.store, &rig.port, 5), ERR_OK);
        memset(rig.said, 0, sizeof rig.said);
        rig_power(&rig, olds + 1);
        done = vault_policy(&vault, &outbox.store, &rig.port, 6) == ERR_OK;
        EXPECT_EQUAL(rig.said[EVIDENCE_POLICY], done ? 1 : 0);
        EXPECT_EQUAL(vault.policy, done ? 6 : 5);
        restart();
        EXPECT_EQUAL(vault.policy, done ? 6 : 5);
        olds += !done;
    }
    EXPECT(olds >= 1);
}

static void a_factory_reset_cut_before_any_write_is_whole_or_none(void)
{
    uint32_t wiped = 0, kept = 0;
    for (uint32_t cut = 1; wiped < 8; cut++) {
        start();
        rotate();
        EXPECT_EQUAL(vault_policy(&vault, &outbox.store, &rig.port, 5), ERR_OK);
        const struct key_pair keys = vault.keys;
        const uint32_t epoch = outbox.epoch;
        rig_power(&rig, cut);
        outbox_end_epoch(&outbox, &rig.port);
        const enum err err = load();
        EXPECT(err == ERR_OK || rig.dead);
        restart();
        const bool reset = outbox.epoch != epoch;
        EXPECT(same(&vault.keys, reset ? &factory : &keys));
        EXPECT_EQUAL(vault.generation, reset ? 0 : 1);
        EXPECT_EQUAL(vault.policy, reset ? 0 : 5);
        EXPECT(outbox.epoch >= epoch);
        wiped += reset;
        kept += !reset;
    }
    EXPECT_EQUAL(kept, 1); /* the counter is the first write */
}

static void records_of_another_epoch_do_not_count(void)
{
    start();
    rotate();
    EXPECT_EQUAL(vault_stage(&vault, &outbox.store, &rig.port), ERR_OK);
    EXPECT_EQUAL(vault_policy(&vault, &outbox.store, &rig.port, 5), ERR_OK);
    const struct vault_config next = {.device = 7, .factory = factory, .epoch = outbox.epoch + 1};
    EXPECT_EQUAL(vault_load(&vault, &outbox.store, &rig.port, &next), ERR_OK);
    EXPECT(same(&vault.keys, &factory));
    EXPECT_EQUAL(vault.generation, 0);
    EXPECT(!vault.staged);
    EXPECT_EQUAL(vault.policy, 0);
}

static void a_record_that_cannot_be_read_is_not_passed_over(void)
{
    static const uint8_t nonsense[] = {0xff, 0x00};
    start();
    EXPECT_EQUAL(store_put(&outbox.store, &rig.port, 2, nonsense, sizeof nonsense), ERR_OK);
    rig_power(&rig, 0);
    EXPECT_EQUAL(load(), ERR_CORRUPT);
}

int main(void)
{
    rig_prepare(&rig);
    rig_release(&rig, &one, 1, 1, 1200);
    factory.seed[0] = 99;
    EXPECT_EQUAL(rig.port.crypto.public_key(rig.port.crypto.ctx, &factory), ERR_OK);
    RUN(a_new_device_has_the_keys_of_the_factory);
    RUN(a_staged_pair_stays_the_same_until_it_is_in_force);
    RUN(a_rotation_cut_before_any_write_is_old_or_new);
    RUN(policy_versions_only_grow);
    RUN(a_policy_cut_before_any_write_is_old_or_new);
    RUN(a_factory_reset_cut_before_any_write_is_whole_or_none);
    RUN(records_of_another_epoch_do_not_count);
    RUN(a_record_that_cannot_be_read_is_not_passed_over);
    rig_free(&rig);
    return 0;
}
