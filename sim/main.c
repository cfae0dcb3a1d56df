/* The brownout command: which verb. */
#include <stdio.h>
#include <string.h>

#include "sim/command.h"
#include "sim/record.h"

struct verb {
    const char *name;
    int (*command)(int argc, char **argv);
    const char *doc;
};

static const struct verb verbs[] = {
    {"run", command_run, "one run of a scenario: verdict, laws, figures, how to replay it"},
    {"replay", command_replay, "the same run again, byte for byte; also under gdb"},
    {"sweep", command_sweep, "many seeds of one scenario or of a folder of them"},
    {"merge", command_merge, "the runs of several databases in one: shards of a sweep"},
    {"shrink", command_shrink, "the smallest plan that still fails alike, as a scenario"},
    {"inevitable", command_inevitable, "the event at which a failure became certain"},
    {"triage", command_triage, "failures in groups: which are new, known, rare, resolved"},
    {"export", command_export, "a run for Wireshark, Perfetto, or as a table"},
    {"selfcheck", command_selfcheck, "determinism, proved by running again in another process"},
    {"cuts", command_cuts, "every power cut of a device's life, nested to any depth"},
    {"mutants", command_mutants, "planted bugs: each must be caught by the law that it names"},
    {"confidence", command_confidence, "what runs without a failure say of bugs not shown"},
    {"report", command_report, "what a database of runs holds, as one HTML file"},
    {"up", command_up, "a cloud, a gateway and devices as real daemons on this machine"},
    {"judge", command_judge, "evidence logs of real daemons, by the laws of simulated ones"},
    {"session", command_session, "MQTT 5 sessions: the real broker and clients under faults"},
    {"spec", command_spec, "the laws as TLA+: checked, and shown to be what the models judge by"},
};
enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

static int help(FILE *file, int exit_code)
{
    fputs("brownout: deterministic simulation and fault injection for fleets of connected "
          "devices\n\n",
          file);
    for (unsigned i = 0; i < VERB_COUNT; i++) {
        fprintf(file, "  %-10s %s\n", verbs[i].name, verbs[i].doc);
    }
    fputs("\nbrownout VERB --help says more, with an example; brownout --version which build this "
          "is.\n"
          "Exit codes: 0 all laws held, 1 a law was broken, 2 the call or the scenario is wrong,\n"
          "3 not deterministic, 4 the harness itself failed, 5 it cannot be told.\n",
          file);
    return exit_code;
}

static int version(void)
{
    struct record_build build;
    record_build(&build);
    printf("brownout %s (%s, %s)\nprogram  %s\nSQLite   %s %s\n", build.commit, build.compiler,
           build.type, build.program, build.sqlite_version, build.sqlite_source);
    return VERDICT_PASS;
}

static const struct verb *find(const char *name)
{
    for (unsigned i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int unknown(const char *typed)
{
    const char *names[VERB_COUNT + 1];
    char error[256];
    for (unsigned i = 0; i < VERB_COUNT; i++) {
        names[i] = verbs[i].name;
    }
    names[VERB_COUNT] = "help";
    option_unknown("verb", typed, names, VERB_COUNT + 1, error, sizeof error);
    fprintf(stderr, "brownout: %s (brownout help lists them)\n", error);
    return VERDICT_USAGE;
}

/* help [VERB] */
static int help_verb(int argc, char **argv)
{
    char option[] = "--help";
    const struct verb *verb = argc > 1 ? find(argv[1]) : NULL;
    if (verb == NULL) {
        return argc > 1 ? unknown(argv[1]) : help(stdout, VERDICT_PASS);
    }
    char *words[] = {argv[1], option, NULL};
    return verb->command(2, words);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return help(stderr, VERDICT_USAGE);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        return version();
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return help_verb(argc - 1, argv + 1);
    }
    const struct verb *verb = find(argv[1]);
    return verb == NULL ? unknown(argv[1]) : verb->command(argc - 1, argv + 1);
}
