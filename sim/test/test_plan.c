/* Goal: a plan reads back as it was written, and any other bytes are refused with line and reason.
 * Method: plans with every kind of entry; broken lines; a written plan with bytes changed at
 * random. */
#include "sim/plan.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/random.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static void set(struct plan *plan, const char *key, const char *value)
{
    char error[256];
    EXPECT(settings_set(&plan->settings, key, value, error, sizeof error));
}

static void make(struct plan *plan)
{
    plan_init(plan, 77);
    set(plan, "fleet.gateways", "2");
    set(plan, "fleet.devices", "3");
    set(plan, "run.duration", "2h");
    for (unsigned i = 0; i < EFFECT_COUNT; i++) {
        char key[64];
        snprintf(key, sizeof key, "faults.%s.every", effect_info((enum effect)i).name);
        set(plan, key, "1h");
    }
    plan->expectations[plan->expectation_count++] =
        (struct plan_expectation){FIGURE_accepted, PLAN_AT_LEAST, 12};
    EXPECT(plan_draw_faults(plan));
    const struct plan_entry said = {.event = 9,
                                    .filed_us = 1500000,
                                    .when = PLAN_EVIDENCE,
                                    .kind = EVIDENCE_ACCEPT,
                                    .nth = 3,
                                    .boot = 2,
                                    .delay_us = 20,
                                    .effect = EFFECT_LINK_RESET,
                                    .target = 1,
                                    .other = 2};
    EXPECT(plan_append(plan, &said));
}

/* The text of a plan; the caller frees it. */
static char *text_of(const struct plan *plan)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    EXPECT(memory != NULL && plan_write(plan, memory));
    EXPECT(fclose(memory) == 0);
    return text;
}

static bool read_text(struct plan *plan, const char *text, size_t size, char *error,
                      size_t error_bytes)
{
    FILE *file = tmpfile();
    EXPECT(file != NULL && fwrite(text, 1, size, file) == size);
    rewind(file);
    const bool good = plan_read(plan, file, error, error_bytes);
    fclose(file);
    return good;
}

static void a_plan_reads_back_as_it_was_written(void)
{
    struct plan plan, back;
    char error[256] = "";
    make(&plan);
    char *text = text_of(&plan);
    if (!read_text(&back, text, strlen(text), error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    char *again = text_of(&back);
    EXPECT(strcmp(text, again) == 0);
    EXPECT_EQUAL(back.entry_count, plan.entry_count);
    for (uint32_t i = 0; i < plan.entry_count; i++) {
        EXPECT_EQUAL(back.entries[i].at_us, plan.entries[i].at_us);
        EXPECT_EQUAL(back.entries[i].amount, plan.entries[i].amount);
        EXPECT_EQUAL(back.entries[i].fraction * (plan.entries[i].phase == PLAN_INSIDE),
                     plan.entries[i].fraction * (plan.entries[i].phase == PLAN_INSIDE));
    }
    free(text);
    free(again);
    plan_free(&plan);
    plan_free(&back);
}

static void one_class_more_moves_no_other(void)
{
    struct plan alone, both;
    uint32_t found = 0;
    plan_init(&alone, 5);
    set(&alone, "faults.link_reset", "10m");
    plan_init(&both, 5);
    set(&both, "faults.link_reset", "10m");
    set(&both, "faults.hang", "10m");
    EXPECT(plan_draw_faults(&alone) && plan_draw_faults(&both));
    EXPECT(both.entry_count > alone.entry_count);
    for (uint32_t i = 0; i < both.entry_count; i++) {
        if (both.entries[i].effect == EFFECT_LINK_RESET) {
            EXPECT_EQUAL(both.entries[i].at_us, alone.entries[found].at_us);
            EXPECT_EQUAL(both.entries[i].other, alone.entries[found].other);
            found++;
        }
    }
    EXPECT_EQUAL(found, alone.entry_count);
    plan_free(&alone);
    plan_free(&both);
}

static void broken_lines_are_refused_with_their_number(void)
{
    static const struct {
        const char *text, *word;
    } broken[] = {
        {"", "cut off"},
        {"brownout plan 9\n", "line 1"},
        {"brownout plan 1\nseed x\nend -\n", "line 2"},
        {"brownout plan 1\nset fleet.devises 3\nend -\n", "did you mean"},
        {"brownout plan 1\nwat\nend -\n", "unknown word"},
        {"brownout plan 1\nexpect accepted ~ 3\nend -\n", "line 2"},
        {"brownout plan 1\nentry effect=power_cut target=dev99\nend -\n", "target"},
        {"brownout plan 1\nentry effect=disk_full target=dev1\nend -\n", "cannot strike"},
        {"brownout plan 1\nentry target=dev1\nend -\n", "needs an effect"},
        {"brownout plan 1\nentry effect=hang target=dev1 when=operation kind=disk\nend -\n", "nth"},
        {"brownout plan 1\nentry effect=hang target=dev1 when=operation kind=link nth=1 "
         "when=evidence\nend -\n",
         "twice"},
        {"brownout plan 1\nentry effect=hang target=dev1\nset fleet.devices 9\nend -\n",
         "before entries"},
        {"brownout plan 1\nseed 3\n", "cut off"},
        {"brownout plan 1\nseed 3\nend 00000000000000000000000000000000\n", "was changed"},
        {"brownout plan 1\nset device.window 256\nset cloud.window 8\nend -\n", "device.window"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct plan plan;
        char error[256] = "";
        const bool good =
            read_text(&plan, broken[i].text, strlen(broken[i].text), error, sizeof error);
        if (good || strstr(error, broken[i].word) == NULL) {
            fprintf(stderr, "case %zu: '%s' does not say '%s'\n", i, error, broken[i].word);
            exit(1);
        }
        plan_free(&plan);
    }
}

static void changed_bytes_are_never_taken_for_the_plan(void)
{
    struct plan plan;
    struct random_stream stream = {random_key(1, "bytes"), 0};
    make(&plan);
    char *text = text_of(&plan);
    const size_t size = strlen(text);
    for (unsigned i = 0; i < 300; i++) {
        struct plan back;
        char error[256] = "", was;
        const size_t at = (size_t)random_below(&stream, size - 40);
        was = text[at];
        text[at] = (char)random_below(&stream, 256);
        const bool good = read_text(&back, text, size, error, sizeof error);
        EXPECT(!good || text[at] == was || at < 1);
        text[at] = was;
        plan_free(&back);
    }
    free(text);
    plan_free(&plan);
}

int main(void)
{
    RUN(a_plan_reads_back_as_it_was_written);
    RUN(one_class_more_moves_no_other);
    RUN(broken_lines_are_refused_with_their_number);
    RUN(changed_bytes_are_never_taken_for_the_plan);
    return 0;
}
