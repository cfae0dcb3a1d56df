/* Goal: a command line does what it says, or is refused with a word that helps; nothing half-read.
 * Method: the parser on small lines; its errors are compared by what they must name. */
#include "sim/option.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static bool json;
static const char *path;
static uint64_t runs, timeout_us;
static struct option_settings settings;

static const struct option options[] = {
    {.name = "--json", .kind = OPTION_FLAG, .target = &json, .doc = "one JSON object"},
    {.name = "--db", .kind = OPTION_TEXT, .target = &path, .value = "FILE", .doc = "the database"},
    {.name = "--runs",
     .kind = OPTION_COUNT,
     .target = &runs,
     .min = 1,
     .max = 1000,
     .value = "N",
     .doc = "how many"},
    {.name = "--timeout",
     .kind = OPTION_TIME,
     .target = &timeout_us,
     .value = "TIME",
     .doc = "at the most"},
    {.name = "--set",
     .kind = OPTION_SETTING,
     .target = &settings,
     .value = "KEY=VALUE",
     .doc = "one setting"},
    {.name = "--inner", .kind = OPTION_FLAG, .target = &json},
};

static const struct option_verb verb = {
    .name = "sweep",
    .argument = "SCENARIO",
    .doc = "Many seeds",
    .example = "brownout sweep scenarios",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};

static const char *argument;
static char error[256];

/* The words of a line, separated by single spaces. */
static enum option_outcome parse(const struct option_verb *of, const char *line)
{
    static char words[256];
    char *argv[16], *save = NULL;
    int argc = 0;
    json = false;
    path = NULL;
    runs = timeout_us = 0;
    memset(&settings, 0, sizeof settings);
    error[0] = '\0';
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok_r(words, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        argv[argc++] = word;
    }
    return option_parse(of, argc, argv, &argument, error, sizeof error);
}

static void expect_refused(const char *line, const char *word)
{
    EXPECT_EQUAL(parse(&verb, line), OPTION_WRONG);
    if (strstr(error, word) == NULL) {
        fprintf(stderr, "'%s' is answered by '%s', which does not say '%s'\n", line, error, word);
        exit(1);
    }
}

static void options_and_the_argument_come_in_any_order(void)
{
    EXPECT_EQUAL(parse(&verb, "sweep --runs 12 roam.lua --json --db=x.db --timeout 1m30s"),
                 OPTION_READY);
    EXPECT(strcmp(argument, "roam.lua") == 0);
    EXPECT(json);
    EXPECT(strcmp(path, "x.db") == 0);
    EXPECT_EQUAL(runs, 12);
    EXPECT_EQUAL(timeout_us, 90000000);
    EXPECT_EQUAL(parse(&verb, "sweep --runs 0x1f x"), OPTION_READY);
    EXPECT_EQUAL(runs, 31);
}

static void settings_keep_their_order_and_their_equals_signs(void)
{
    EXPECT_EQUAL(parse(&verb, "sweep x --set fleet.devices=60 --set=run.readings=a=b.csv"),
                 OPTION_READY);
    EXPECT_EQUAL(settings.count, 2);
    EXPECT(strcmp(settings.list[0].key, "fleet.devices") == 0);
    EXPECT(strcmp(settings.list[0].value, "60") == 0);
    EXPECT(strcmp(settings.list[1].key, "run.readings") == 0);
    EXPECT(strcmp(settings.list[1].value, "a=b.csv") == 0);
    expect_refused("sweep x --set devices", "key=value");
    expect_refused("sweep x --set =60", "key=value");
}

static void too_many_or_too_long_settings_are_refused(void)
{
    char text[600];
    memset(&settings, 0, sizeof settings);
    for (unsigned i = 0; i < OPTION_SETTINGS_MAX; i++) {
        EXPECT(option_settings_add(&settings, "a=1", error, sizeof error));
    }
    EXPECT(!option_settings_add(&settings, "a=1", error, sizeof error));
    settings.count = 0;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    text[1] = '=';
    EXPECT(!option_settings_add(&settings, text, error, sizeof error));
    text[1] = 'x';
    text[OPTION_KEY_BYTES] = '=';
    text[OPTION_KEY_BYTES + 2] = '\0';
    EXPECT(!option_settings_add(&settings, text, error, sizeof error));
    EXPECT_EQUAL(settings.count, 0);
}

static void a_mistyped_option_is_answered_by_the_nearest(void)
{
    expect_refused("sweep x --run 3", "did you mean '--runs'");
    expect_refused("sweep x --jsno", "did you mean '--json'");
    expect_refused("sweep x --completely-else", "no option");
    expect_refused("sweep x --innre", "no option"); /* what the help hides is not proposed */
    EXPECT(strstr(error, "--inner") == NULL);
}

static void impossible_values_are_refused(void)
{
    expect_refused("sweep x --runs 0", "from 1 to 1000");
    expect_refused("sweep x --runs 1001", "from 1 to 1000");
    expect_refused("sweep x --runs -1", "from 1 to 1000");
    expect_refused("sweep x --runs 7up", "from 1 to 1000");
    expect_refused("sweep x --runs 0x", "from 1 to 1000");
    expect_refused("sweep x --runs 99999999999999999999999", "from 1 to 1000");
    expect_refused("sweep x --timeout soon", "no time");
    expect_refused("sweep x --json=yes", "takes no value");
    expect_refused("sweep x --db", "--db FILE");
}

static void the_argument_is_neither_missing_nor_doubled(void)
{
    expect_refused("sweep", "SCENARIO is missing");
    expect_refused("sweep one two", "'two' is one argument too many");
    EXPECT_EQUAL(parse(&verb, "sweep -- --runs"), OPTION_READY);
    EXPECT(strcmp(argument, "--runs") == 0);
    struct option_verb other = verb;
    other.argument = "[SCENARIO]";
    EXPECT_EQUAL(parse(&other, "sweep --json"), OPTION_READY);
    EXPECT(argument == NULL);
    other.argument = NULL;
    EXPECT_EQUAL(parse(&other, "sweep x"), OPTION_WRONG);
}

static void an_argument_that_may_come_often_is_a_list(void)
{
    static struct option_arguments arguments;
    struct option_verb other = verb;
    other.arguments = &arguments;
    EXPECT_EQUAL(parse(&other, "sweep one --json two -- --three"), OPTION_READY);
    EXPECT_EQUAL(arguments.count, 3);
    EXPECT(strcmp(argument, "one") == 0 && strcmp(arguments.list[0], "one") == 0);
    EXPECT(strcmp(arguments.list[1], "two") == 0 && strcmp(arguments.list[2], "--three") == 0);
    EXPECT_EQUAL(parse(&other, "sweep"), OPTION_WRONG);
    EXPECT_EQUAL(arguments.count, 0);
}

static void help_shows_every_option_that_is_not_hidden(void)
{
    char *text = NULL;
    size_t size = 0;
    EXPECT_EQUAL(parse(&verb, "sweep --help --wrong"), OPTION_HELP);
    EXPECT_EQUAL(parse(&verb, "sweep x -h"), OPTION_HELP);
    FILE *file = open_memstream(&text, &size);
    EXPECT(file != NULL);
    option_help(&verb, file);
    fclose(file);
    EXPECT(strstr(text, "brownout sweep SCENARIO [OPTIONS]") != NULL);
    EXPECT(strstr(text, "--set KEY=VALUE") != NULL);
    EXPECT(strstr(text, "example:\n  brownout sweep scenarios\n") != NULL);
    EXPECT(strstr(text, "--inner") == NULL);
    free(text);
}

int main(void)
{
    RUN(options_and_the_argument_come_in_any_order);
    RUN(settings_keep_their_order_and_their_equals_signs);
    RUN(too_many_or_too_long_settings_are_refused);
    RUN(a_mistyped_option_is_answered_by_the_nearest);
    RUN(impossible_values_are_refused);
    RUN(the_argument_is_neither_missing_nor_doubled);
    RUN(an_argument_that_may_come_often_is_a_list);
    RUN(help_shows_every_option_that_is_not_hidden);
    return 0;
}
