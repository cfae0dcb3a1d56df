/* Goal: a life file says what life.h says and nothing else; what is wrong is refused with its line
 * and the remedy, before anything is explored. Method: small lives as texts, read in this process.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/life.h"
#include "sim/life_lua.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "CHECK %s:%d: %s\n", file, line, what);
    abort();
}

static char path[64];
static struct life life;

static void write_life(const char *text)
{
    FILE *file = fopen(path, "wb");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT(fclose(file) == 0);
}

static void contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fprintf(stderr, "expected '%s' in: %s\n", part, text);
        exit(1);
    }
}

/* Reading fails in `line`, with `part` in the message. */
static void refused(const char *text, unsigned line, const char *part)
{
    char error[512] = "", place[96];
    write_life(text);
    if (life_read(path, &life, error, sizeof error)) {
        fprintf(stderr, "expected to be refused with '%s':\n%s\n", part, text);
        exit(1);
    }
    snprintf(place, sizeof place, "%s:%u: ", path, line);
    contains(error, part);
    if (strncmp(error, place, strlen(place)) != 0) {
        fprintf(stderr, "expected line %u in: %s\n", line, error);
        exit(1);
    }
}

static void read_well(const char *text)
{
    char error[512] = "";
    write_life(text);
    if (!life_read(path, &life, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static void what_a_life_does_not_say_is_standard(void)
{
    struct life standard;
    life_standard(&standard);
    read_well("-- Does it hold?\nreturn { life = { { rotate = true } } }");
    EXPECT(strcmp(life.question, "Does it hold?") == 0);
    EXPECT(strcmp(life.path, path) == 0);
    EXPECT(strcmp(life.part, "default") == 0);
    EXPECT_EQUAL(life.image_bytes, 36 * 1024);
    EXPECT_EQUAL(life.image_bytes, standard.image_bytes);
    EXPECT_EQUAL(life.sector_bytes_max, standard.sector_bytes_max);
    EXPECT_EQUAL(life.piece_bytes, standard.piece_bytes);
    EXPECT_EQUAL(life.trials, 2);
    EXPECT_EQUAL(life.reverts, 2);
    EXPECT_EQUAL(life.app_sectors, 3);
    EXPECT_EQUAL(life.release_count, 1);
    EXPECT_EQUAL(life.releases[0].level, 1);
    EXPECT_EQUAL(life.goal_count, 1);
    EXPECT_EQUAL(life.goals[0].act, LIFE_ROTATE);
    EXPECT_EQUAL(standard.goal_count, 0);
}

static void everything_that_a_life_says_is_read(void)
{
    read_well("return { part = 'nor-4', sector = 512, image = 1024, piece = 64, trials = 3,\n"
              "reverts = 1, app_sectors = 4,\n"
              "releases = { { level = 1 }, { level = 3, defect = 'mute' }, {} },\n"
              "life = { { install = 2 }, { download = 3, sectors = 2 }, { refuse = 3 },\n"
              "{ rotate = true }, { policy = 7 }, { sample = 5 }, { reset = true } } }");
    EXPECT(strcmp(life.part, "nor-4") == 0);
    EXPECT_EQUAL(life.sector_bytes_max, 512);
    EXPECT_EQUAL(life.image_bytes, 1024);
    EXPECT_EQUAL(life.piece_bytes, 64);
    EXPECT_EQUAL(life.trials, 3);
    EXPECT_EQUAL(life.reverts, 1);
    EXPECT_EQUAL(life.app_sectors, 4);
    EXPECT_EQUAL(life.release_count, 3);
    EXPECT_EQUAL(life.releases[1].level, 3);
    EXPECT_EQUAL(life.releases[1].defect, BEHAVIOUR_MUTE);
    EXPECT_EQUAL(life.releases[2].level, 1);
    EXPECT_EQUAL(life.goal_count, LIFE_ACT_COUNT);
    EXPECT_EQUAL(life.goals[0].release, 2);
    EXPECT_EQUAL(life.goals[1].release, 3);
    EXPECT_EQUAL(life.goals[1].count, 2);
    EXPECT_EQUAL(life.goals[4].count, 7);
    EXPECT_EQUAL(life.goals[5].count, 5);
    for (unsigned act = 0; act < LIFE_ACT_COUNT; act++) {
        EXPECT_EQUAL(life.goals[act].act, act); /* they stand above in this order */
    }
    EXPECT_EQUAL(life.before_count, 0);
}

static void goals_before_the_search_come_first(void)
{
    read_well(
        "return { before = { { sample = 3 }, { rotate = true } }, life = { { policy = 7 } } }");
    EXPECT_EQUAL(life.before_count, 2);
    EXPECT_EQUAL(life.goal_count, 3);
    EXPECT_EQUAL(life.goals[0].act, LIFE_SAMPLE);
    EXPECT_EQUAL(life.goals[1].act, LIFE_ROTATE);
    EXPECT_EQUAL(life.goals[2].act, LIFE_POLICY);
    refused("return { life = { { rotate = true } },\n  before = {} }", 2,
            "before: 1 to 16 entries");
    refused("return { life = { { rotate = true } },\n  before = { {\n  polcy = 7 } } }", 3,
            "did you mean 'policy'?");
    refused("return { life = { { rotate = true } },\n  before = { { install = 2 } } }", 1,
            "a release that `releases` lacks");
}

static void a_history_can_be_pinned(void)
{
    static const char wrong[] = "each cut is a text as brownout cuts prints it";
    char text[LIFE_CUTS_MAX * 8 + 128];
    read_well("return { life = { { rotate = true } },\ncuts = { '1f.3', '22.0~01', 'end~2' } }");
    EXPECT(strcmp(life.cuts, "1f.3-22.0~01-end~2") == 0);
    read_well("return { life = { { rotate = true } } }");
    EXPECT(strcmp(life.cuts, "") == 0);
    refused("return { life = { { rotate = true } },\ncuts = {} }", 2, "cuts: 1 to 64 entries");
    refused("return { life = { { rotate = true } },\ncuts = 'end' }", 2, "a list belongs here");
    refused("return { life = { { rotate = true } },\ncuts = { 31 } }", 2, wrong);
    refused("return { life = { { rotate = true } },\ncuts = { '1f.3-end' } }", 2, wrong);
    refused("return { life = { { rotate = true } },\ncuts = { '' } }", 2, wrong);
    snprintf(text, sizeof text, "return { life = { { rotate = true } },\ncuts = {");
    for (unsigned i = 0; i <= LIFE_CUTS_MAX; i++) {
        strcat(text, " '1.1',");
    }
    refused(strcat(text, " } }"), 2, "cuts: 1 to 64 entries");
}

/* All that a life can say comes back; so what is written is whole. */
static void what_is_written_is_read_as_it_was(void)
{
    static const char *const notes[] = {"a note", NULL, "two\nlines"};
    struct life before;
    char error[512] = "";
    read_well("-- Does it?\nreturn { part = 'nor-4', sector = 512, image = 1024, piece = 64,\n"
              "trials = 3, reverts = 1, app_sectors = 4, cuts = { '1f.3', '2.0~1', 'end' },\n"
              "releases = { { level = 1 }, { level = 3, defect = 'mute' }, {} },\n"
              "before = { { sample = 2 }, { reset = true } },\n"
              "life = { { install = 2 }, { download = 3, sectors = 2 }, { refuse = 3 },\n"
              "{ rotate = true }, { policy = 7 }, { sample = 5 }, { reset = true } } }");
    before = life;
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    const struct life_lua text = {&before, "Does it?", "One line.\nAnother.", notes};
    EXPECT(life_lua_write(&text, file));
    EXPECT(fclose(file) == 0);
    EXPECT(life_read(path, &life, error, sizeof error));
    EXPECT(memcmp(&life, &before, sizeof life) == 0);
    EXPECT_EQUAL(life.goal_count, LIFE_ACT_COUNT + 2);
    read_well("return { life = { { rotate = true } } }");
    before = life;
    before.question[0] = '\0';
    file = fopen(path, "w");
    EXPECT(file != NULL);
    const struct life_lua least = {&before, "Q", "", NULL};
    EXPECT(life_lua_write(&least, file) && fclose(file) == 0);
    EXPECT(life_read(path, &life, error, sizeof error));
    EXPECT(strcmp(life.question, "Q") == 0 && life.goal_count == 1 && life.cuts[0] == '\0');
}

static void names_that_are_not_there_are_refused(void)
{
    refused("return {\n  imgae = 4096,\n  life = { { rotate = true } } }", 2,
            "did you mean 'image'?");
    refused("return {\n  life = {\n    { instal = 2 } } }", 3, "did you mean 'install'?");
    refused("return { releases = { {\n  levle = 1 } },\n  life = { { rotate = true } } }", 2,
            "did you mean 'level'?");
    refused("return {\n  fleet = { devices = 7 }, life = { { rotate = true } } }", 2,
            "there is no 'fleet' here");
    refused("return { 7, life = { { rotate = true } } }", 1, "needs a name");
}

static void numbers_that_cannot_be_are_refused(void)
{
#define WITH(words) "return { life = { { rotate = true } },\n" words " }"
    refused(WITH("image = 15"), 2, "image: a whole number from 16 to 1048576");
    refused(WITH("image = 2097152"), 2, "image: a whole number");
    refused(WITH("sector = 256"), 2, "sector: a whole number from 512");
    refused(WITH("piece = 0"), 2, "piece: a whole number from 1 to 4096");
    refused(WITH("trials = 9"), 2, "trials: a whole number from 1 to 8");
    refused(WITH("reverts = 0"), 2, "reverts: a whole number from 1 to 8");
    refused(WITH("app_sectors = 2"), 2, "app_sectors: a whole number from 3 to 8");
    refused(WITH("trials = 1.5"), 2, "trials: a whole number");
    refused(WITH("trials = '2'"), 2, "trials: a whole number");
    refused(WITH("trials = true"), 2, "trials: a whole number");
    refused(WITH("part = 7"), 2, "the name of a flash part: \"nor-8\"");
    refused(WITH("part = ''"), 2, "the name of a flash part");
    refused(WITH("releases = { { level = 0 } }"), 2, "level: a whole number from 1");
    refused(WITH("releases = {}"), 2, "releases: 1 to 8 entries");
    refused(WITH("releases = 3"), 2, "a list belongs here");
    refused(WITH("releases = { 3 }"), 2, "every entry of this list is a table");
#undef WITH
    refused("return { life = {\n { sample = 17 } } }", 2, "sample: a whole number from 1 to 16");
    refused("return { life = {\n { policy = 0 } } }", 2, "policy: a whole number from 1");
    refused("return { life = {\n { rotate = false } } }", 2, "write rotate = true");
    refused("return { life = {\n { reset = 1 } } }", 2, "write rotate = true, reset = true");
}

static void goals_that_cannot_be_are_refused(void)
{
    refused("return {\n  life = { { install = 2 } } }", 2, "a release that `releases` lacks");
    refused("return { releases = { {}, {} },\n  life = { { refuse = 3 } } }", 2,
            "a release that `releases` lacks");
    refused("return { releases = { {}, {} },\n  life = { { install = 1 } } }", 2,
            "release 1 is what the device has already");
    refused("return { releases = { {}, {} },\n  life = { { download = 2 } } }", 2,
            "{ download = 2, sectors = 3 }");
    refused("return {\n  life = { { rotate = true, policy = 3 } } }", 2, "each goal is one thing");
    refused("return {\n  life = { {} } }", 2, "each goal is one thing");
    refused("return {\n  life = {} }", 2, "life: 1 to 16 entries");
    refused("return {\n  life = 7 }", 2, "a list belongs here");
    refused("\nreturn {}", 2,
            "this is no device's life, which returns { life = { { install = 2 } } }");
}

static void defects_are_of_releases_that_come(void)
{
    refused("return { life = { { rotate = true } },\n  releases = { { defect = 'mute' } } }", 2,
            "release 1 left the factory: it has no defect");
    refused("return { life = { { install = 2 } },\n  releases = { {}, {\n  defect = 'slow' } } }",
            3, "\"none\", \"hang\", \"reset\" or \"mute\"");
    refused("return { life = { { install = 2 } },\n  releases = { {}, {\n  defect = 3 } } }", 3,
            "\"none\", \"hang\", \"reset\" or \"mute\"");
}

static void what_is_no_lua_or_no_file_is_refused(void)
{
    char error[512] = "";
    refused("\nreturn {", 2, "expected");
    refused("\nlocal t = os.time()", 2, "a scenario has no 'os'");
    EXPECT(!life_read("/tmp/no/such.lua", &life, error, sizeof error));
    contains(error, "/tmp/no/such.lua: cannot be opened: No such file");
}

static void lives_are_told_from_scenarios(void)
{
    EXPECT(life_is("scenarios/update_install.lua"));
    EXPECT(life_is("scenarios/key_rotation.lua"));
    EXPECT(!life_is("scenarios/storm.lua"));
    EXPECT(!life_is("scenarios/brownout.lua"));
    EXPECT(!life_is("/tmp/no/such.lua"));
    write_life("return { life = 7 }");
    EXPECT(life_is(path)); /* a wrong one is still a life, and refused as one */
    write_life("return {");
    EXPECT(!life_is(path));
}

/* ---- the part -------------------------------------------------------------------------------- */

static void a_part_is_cut_down_to_what_the_life_needs(void)
{
    struct part part;
    struct slot_layout layout;
    char error[512] = "";
    EXPECT(part_load("default", &part, error, sizeof error));
    read_well("return { image = 1024, sector = 512, app_sectors = 4, life = { { policy = 1 } } }");
    EXPECT(life_fit(&life, &part.profile, &layout, error, sizeof error));
    EXPECT_EQUAL(part.profile.geometry.sector_bytes, 512);
    EXPECT_EQUAL(part.profile.geometry.sector_count, 3 + 4 + 2 * 3);
    EXPECT_EQUAL(layout.boot_store.sector_count, 3);
    EXPECT_EQUAL(layout.app_store.sector_count, 4);
    EXPECT_EQUAL(layout.slots[SLOT_A].first_sector, 7);
    EXPECT_EQUAL(layout.slots[SLOT_B].first_sector, 10);
    EXPECT(slot_layout_is_valid(&layout, &part.profile.geometry));
}

static void a_part_that_is_too_small_is_refused(void)
{
    struct part part;
    struct slot_layout layout;
    char error[512] = "";
    EXPECT(part_load("default", &part, error, sizeof error));
    part.profile.geometry.sector_count = 1;
    read_well("return { image = 1024, sector = 512, app_sectors = 4, life = { { policy = 1 } } }");
    EXPECT(!life_fit(&life, &part.profile, &layout, error, sizeof error));
    contains(error, "need 13 sectors of 512 bytes, and default has 8: lower `image`");

    EXPECT(part_load("default", &part, error, sizeof error));
    read_well("return { image = 1048576, life = { { policy = 1 } } }");
    EXPECT(!life_fit(&life, &part.profile, &layout, error, sizeof error));
    contains(error, "and default has 32: lower `image`");
}

int main(void)
{
    snprintf(path, sizeof path, "/tmp/test_life_XXXXXX");
    const int file = mkstemp(path);
    EXPECT(file >= 0);
    close(file);
    RUN(what_a_life_does_not_say_is_standard);
    RUN(everything_that_a_life_says_is_read);
    RUN(goals_before_the_search_come_first);
    RUN(a_history_can_be_pinned);
    RUN(what_is_written_is_read_as_it_was);
    RUN(names_that_are_not_there_are_refused);
    RUN(numbers_that_cannot_be_are_refused);
    RUN(goals_that_cannot_be_are_refused);
    RUN(defects_are_of_releases_that_come);
    RUN(what_is_no_lua_or_no_file_is_refused);
    RUN(lives_are_told_from_scenarios);
    RUN(a_part_is_cut_down_to_what_the_life_needs);
    RUN(a_part_that_is_too_small_is_refused);
    unlink(path);
    return 0;
}
