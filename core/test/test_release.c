/* Goal: a device is offered the newest release that is due and that it may take, and no other; a
 * release that cannot be offered is no release.
 * Method: three signed releases on the bench, every state of a device that decides. */
#include "core/server/release.h"

#include <string.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/test/firmware_rig.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

enum { COUNT = 3, DUE_US = 5000 };

static struct rig rig;
static struct release made[COUNT];
static struct cloud_release offered[COUNT];

/* Sequences 20, 40 and 30, the last one from DUE_US on. */
static struct releases begin(void)
{
    static const uint64_t sequences[COUNT] = {20, 40, 30};
    for (uint32_t i = 0; i < COUNT; i++) {
        rig_release(&rig, &made[i], sequences[i], 1, 100 + i);
        offered[i] = (struct cloud_release){made[i].envelopes, made[i].image,
                                            made[i].manifest.size_bytes, i == 2 ? DUE_US : 0};
    }
    const struct cloud_firmware_config config = {
        .managed = true, .releases = offered, .release_count = COUNT, .reverts_max = 2};
    struct releases releases;
    EXPECT_EQUAL(releases_init(&releases, &config, &rig.port), ERR_OK);
    EXPECT_EQUAL(releases.count, COUNT);
    return releases;
}

static uint64_t chosen(const struct releases *releases, uint32_t declined,
                       const struct status *status, uint64_t wall_us)
{
    const struct release_entry *release = releases_choose(releases, declined, status, wall_us);
    return release == NULL ? 0 : release->sequence.number;
}

static void the_newest_that_is_due_and_above_what_runs_is_chosen(void)
{
    const struct releases releases = begin();
    struct status status = {.sequence = {10}, .outcome = BOOT_CONFIRMED};
    EXPECT_EQUAL(chosen(&releases, 0, &status, DUE_US), 40);
    static const uint64_t running[][2] = {{19, 40}, {20, 40}, {39, 40}, {40, 0}, {41, 0}};
    for (uint32_t i = 0; i < sizeof running / sizeof running[0]; i++) {
        status.sequence.number = running[i][0];
        EXPECT_EQUAL(chosen(&releases, 0, &status, DUE_US), running[i][1]);
    }
    status.sequence.number = 10;
    const uint32_t forty = releases_bit(&releases, (struct manifest_sequence){40});
    EXPECT_EQUAL(chosen(&releases, forty, &status, DUE_US), 30);
    EXPECT_EQUAL(chosen(&releases, forty, &status, DUE_US - 1), 20);
    EXPECT_EQUAL(chosen(&releases, forty, &status, 0), 20); /* nobody knows the time */
    EXPECT_EQUAL(releases_bit(&releases, (struct manifest_sequence){35}), 0);
    EXPECT_EQUAL(chosen(&releases, 7, &status, DUE_US), 0);
}

static void only_a_confirmed_image_is_replaced(void)
{
    const struct releases releases = begin();
    struct status status = {.sequence = {10}, .outcome = BOOT_TRIAL};
    EXPECT_EQUAL(chosen(&releases, 0, &status, DUE_US), 0);
    status.outcome = BOOT_FALLBACK;
    EXPECT_EQUAL(chosen(&releases, 0, &status, DUE_US), 0);
}

static void what_was_reverted_too_often_gives_way_to_the_next(void)
{
    const struct releases releases = begin();
    struct status status = {
        .sequence = {10}, .outcome = BOOT_CONFIRMED, .revert_sequence = {40}, .revert_count = 1};
    EXPECT_EQUAL(chosen(&releases, 0, &status, DUE_US), 40);
    status.revert_count = 2;
    EXPECT_EQUAL(chosen(&releases, 0, &status, DUE_US), 30);
    status.revert_sequence.number = 41;
    EXPECT_EQUAL(chosen(&releases, 0, &status, DUE_US), 40);
}

static void the_next_time_to_look_is_when_one_becomes_due(void)
{
    const struct releases releases = begin();
    EXPECT_EQUAL(releases_wait_us(&releases, DUE_US - 1), 1);
    EXPECT_EQUAL(releases_wait_us(&releases, 1), DUE_US - 1);
    EXPECT(releases_wait_us(&releases, DUE_US) == UINT64_MAX);
    EXPECT(releases_wait_us(&releases, 0) < UINT64_MAX); /* there may be a clock later */
}

static void what_cannot_be_offered_is_not_sound(void)
{
    (void)begin();
    EXPECT(release_is_sound(&offered[0]));
    struct cloud_release release = offered[0];
    release.image_bytes++;
    EXPECT(!release_is_sound(&release));
    release = offered[0];
    release.image = NULL;
    EXPECT(!release_is_sound(&release));
    release = offered[0]; /* two rights over two manifests */
    memcpy(release.envelopes.operator, offered[1].envelopes.operator,
           offered[1].envelopes.operator_bytes);
    release.envelopes.operator_bytes = offered[1].envelopes.operator_bytes;
    EXPECT(!release_is_sound(&release));
    release = offered[0];
    release.envelopes.author_bytes = 0;
    EXPECT(!release_is_sound(&release));
    release = offered[0];
    release.envelopes.operator_bytes = MANIFEST_ENVELOPE_BYTES_MAX + 1;
    EXPECT(!release_is_sound(&release));
}

int main(void)
{
    rig_prepare(&rig);
    RUN(the_newest_that_is_due_and_above_what_runs_is_chosen);
    RUN(only_a_confirmed_image_is_replaced);
    RUN(what_was_reverted_too_often_gives_way_to_the_next);
    RUN(the_next_time_to_look_is_when_one_becomes_due);
    RUN(what_cannot_be_offered_is_not_sound);
    rig_free(&rig);
    return 0;
}
