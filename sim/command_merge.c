/* brownout merge: the runs of several databases in one. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sim/command.h"
#include "sim/record.h"

static bool is_same_file(const char *left, const char *right)
{
    struct stat a, b;
    return stat(left, &a) == 0 && stat(right, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

static int merge_all(struct record *record, const char *into,
                     const struct option_arguments *arguments)
{
    char error[RECORD_ERROR_BYTES];
    int exit_code = VERDICT_PASS;
    for (uint32_t i = 1; i < arguments->count; i++) {
        const char *path = arguments->list[i];
        struct record_merged merged;
        if (is_same_file(into, path)) {
            printf("%s  is %s itself: nothing to be done\n", path, into);
            continue;
        }
        if (!record_merge(record, path, &merged, error, sizeof error)) {
            return command_refuse("merge", error);
        }
        printf("%s  %" PRIu64 " runs added, %" PRIu64 " were there\n", path, merged.added,
               merged.known);
        if (merged.disagreeing > 0) {
            printf("%s  %" PRIu64 " of them differ from a run of the same program, scenario, "
                   "settings and seed: its run %" PRId64 " is the first\n",
                   path, merged.disagreeing, merged.first_disagreeing);
            exit_code = VERDICT_NONDETERMINISTIC;
        }
    }
    return exit_code;
}

int command_merge(int argc, char **argv)
{
    static struct option_arguments arguments;
    const char *into = NULL;
    char error[RECORD_ERROR_BYTES];
    int exit_code;
    const struct option_verb verb = {
        .name = "merge",
        .argument = "INTO.db FROM.db...",
        .arguments = &arguments,
        .doc = "Add the runs of databases to one: shards of a sweep, or sweeps of many machines",
        .details =
            "INTO.db is made where there is none. A run that it has already is not added again,\n"
            "so a merge that was ended, or is done twice, does no harm.\n"
            "Exit codes: 0 all are there, 2 a file is not a run database of this version, 3 two\n"
            "runs of one program, scenario, settings and seed differ (both are kept).\n",
        .example = "brownout merge night.db shard1.db shard2.db",
    };
    if (!command_parse(&verb, argc, argv, &into, &exit_code)) {
        return exit_code;
    }
    if (arguments.count < 2) {
        return command_refuse("merge", "name the database to add to, and one or more to add");
    }
    into = arguments.list[0];
    struct record *record = record_open(into, RECORD_CREATE, error, sizeof error);
    if (record == NULL) {
        return command_refuse("merge", error);
    }
    exit_code = merge_all(record, into, &arguments);
    record_close(record);
    return exit_code;
}
