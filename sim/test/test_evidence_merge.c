/* Goal: logs become one history in which causes come first and lives end before the next begins,
 * whatever the clocks of the machines say; what does not fit together is refused. Method: small
 * logs that this test writes, and the order in which their words are told. */
#include "sim/evidence_merge.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/evidence_judge.h"
#include "sim/test/scratch.h"

#define MACHINE_A "000000000000000a000000000000000a"
#define MACHINE_B "000000000000000b000000000000000b"
#define BODY      "1234567890abcdef1234567890abcdef"
#define DEVICE                                                                                     \
    "brownout-evidence 1 role=device node=7 window=64 outbox=256 reserve=32 queue=0 "              \
    "sample_us=1000000\n"
#define GATEWAY                                                                                    \
    "brownout-evidence 1 role=gateway node=2 window=0 outbox=0 reserve=0 queue=1024 sample_us=0\n"
#define CLOUD                                                                                      \
    "brownout-evidence 1 role=cloud node=1 window=64 outbox=0 reserve=0 queue=0 sample_us=0\n"

enum { LOGS = 4, TOLD_MAX = 64, SECOND = 1000000 };

static char folder[] = "/tmp/brownout_merge_XXXXXX";
static char paths[LOGS][64], error[512];
static struct observation told[TOLD_MAX];
static uint32_t told_count;
static struct merge_counts counts;

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static void write_log(int index, const char *text)
{
    snprintf(paths[index], sizeof paths[index], "%s/%d", folder, index);
    FILE *file = fopen(paths[index], "w");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT_EQUAL(fclose(file), 0);
}

static void hear(void *ctx, const struct observation *observation, const struct merge_place *place)
{
    (void)ctx;
    EXPECT(place->path != NULL);
    EXPECT(told_count < TOLD_MAX);
    told[told_count++] = *observation;
}

static bool merge_all(uint32_t logs)
{
    struct evidence_merge *merge;
    const char *list[LOGS];
    enum merge_outcome outcome = MERGE_WRONG;
    told_count = 0;
    error[0] = '\0';
    for (uint32_t i = 0; i < logs; i++) {
        list[i] = paths[i];
    }
    if (merge_open(&merge, list, logs, error, sizeof error)) {
        do {
            outcome = merge_next(merge, false, 0, hear, NULL, error, sizeof error);
        } while (outcome == MERGE_STEP);
    }
    counts = *merge_counts(merge);
    merge_free(merge);
    return outcome == MERGE_OVER;
}

/* The kinds that were told, in their order; 0 (BOOT) does not end the list, TRUTH_COUNT does. */
static void expect_order(uint32_t first, ...)
{
    va_list rest;
    va_start(rest, first);
    uint32_t kind = first;
    for (uint32_t i = 0; i < told_count; i++) {
        if (told[i].kind != kind) {
            fprintf(stderr, "word %u is %u, expected %u\n", (unsigned)i, (unsigned)told[i].kind,
                    (unsigned)kind);
            exit(1);
        }
        kind = va_arg(rest, unsigned);
    }
    EXPECT_EQUAL(kind, TRUTH_COUNT);
    va_end(rest);
}

/* The gateway's clock is three seconds behind the device's. */
static void causes_come_first_though_clocks_differ(void)
{
    write_log(0, DEVICE "1000000 1000000 up 7 0 9000000 0 " MACHINE_A "\n"
                        "2000000 2000000 SIGN 7 1 1 0 " BODY "\n"
                        "2000100 2000000 SEND 7 1 1 2 " BODY "\n"
                        "4000000 4000000 RELEASE 7 1 1 0 -\n");
    write_log(1, GATEWAY "500 500 up 2 0 6000000 0 " MACHINE_B "\n"
                         "2000500 2000500 CUSTODY 7 1 1 1 " BODY "\n"
                         "2000700 2000600 FORWARD 7 1 1 0 " BODY "\n"
                         "2001500 2001500 DISCHARGE 7 1 1 0 -\n");
    write_log(2, CLOUD "500 500 up 1 0 1000000 0 000000000000000c000000000000000c\n"
                       "1000900 1000800 REJECT 7 1 0 9 -\n" /* of an answer: nobody forwards it */
                       "2000700 2000650 ACCEPT 7 1 1 2 " BODY "\n"
                       "2000800 2000650 COMMIT 0 0 0 0 -\n"
                       "2000900 2000650 ACK 7 1 1 0 -\n");
    EXPECT(merge_all(3));
    EXPECT_EQUAL(counts.uncaused, 0);
    EXPECT_EQUAL(counts.machines, 3);
    uint32_t at[EVIDENCE_COUNT] = {0};
    for (uint32_t i = 0; i < told_count; i++) {
        if (told[i].kind < EVIDENCE_COUNT) {
            at[told[i].kind] = i;
        }
    }
    EXPECT(at[EVIDENCE_SEND] < at[EVIDENCE_CUSTODY]);
    EXPECT(at[EVIDENCE_CUSTODY] < at[EVIDENCE_FORWARD]);
    EXPECT(at[EVIDENCE_FORWARD] < at[EVIDENCE_ACCEPT]);
    EXPECT(at[EVIDENCE_ACCEPT] < at[EVIDENCE_DISCHARGE]);
    EXPECT(at[EVIDENCE_ACCEPT] < at[EVIDENCE_RELEASE]);
}

static void a_cause_that_never_comes_is_not_waited_for_for_ever(void)
{
    write_log(0, DEVICE "1000 1000 up 7 0 0 0 " MACHINE_B "\n"
                        "60000000 60000000 SIGN 7 1 1 0 " BODY "\n");
    write_log(1, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n"
                         "2000000 2000000 CUSTODY 7 1 1 1 " BODY "\n");
    EXPECT(merge_all(2));
    expect_order(TRUTH_UP, TRUTH_UP, EVIDENCE_CUSTODY, EVIDENCE_SIGN, TRUTH_DOWN, TRUTH_DOWN,
                 TRUTH_COUNT);
    EXPECT_EQUAL(counts.uncaused, 1);
}

/* Words of one step stay together, and a step that began first is first, though its word is last.
 */
static void steps_stay_whole_and_go_by_their_begin(void)
{
    write_log(0, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n"
                         "5000 2000 FORWARD 7 1 1 0 " BODY "\n"
                         "6000 2000 COMMIT 0 0 0 0 -\n");
    write_log(1, CLOUD "1001 1001 up 1 0 0 0 " MACHINE_A "\n"
                       "4000 3000 ACCEPT 7 1 1 2 " BODY "\n");
    EXPECT(merge_all(2));
    expect_order(TRUTH_UP, TRUTH_UP, EVIDENCE_FORWARD, EVIDENCE_COMMIT, EVIDENCE_ACCEPT, TRUTH_DOWN,
                 TRUTH_DOWN, TRUTH_COUNT);
    EXPECT_EQUAL(told[2].event, told[3].event);
    EXPECT(told[3].event < told[4].event);
}

static void a_life_ends_where_the_next_begins_with_what_its_disk_held(void)
{
    write_log(0, CLOUD "1000 1000 up 1 0 0 0 " MACHINE_A "\n"
                       "1001 1000 image 0 0 0 0 -\n"
                       "1002 1000 image-end 0 0 0 0 -\n"
                       "1003 1000 BOOT 0 0 0 0 -\n"
                       "2000 2000 COMMIT 0 0 0 0 -\n"
                       "3000 3000 up 1 0 0 3 " MACHINE_A "\n"
                       "3001 3000 image 0 0 0 0 -\n"
                       "3002 3000 reading 7 1 1 0 " BODY "\n"
                       "4000 4000 up 1 0 0 3 " MACHINE_A "\n"
                       "4001 4000 image 0 0 0 0 -\n"
                       "4002 4000 window 7 1 1 1 -\n"
                       "4003 4000 image-end 0 0 0 0 -\n"
                       "4004 4000 BOOT 0 0 0 3 -\n"
                       "5000 5000 image 0 0 0 0 -\n"
                       "5001 5000 image-end 0 0 0 0 -\n"
                       "5002 5000 stop 0 0 0 0 -\n"
                       "6000 6000 up 1 0 0 0 " MACHINE_B "\n");
    EXPECT(merge_all(1));
    expect_order(TRUTH_IMAGE, TRUTH_IMAGE_END, TRUTH_UP, EVIDENCE_BOOT, EVIDENCE_COMMIT, TRUTH_DOWN,
                 TRUTH_UP, TRUTH_DOWN, TRUTH_IMAGE, TRUTH_WINDOW, TRUTH_IMAGE_END, TRUTH_UP,
                 EVIDENCE_BOOT, TRUTH_DOWN, TRUTH_IMAGE, TRUTH_IMAGE_END, TRUTH_UP, TRUTH_DOWN,
                 TRUTH_COUNT);
    EXPECT_EQUAL(counts.lives, 4);
    EXPECT_EQUAL(counts.stops, 1);
    EXPECT_EQUAL(counts.cut_images, 1); /* the second life was killed while it listed */
    EXPECT_EQUAL(told[5].value, 1);     /* a process died */
}

static void another_boot_of_the_machine_is_a_loss_of_power(void)
{
    write_log(0, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n"
                         "50 50 up 2 0 90000 0 " MACHINE_B "\n");
    EXPECT(merge_all(1));
    expect_order(TRUTH_UP, TRUTH_DOWN, TRUTH_UP, TRUTH_DOWN, TRUTH_COUNT);
    EXPECT_EQUAL(told[1].value, 0);
    EXPECT_EQUAL(told[3].value, 1);
}

static void what_does_not_fit_together_is_refused(void)
{
    write_log(0, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n");
    write_log(1, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n");
    EXPECT(!merge_all(2));
    EXPECT(strstr(error, "another log is of node 2") != NULL);
    write_log(0, GATEWAY "1000 1000 COMMIT 0 0 0 0 -\n");
    EXPECT(!merge_all(1));
    EXPECT(strstr(error, "/0:2: a log begins with the word up") != NULL);
    write_log(0, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n1 1 SEND\n");
    EXPECT(!merge_all(1));
    EXPECT(strstr(error, "/0:3: nobody says evidence of that name") != NULL ||
           strstr(error, "/0:3: ") != NULL);
    write_log(0, CLOUD "1000 1000 up 1 0 0 0 " MACHINE_A "\n"
                       "1001 1000 image 0 0 0 0 -\n"
                       "1002 1000 reading 7 1 1 0 " BODY "\n"
                       "1003 1000 image-end 0 0 0 0 -\n");
    EXPECT(merge_all(1));
    EXPECT_EQUAL(counts.late, 1);
}

/* While logs are written, a step is told when nothing older can still come. */
static void a_log_that_is_written_is_followed(void)
{
    struct evidence_merge *merge;
    const char *list[] = {paths[0]};
    told_count = 0;
    write_log(0, GATEWAY "1000000 1000000 up 2 0 0 0 " MACHINE_A "\n"
                         "1500000 1500000 COMMIT 0 0 0 0 -\n"
                         "1600000 1600000 COMM");
    EXPECT(merge_open(&merge, list, 1, error, sizeof error));
    EXPECT_EQUAL(merge_next(merge, true, 2 * SECOND, hear, NULL, error, sizeof error), MERGE_IDLE);
    EXPECT_EQUAL(merge_next(merge, true, 3 * SECOND, hear, NULL, error, sizeof error), MERGE_STEP);
    EXPECT_EQUAL(merge_next(merge, true, 3 * SECOND, hear, NULL, error, sizeof error), MERGE_IDLE);
    FILE *file = fopen(paths[0], "a");
    EXPECT(file != NULL);
    EXPECT(fputs("IT 0 0 0 0 -\n", file) >= 0);
    EXPECT_EQUAL(fclose(file), 0);
    EXPECT_EQUAL(merge_next(merge, true, 4 * SECOND, hear, NULL, error, sizeof error), MERGE_STEP);
    EXPECT_EQUAL(merge_next(merge, true, 4 * SECOND, hear, NULL, error, sizeof error), MERGE_STEP);
    EXPECT_EQUAL(merge_next(merge, true, 9 * SECOND, hear, NULL, error, sizeof error), MERGE_IDLE);
    expect_order(TRUTH_UP, EVIDENCE_COMMIT, EVIDENCE_COMMIT, TRUTH_COUNT);
    EXPECT_EQUAL(merge_counts(merge)->torn, 0);
    merge_free(merge);
}

/* ---- The judge ------------------------------------------------------------------------------- */

static bool judge_all(struct evidence_judge *judge, uint32_t logs)
{
    struct evidence_merge *merge;
    const char *list[LOGS];
    for (uint32_t i = 0; i < logs; i++) {
        list[i] = paths[i];
    }
    EXPECT(merge_open(&merge, list, logs, error, sizeof error));
    if (!evidence_judge_init(judge, merge, UINT64_MAX, error, sizeof error)) {
        merge_free(merge);
        return false;
    }
    enum merge_outcome outcome;
    do {
        outcome = merge_next(merge, false, 0, evidence_judge_hear, judge, error, sizeof error);
    } while (outcome == MERGE_STEP);
    EXPECT_EQUAL(outcome, MERGE_OVER);
    if (!judge->violated) {
        evidence_judge_end(judge, merge_counts(merge));
    }
    merge_free(merge);
    return true;
}

static void a_failed_check_breaks_its_law_and_names_its_line(void)
{
    struct evidence_judge judge;
    write_log(0, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n"
                         "2000 2000 check 0 0 0 42 -\n");
    EXPECT(judge_all(&judge, 1));
    EXPECT(judge.violated);
    EXPECT_EQUAL(judge.violation.law, LAW_CORE_CHECK);
    EXPECT_EQUAL(judge.place.line, 3);
    evidence_judge_free(&judge);
}

static void each_law_says_how_far_it_is_judged(void)
{
    struct evidence_judge judge;
    const char *why;
    write_log(0, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n");
    write_log(1, CLOUD "1000 1000 up 1 0 0 0 " MACHINE_A "\n");
    write_log(2, DEVICE "1000 1000 up 7 0 0 0 " MACHINE_A "\n");
    EXPECT(judge_all(&judge, 3));
    EXPECT_EQUAL(evidence_standing(&judge, LAW_TELEMETRY_ONCE, &why), STANDING_FULL);
    EXPECT_EQUAL(evidence_standing(&judge, LAW_TELEMETRY_DURABLE, &why), STANDING_WEAK);
    EXPECT_EQUAL(evidence_standing(&judge, LAW_LIVENESS_ACKED, &why), STANDING_UNKNOWN);
    for (unsigned law = 0; law < LAW_COUNT; law++) {
        const enum evidence_standing standing = evidence_standing(&judge, (enum law)law, &why);
        EXPECT((standing == STANDING_FULL) == (why[0] == '\0'));
    }
    evidence_judge_free(&judge);
    EXPECT(judge_all(&judge, 1)); /* without the cloud's log */
    EXPECT_EQUAL(evidence_standing(&judge, LAW_TELEMETRY_ONCE, &why), STANDING_UNKNOWN);
    evidence_judge_free(&judge);
}

/* Not broken, and not held either: it cannot be told. */
static void a_disk_that_cannot_be_read_proves_nothing(void)
{
    struct evidence_judge judge;
    const char *why;
    write_log(0, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n"
                         "2000 2000 COMMIT 0 0 0 0 -\n"
                         "2000 2000 CUSTODY 7 1 1 1 " BODY "\n"
                         "3000 3000 up 2 0 0 3 " MACHINE_A "\n"
                         "3001 3000 image 0 0 0 0 -\n"
                         "3002 3000 image-end 0 0 0 1 -\n");
    write_log(1, CLOUD "1000 1000 up 1 0 0 0 " MACHINE_A "\n");
    write_log(2, DEVICE "1000 1000 up 7 0 0 0 " MACHINE_A "\n"
                        "1001 1000 outbox 7 1 1 0 -\n"
                        "1002 1000 BOOT 7 1 1 0 -\n"
                        "1100 1100 link 0 0 0 2 -\n"
                        "1500 1500 RESERVE 7 1 33 0 -\n"
                        "1500 1500 SIGN 7 1 1 0 " BODY "\n"
                        "1600 1500 STORE 7 1 1 0 " BODY "\n"
                        "1700 1500 SEND 7 1 1 2 " BODY "\n");
    EXPECT(judge_all(&judge, 3));
    EXPECT(!judge.violated);
    EXPECT_EQUAL(evidence_standing(&judge, LAW_GATEWAY_CUSTODY, &why), STANDING_UNKNOWN);
    evidence_judge_free(&judge);
    write_log(0, GATEWAY "1000 1000 up 2 0 0 0 " MACHINE_A "\n"
                         "2000 2000 COMMIT 0 0 0 0 -\n"
                         "2000 2000 CUSTODY 7 1 1 1 " BODY "\n"
                         "3000 3000 up 2 0 0 3 " MACHINE_A "\n"
                         "3001 3000 image 0 0 0 0 -\n"
                         "3002 3000 image-end 0 0 0 0 -\n");
    EXPECT(judge_all(&judge, 3)); /* one that can be read, and holds nothing */
    EXPECT(judge.violated);
    EXPECT_EQUAL(judge.violation.law, LAW_GATEWAY_CUSTODY);
    evidence_judge_free(&judge);
}

static void logs_of_different_configurations_are_refused(void)
{
    struct evidence_judge judge;
    write_log(0, DEVICE "1000 1000 up 7 0 0 0 " MACHINE_A "\n");
    write_log(1, "brownout-evidence 1 role=device node=8 window=64 outbox=128 reserve=32 queue=0 "
                 "sample_us=1000000\n1000 1000 up 8 0 0 0 " MACHINE_A "\n");
    EXPECT(!judge_all(&judge, 2));
    EXPECT(strstr(error, "logs differ in outbox (256, 128)") != NULL);
    evidence_judge_free(&judge);
}

int main(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    RUN(causes_come_first_though_clocks_differ);
    RUN(a_cause_that_never_comes_is_not_waited_for_for_ever);
    RUN(steps_stay_whole_and_go_by_their_begin);
    RUN(a_life_ends_where_the_next_begins_with_what_its_disk_held);
    RUN(another_boot_of_the_machine_is_a_loss_of_power);
    RUN(what_does_not_fit_together_is_refused);
    RUN(a_log_that_is_written_is_followed);
    RUN(a_failed_check_breaks_its_law_and_names_its_line);
    RUN(each_law_says_how_far_it_is_judged);
    RUN(a_disk_that_cannot_be_read_proves_nothing);
    RUN(logs_of_different_configurations_are_refused);
    scratch_remove(folder);
    return 0;
}
