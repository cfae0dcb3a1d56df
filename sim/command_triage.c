/* brownout triage: which of the failures in a run database are the same, and which are new. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "sim/triage.h"

struct call {
    const char *db, *since, *known, *markdown, *junit;
    bool json;
};

static const char details[] =
    "A complaint is a law, what disagrees, the kind of the first bad evidence and who said it.\n"
    "Its groups are the sets of fault classes, none of which holds another, that were seen to\n"
    "strike near it; or that were left of a run that was shrunk: brownout shrink RUN makes few\n"
    "groups of many. Keys are made of these alone: in every database they are the same.\n"
    "--known takes a group's key, or the eight digits before its dash: the whole complaint.\n"
    "\n"
    "new: never before now. resolved: so many clean runs that chance alone brings them with less\n"
    "than 5 %. rare: fewer than one run in 100. ongoing: all else.\n"
    "Of each group two runs are named, of the last revision in which it failed: the one with the\n"
    "fewest faults, and the one with the fewest events.\n"
    "\n"
    "Exit codes: 0 nothing fails now that is not known, 1 something does, 2 the call is\n"
    "wrong, 4 a file could not be written.\n";

static bool parse(struct call *call, int argc, char **argv, int *exit_code)
{
    const char *argument = NULL;
    const struct option options[] = {
        {.name = "--db",
         .kind = OPTION_TEXT,
         .target = &call->db,
         .value = "FILE",
         .doc = "the run database; " RECORD_FILE " without it"},
        {.name = "--since",
         .kind = OPTION_TEXT,
         .target = &call->since,
         .value = "TIME",
         .doc = "now are the runs recorded since (2026-03-01, 2026-03-01T18:30:00Z; UTC); without "
                "it those of the last commit"},
        {.name = "--known",
         .kind = OPTION_TEXT,
         .target = &call->known,
         .value = "FILE",
         .doc = "failures that are known: lines of a key and a reason"},
        {.name = "--markdown",
         .kind = OPTION_TEXT,
         .target = &call->markdown,
         .value = "FILE",
         .doc = "also as Markdown, for a pull request or a job's summary"},
        {.name = "--junit",
         .kind = OPTION_TEXT,
         .target = &call->junit,
         .value = "FILE",
         .doc = "also as JUnit XML: a suite for each scenario, a case for each law"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of text"},
    };
    const struct option_verb verb = {
        .name = "triage",
        .doc = "Failures that are the same one, in groups: which are new, known, rare, resolved",
        .details = details,
        .example = "brownout triage --db night.db --known known.txt --junit triage.xml",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    memset(call, 0, sizeof *call);
    call->db = RECORD_FILE;
    if (!command_parse(&verb, argc, argv, &argument, exit_code)) {
        return false;
    }
    if (argument != NULL) {
        char error[300];
        snprintf(error, sizeof error, "'%.200s' is no option; name the run database with --db",
                 argument);
        *exit_code = command_refuse("triage", error);
        return false;
    }
    return true;
}

/* NULL path: not asked for. */
static bool write_file(const char *path, const struct triage_print *print,
                       void (*say)(const struct triage_print *print, FILE *file))
{
    if (path == NULL) {
        return true;
    }
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "brownout triage: %s cannot be written: %s\n", path, strerror(errno));
        return false;
    }
    say(print, file);
    const bool good = ferror(file) == 0;
    if (fclose(file) != 0 || !good) {
        fprintf(stderr, "brownout triage: %s is not whole: is the disk full?\n", path);
        return false;
    }
    return true;
}

static int say(const struct call *call, struct triage *triage, struct triage_known *known)
{
    const struct triage_print print = {triage, call->known == NULL ? NULL : known, call->db};
    triage_known_apply(known, triage);
    if (call->json) {
        triage_print_json(&print, stdout);
    } else {
        triage_print_text(&print, stdout);
    }
    const bool markdown = write_file(call->markdown, &print, triage_print_markdown);
    const bool junit = write_file(call->junit, &print, triage_print_junit);
    if (!markdown || !junit) {
        return VERDICT_HARNESS;
    }
    return triage_new_count(triage) > 0 ? VERDICT_FAIL : VERDICT_PASS;
}

int command_triage(int argc, char **argv)
{
    struct call call;
    struct triage triage = {0};
    struct triage_known known = {0};
    char error[RECORD_ERROR_BYTES];
    int exit_code;
    if (!parse(&call, argc, argv, &exit_code)) {
        return exit_code;
    }
    struct record *record = record_open(call.db, RECORD_READ, error, sizeof error);
    const bool good =
        record != NULL &&
        (call.known == NULL || triage_known_read(&known, call.known, error, sizeof error)) &&
        triage_read(&triage, record, call.since, error, sizeof error);
    exit_code = good ? say(&call, &triage, &known) : command_refuse("triage", error);
    triage_free(&triage);
    triage_known_free(&known);
    record_close(record);
    return exit_code;
}
