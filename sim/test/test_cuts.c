/* Goal: the command `brownout cuts` certifies what it explored, and believes no certificate and no
 * dump that is not of this build and this life. Method: the command itself, on the smallest life,
 * in a folder of its own; its files are damaged in one way each. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/process.h"

enum { TEXT_BYTES = 1 << 22, OUTPUT_BYTES = 1 << 14 };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static char folder[] = "/tmp/brownout-cuts-XXXXXX";
static char life[64], certificate[64], other[64], dump[64];
static char text[TEXT_BYTES], output[OUTPUT_BYTES];

static void write_file(const char *path, const char *bytes, size_t size_bytes)
{
    FILE *file = fopen(path, "wb");
    EXPECT(file != NULL);
    EXPECT_EQUAL(fwrite(bytes, 1, size_bytes, file), size_bytes);
    EXPECT_EQUAL(fclose(file), 0);
}

static size_t read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    EXPECT(file != NULL);
    const size_t used = fread(text, 1, sizeof text - 1, file);
    EXPECT_EQUAL(fclose(file), 0);
    text[used] = '\0';
    return used;
}

/* The exit code of `brownout cuts a b c`; what it said is in output. */
static int cuts(const char *a, const char *b, const char *c)
{
    const char *const words[] = {getenv("BROWNOUT"), "cuts", a, b, c, NULL};
    struct process process;
    EXPECT(process_start(&process, words, PROCESS_MEMORY_DRAWN, true));
    return process_finish(&process, output, sizeof output);
}

static void must_say(const char *word)
{
    if (strstr(output, word) == NULL) {
        fprintf(stderr, "'%s' is not in:\n%s\n", word, output);
    }
    EXPECT(strstr(output, word) != NULL);
}

/* Replace the first `from` in text, which is as long as `to`. */
static void change(const char *from, const char *to)
{
    char *at = strstr(text, from);
    EXPECT(at != NULL);
    EXPECT_EQUAL(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void a_life_that_closes_has_a_certificate_that_is_true(void)
{
    char option[96];
    snprintf(option, sizeof option, "--certificate=%s", certificate);
    EXPECT_EQUAL(cuts(life, option, NULL), 0);
    must_say("CLOSED");
    EXPECT_EQUAL(cuts("--verify", certificate, NULL), 0);
    must_say("is true");
}

static void a_certificate_that_was_changed_is_not_true(void)
{
    size_t size_bytes = read_file(certificate);
    change("\"most_erases\":", "\"worst_erase\":");
    write_file(other, text, size_bytes);
    EXPECT_EQUAL(cuts("--verify", other, NULL), 3);
    must_say("most_erases");
    size_bytes = read_file(certificate);
    char *half = strstr(text, "\"halves\"");
    EXPECT(half != NULL && strlen(half) > 40);
    char *digit = strpbrk(half + 12, "0123456789");
    EXPECT(digit != NULL);
    *digit = *digit == '0' ? '1' : '0';
    write_file(other, text, size_bytes);
    EXPECT_EQUAL(cuts("--verify", other, NULL), 3);
    must_say("halves");
}

static void what_is_no_certificate_of_this_build_is_refused(void)
{
    const size_t size_bytes = read_file(certificate);
    write_file(other, text, size_bytes / 2);
    EXPECT_EQUAL(cuts("--verify", other, NULL), 2);
    must_say("no certificate");
    write_file(other, "{\"certificate\":7}", 17);
    EXPECT_EQUAL(cuts("--verify", other, NULL), 2);
    must_say("format");
    change("\"program\":", "\"programm:");
    change("\"programm:", "\"Program\":");
    write_file(other, text, size_bytes);
    EXPECT_EQUAL(cuts("--verify", other, NULL), 2);
    must_say("another build");
    EXPECT_EQUAL(cuts("--verify", "/nowhere/x.cert", NULL), 2);
    must_say("/nowhere/x.cert");
}

static void a_dump_is_explained_or_refused(void)
{
    char option[96];
    snprintf(option, sizeof option, "--dump=%s", dump);
    EXPECT_EQUAL(cuts(life, "--replay=4.0", option), 0);
    must_say("POWER GOES AWAY");
    snprintf(option, sizeof option, "--explain=%s", dump);
    EXPECT_EQUAL(cuts(life, option, NULL), 0);
    must_say("is a crash image of this life");
    size_t size_bytes = read_file(dump);
    write_file(dump, text, size_bytes - 1);
    EXPECT_EQUAL(cuts(life, option, NULL), 2);
    must_say("cut short");
    memset(text, 'x', size_bytes);
    write_file(dump, text, size_bytes);
    EXPECT_EQUAL(cuts(life, option, NULL), 2);
    must_say("no flash of this life");
}

static void calls_that_make_no_sense_are_refused(void)
{
    EXPECT_EQUAL(cuts(NULL, NULL, NULL), 2);
    must_say("which life");
    EXPECT_EQUAL(cuts(life, "--verify", certificate), 2);
    EXPECT_EQUAL(cuts(life, "--dump", other), 2);
    EXPECT_EQUAL(cuts(life, "--replay=end", "--explain=x"), 2);
    EXPECT_EQUAL(cuts(life, "--part", "nor8"), 2);
    must_say("did you mean 'nor-8'");
    EXPECT_EQUAL(cuts(life, "--replay", "4.ffff-end"), 2);
    must_say("no cut ffff");
    EXPECT_EQUAL(cuts("scenarios/storm.lua", NULL, NULL), 2);
    must_say("brownout run");
}

/* The one history, and no search; where this build has no such cut, it lives on and says so. */
static void a_life_with_pinned_cuts_is_lived_that_way(void)
{
    char name[96];
    snprintf(name, sizeof name, "%s/pinned.lua", folder);
    static const char pinned[] = "return { sector = 512, image = 512, life = { { policy = 1 } },\n"
                                 "cuts = { '4.0', 'end' } }\n";
    static const char nowhere[] = "return { sector = 512, image = 512,\n"
                                  "life = { { policy = 1 } }, cuts = { '4.0', 'fff.0', 'end' } }\n";
    static const char wrong[] = "return { sector = 512, image = 512, life = { { policy = 1 } },\n"
                                "cuts = { 'end', '4.0' } }\n";
    write_file(name, pinned, sizeof pinned - 1);
    EXPECT_EQUAL(cuts(name, NULL, NULL), 0);
    must_say("POWER GOES AWAY");
    must_say("no law is broken there");
    EXPECT(strstr(output, "falls nowhere") == NULL && strstr(output, "CLOSED") == NULL);
    EXPECT_EQUAL(cuts(name, "--json", NULL), 0);
    must_say("\"nowhere\":0");
    EXPECT_EQUAL(cuts(name, "-o", "/no/folder"), 0); /* nothing is broken, nothing is written */
    EXPECT_EQUAL(cuts(name, "--depth", "2"), 2);
    must_say("pins one history");
    EXPECT_EQUAL(cuts(name, "--part", "nor-8"), 2);
    EXPECT_EQUAL(cuts(name, "--replay", "end"), 2);
    write_file(name, nowhere, sizeof nowhere - 1);
    EXPECT_EQUAL(cuts(name, NULL, NULL), 0);
    must_say("cut 2 falls nowhere in this build");
    must_say("the life is done");
    write_file(name, wrong, sizeof wrong - 1);
    EXPECT_EQUAL(cuts(name, NULL, NULL), 2);
    must_say("is no part of a replay id");
    EXPECT_EQUAL(unlink(name), 0);
}

int main(void)
{
    static const char tiny[] = "-- Does a policy last?\n---@type Life\n"
                               "return { sector = 512, image = 512, life = { { policy = 1 } } }\n";
    if (getenv("BROWNOUT") == NULL) {
        return 77; /* there is no command to test */
    }
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(life, sizeof life, "%s/tiny.lua", folder);
    snprintf(certificate, sizeof certificate, "%s/tiny.cert", folder);
    snprintf(other, sizeof other, "%s/other.cert", folder);
    snprintf(dump, sizeof dump, "%s/dump", folder);
    write_file(life, tiny, sizeof tiny - 1);
    RUN(a_life_that_closes_has_a_certificate_that_is_true);
    RUN(a_certificate_that_was_changed_is_not_true);
    RUN(what_is_no_certificate_of_this_build_is_refused);
    RUN(a_dump_is_explained_or_refused);
    RUN(calls_that_make_no_sense_are_refused);
    RUN(a_life_with_pinned_cuts_is_lived_that_way);
    EXPECT(unlink(life) == 0 && unlink(certificate) == 0 && unlink(other) == 0 &&
           unlink(dump) == 0 && rmdir(folder) == 0);
    return 0;
}
