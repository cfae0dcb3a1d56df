/* Goal: every planted bug can be planted: its header is whole, its law exists, and it still applies
 * to the tree. A header that is not whole is refused, with a word that helps. Method: read and
 * apply each patch of sim/mutants to a copy of its file; headers made here. Whether the law catches
 * it is for `brownout mutants` to show. */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/mutant.h"
#include "sim/mutant_life.h"
#include "sim/mutant_shrink.h"

enum { MUTANTS_MIN = 16 };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static int is_patch(const struct dirent *entry)
{
    return strstr(entry->d_name, MUTANT_SUFFIX) != NULL;
}

static void must_apply(const struct mutant *mutant)
{
    char error[1024];
    struct mutant_shop shop;
    EXPECT(mutant_shop_open(&shop, mutant, error, sizeof error));
    const bool good = mutant_apply(mutant, &shop, ".", error, sizeof error);
    mutant_shop_close(&shop);
    if (!good) {
        fprintf(stderr, "%s\n", error);
    }
    EXPECT(good);
    EXPECT(access(shop.folder, F_OK) != 0); /* nothing is left behind */
}

static void each_patch_is_whole_and_applies_to_the_tree(void)
{
    static struct mutant mutant;
    bool named[LAW_COUNT + 1] = {false};
    struct dirent **entries = NULL;
    char path[300], error[1024];
    const int count = scandir("sim/mutants", &entries, is_patch, alphasort);
    EXPECT(count >= MUTANTS_MIN);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "sim/mutants/%s", entries[i]->d_name);
        free(entries[i]);
        const bool good = mutant_read(&mutant, path, error, sizeof error);
        if (!good) {
            fprintf(stderr, "%s\n", error);
        }
        EXPECT(good);
        EXPECT(access(mutant.scenario, R_OK) == 0);
        must_apply(&mutant);
        named[mutant.law] = true;
    }
    free(entries);
    /* A law that has never caught a bug is not done. core.check is no model's. */
    for (uint32_t law = 0; law <= LAW_COUNT; law++) {
        if (!named[law] && law != LAW_CORE_CHECK) {
            fprintf(stderr, "no planted bug names %s\n", mutant_law_name(law));
        }
        EXPECT(named[law] || law == LAW_CORE_CHECK);
    }
}

/* ---- headers --------------------------------------------------------------------------------- */

#define DIFF "--- a/core/window.c\n+++ b/core/window.c\n@@ -1 +1 @@\n-x\n+y\n"
#define WHY  "\nSomething is wrong, and it matters because of this.\n\n"

static char folder[] = "/tmp/brownout-test-XXXXXX", made[64];

static bool read_text(struct mutant *mutant, const char *text, char *error, size_t error_bytes)
{
    FILE *file = fopen(made, "w");
    EXPECT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    return mutant_read(mutant, made, error, error_bytes);
}

static void a_header_is_read(void)
{
    static struct mutant mutant;
    char error[1024] = "";
    EXPECT(read_text(&mutant,
                     "law: telemetry.once\nalso: device.outbox\nscenario: a.lua\n"
                     "set: device.reserve=1\nset: fleet.devices=2\n" WHY DIFF,
                     error, sizeof error));
    EXPECT(strcmp(mutant.name, "made") == 0);
    EXPECT_EQUAL(mutant.law, LAW_TELEMETRY_ONCE);
    EXPECT(mutant.also[LAW_DEVICE_OUTBOX] && !mutant.also[LAW_TELEMETRY_ONCE]);
    EXPECT(strcmp(mutant.scenario, "a.lua") == 0);
    EXPECT(strcmp(mutant.file, "core/window.c") == 0);
    EXPECT_EQUAL(mutant.settings.count, 2);
    EXPECT(strncmp(mutant.why, "Something is wrong", 18) == 0);
    EXPECT(read_text(&mutant, "law: determinism\nscenario: a.lua\n" WHY DIFF, error, sizeof error));
    EXPECT_EQUAL(mutant.law, MUTANT_DETERMINISM);
    EXPECT_EQUAL(mutant.needs, MUTANT_NEEDS_RUN);
    EXPECT(read_text(&mutant, "law: update.floor\nscenario: a.lua\nneeds: torn\n" WHY DIFF, error,
                     sizeof error));
    EXPECT_EQUAL(mutant.needs, MUTANT_NEEDS_TORN);
}

/* As `brownout cuts --json` prints it. */
static void an_exploration_is_understood(void)
{
    static struct mutant_life_answer answer;
    char error[256] = "";
    EXPECT(mutant_life_understand("{\"verdict\":\"violated\",\"why\":null,\"depth\":2,"
                                  "\"law\":\"update.floor\",\"what\":\"it fell\","
                                  "\"replay\":\"1f-14.3\"}",
                                  1, &answer, error, sizeof error));
    EXPECT(answer.violated && answer.depth == 2);
    EXPECT(strcmp(answer.law, "update.floor") == 0 && strcmp(answer.what, "it fell") == 0);
    EXPECT(strcmp(answer.replay, "1f-14.3") == 0);
    EXPECT(mutant_life_understand("{\"verdict\":\"closed\",\"depth\":4}", 0, &answer, error,
                                  sizeof error));
    EXPECT(!answer.violated && answer.depth == 4);
    EXPECT(mutant_life_understand("{\"verdict\":\"bounded\",\"depth\":0}", 5, &answer, error,
                                  sizeof error));
    EXPECT(!answer.violated);
    /* Nothing was broken, and yet it failed: nothing was proved either. */
    EXPECT(!mutant_life_understand("{\"verdict\":\"vacuous\",\"why\":\"no tear struck\"}", 1,
                                   &answer, error, sizeof error));
    EXPECT(strstr(error, "no tear struck") != NULL);
    EXPECT(!mutant_life_understand("{\"law\":\"update.floor\"}", 4, &answer, error, sizeof error));
    EXPECT(!mutant_life_understand("", 2, &answer, error, sizeof error));
    EXPECT(strstr(error, "exit code 2") != NULL);
}

static void must_refuse(const char *text, const char *word)
{
    static struct mutant mutant;
    char error[1024] = "";
    EXPECT(!read_text(&mutant, text, error, sizeof error));
    if (strstr(error, word) == NULL) {
        fprintf(stderr, "'%s' does not say '%s'\n", error, word);
    }
    EXPECT(strstr(error, word) != NULL);
}

static void a_header_that_is_not_whole_is_refused(void)
{
    must_refuse("law: telemetry.twice\nscenario: a.lua\n" WHY DIFF, "telemetry.twice");
    must_refuse("law: core.check\nscenario: a.lua\n" WHY DIFF, "core.check");
    must_refuse("law: telemetry.once\nlaw: telemetry.nonce\nscenario: a.lua\n" WHY DIFF, "second");
    must_refuse("scenario: a.lua\n" WHY DIFF, "`law:`");
    must_refuse("law: telemetry.once\n" WHY DIFF, "`scenario:`");
    must_refuse("law: telemetry.once\nscenario: a.lua\nseed: 7\n" WHY DIFF, "seed");
    must_refuse("law: telemetry.once\nscenario: a.lua\nset: nothing\n" WHY DIFF, "nothing");
    must_refuse("law: update.floor\nscenario: a.lua\nneeds: luck\n" WHY DIFF, "luck");
    must_refuse("law: update.floor\nalso: update.confirm\nscenario: a.lua\nneeds: cut\n" WHY DIFF,
                "life");
    must_refuse("law: update.floor\nscenario: a.lua\nneeds: cut\nset: device.reserve=1\n" WHY DIFF,
                "life");
    must_refuse("law: determinism\nscenario: a.lua\nneeds: cut\n" WHY DIFF, "life");
    must_refuse("law: telemetry.once\nscenario: a.lua\n\n" DIFF, "why it matters");
    must_refuse("law: telemetry.once\nscenario: a.lua\n" WHY, "one file");
    must_refuse("law: telemetry.once\nscenario: a.lua\n" WHY DIFF DIFF, "one file");
    must_refuse("law: telemetry.once\nscenario: a.lua\n" WHY "--- a/../window.c\n", "tree");
}

static void a_patch_that_does_not_apply_is_refused(void)
{
    static struct mutant mutant;
    struct mutant_shop shop;
    char error[1024] = "";
    EXPECT(
        read_text(&mutant, "law: telemetry.once\nscenario: a.lua\n" WHY DIFF, error, sizeof error));
    EXPECT(mutant_shop_open(&shop, &mutant, error, sizeof error));
    EXPECT(!mutant_apply(&mutant, &shop, ".", error, sizeof error));
    EXPECT(strstr(error, "does not apply") != NULL && strstr(error, "FAILED") != NULL);
    mutant_shop_close(&shop);
}

/* ---- what shrinking answers ------------------------------------------------------------------ */

static void an_answer_of_shrink_is_read_whole_or_refused(void)
{
    static const char answer[] =
        "12 "
        "runs\n{\"verdict\":\"fail\",\"from\":{\"faults\":320},\"to\":{\"faults\":2,\"devices\":1},"
        "\"runs\":159,\"seconds\":8.5,\"minimal\":true,\"seed\":3,\"seeds_failing\":7}\n";
    struct mutant_shrunk shrunk = {0};
    EXPECT(mutant_shrink_understand(answer, 1, &shrunk));
    EXPECT_EQUAL(shrunk.faults_before, 320);
    EXPECT_EQUAL(shrunk.faults, 2);
    EXPECT_EQUAL(shrunk.devices, 1);
    EXPECT_EQUAL(shrunk.runs, 159);
    EXPECT_EQUAL(shrunk.seed, 3);
    EXPECT_EQUAL(shrunk.seeds_failing, 7);
    EXPECT_EQUAL(shrunk.seconds_us, 8500000);
    EXPECT(shrunk.minimal && !shrunk.good);
    EXPECT(!mutant_shrink_understand(answer, 0, &shrunk));
    EXPECT(!mutant_shrink_understand("{\"verdict\":\"fail\"}", 1, &shrunk));
    EXPECT(!mutant_shrink_understand("brownout shrink: the run passes", 0, &shrunk));
    EXPECT(strstr(shrunk.message, "exit code 0: brownout shrink: the run passes") != NULL);
}

int main(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(made, sizeof made, "%s/made.patch", folder);
    RUN(each_patch_is_whole_and_applies_to_the_tree);
    RUN(a_header_is_read);
    RUN(an_exploration_is_understood);
    RUN(an_answer_of_shrink_is_read_whole_or_refused);
    RUN(a_header_that_is_not_whole_is_refused);
    RUN(a_patch_that_does_not_apply_is_refused);
    EXPECT(unlink(made) == 0 && rmdir(folder) == 0);
    return 0;
}
