/* brownout spec: which of its verbs, and what they share. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/process.h"
#include "sim/spec_call.h"

enum { OPTIONS_MAX = 12 };

static const struct {
    const char *name;
    int (*command)(int argc, char **argv);
    const char *doc;
} verbs[] = {
    {"check", command_spec_check, "TLC on every spec: claims, liveness, planted bugs, witnesses"},
    {"conform", command_spec_conform, "is the C model the same state machine as its spec?"},
    {"mutate", command_spec_mutate, "does conform notice each changed token of a model?"},
    {"trace", command_spec_trace, "does TLC accept what devices did in recorded runs?"},
    {"walks", command_spec_walks,
     "walks over every edge of a law's graph, also with the real core"},
    {"edges", command_spec_edges, "which edges of a law's graph has no recorded run ever taken?"},
    {"replay", command_spec_replay, "a counterexample, taken to the real core and to a scenario"},
};
enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

static int help(FILE *file, int exit_code)
{
    fputs("brownout spec VERB [LAW] [OPTIONS]\n"
          "The laws as TLA+ (specs/), and the C models that judge runs (models/).\n\n",
          file);
    for (unsigned i = 0; i < VERB_COUNT; i++) {
        fprintf(file, "  %-10s %s\n", verbs[i].name, verbs[i].doc);
    }
    fputs(
        "\nbrownout spec VERB --help says more.\n"
        "Exit codes: 0 as it should be, 1 it is not, 2 the call, a spec or a jar is wrong, 4 the\n"
        "harness itself failed, 77 what needs Java was left out and the rest is good.\n\n"
        "example:\n  brownout spec conform Telemetry\n",
        file);
    return exit_code;
}

int command_spec(int argc, char **argv)
{
    const char *names[VERB_COUNT];
    char error[256];
    if (argc < 2) {
        return help(stderr, VERDICT_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        return help(stdout, VERDICT_PASS);
    }
    for (unsigned i = 0; i < VERB_COUNT; i++) {
        names[i] = verbs[i].name;
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].command(argc - 1, argv + 1);
        }
    }
    option_unknown("verb", argv[1], names, VERB_COUNT, error, sizeof error);
    return command_refuse("spec", error);
}

/* ---- What the verbs share -------------------------------------------------------------------- */

static bool read_folders(struct spec_call *call, const char *verb, int *exit_code)
{
    const char *names[SPEC_LAWS_MAX];
    char error[1024];
    const uint32_t count = spec_count();
    CHECK(count >= 1 && count <= SPEC_LAWS_MAX);
    call->folders = calloc(count, sizeof *call->folders);
    CHECK(call->folders != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct spec_model *model = spec_at(i);
        names[i] = model->name;
        if (call->law != NULL && strcmp(call->law, model->name) != 0) {
            continue;
        }
        if (!spec_folder_read(&call->folders[call->folder_count++], model, call->source, error,
                              sizeof error)) {
            *exit_code = command_refuse(verb, error);
            return false;
        }
    }
    if (call->folder_count == 0) {
        option_unknown("law", call->law, names, count, error, sizeof error);
        *exit_code = command_refuse(verb, error);
    }
    return call->folder_count > 0;
}

bool spec_call_begin(struct spec_call *call, const struct option_verb *verb, int argc, char **argv,
                     int *exit_code)
{
    struct option options[OPTIONS_MAX] = {
        {.name = "--jobs",
         .kind = OPTION_COUNT,
         .target = &call->jobs,
         .min = 1,
         .max = TLC_JOBS_MAX,
         .value = "J",
         .doc = "so many at once; otherwise one a processor"},
        {.name = "--source",
         .kind = OPTION_TEXT,
         .target = &call->source,
         .value = "FOLDER",
         .doc = "root of the tree (.)"},
        {.name = "--keep",
         .kind = OPTION_FLAG,
         .target = &call->keep,
         .doc = "keep what TLC read and wrote, and say where"},
        {.name = "--json",
         .kind = OPTION_FLAG,
         .target = &call->json,
         .doc = "print one JSON object instead of a table"},
    };
    struct option_verb whole = *verb;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = 4;
    CHECK(verb->option_count + count <= OPTIONS_MAX);
    memmove(options + verb->option_count, options, count * sizeof options[0]);
    memcpy(options, verb->options, verb->option_count * sizeof options[0]);
    whole.options = options;
    whole.option_count = count + verb->option_count;
    whole.argument = verb->argument != NULL ? verb->argument : "[LAW]";
    call->source = ".";
    call->jobs = processors < 1              ? 1
                 : processors > TLC_JOBS_MAX ? TLC_JOBS_MAX
                                             : (uint64_t)processors;
    const char *argument = NULL;
    if (!command_parse(&whole, argc, argv, &argument, exit_code)) {
        return false;
    }
    call->law = verb->argument != NULL ? call->law : argument;
    return read_folders(call, verb->name, exit_code);
}

void spec_call_end(struct spec_call *call)
{
    if (call->shop[0] != '\0' && call->keep) {
        fprintf(stderr, "kept: %s\n", call->shop);
    } else if (call->shop[0] != '\0') {
        const char *const words[] = {"rm", "-rf", "--", call->shop, NULL};
        struct process process;
        char said[256];
        if (!process_start(&process, words, PROCESS_MEMORY_DRAWN, true) ||
            process_finish(&process, said, sizeof said) != 0) {
            fprintf(stderr, "%s: cannot be removed\n", call->shop);
        }
    }
    free(call->folders);
}

bool spec_call_tlc(struct spec_call *call, const char *verb, int *exit_code)
{
    char error[2048];
    const char *ci = getenv("CI");
    const enum tlc_found found = tlc_find(&call->tlc, call->source, error, sizeof error);
    if (found == TLC_FOUND) {
        return true;
    }
    fprintf(stderr, "brownout %s: %s\n", verb, error);
    if (found == TLC_OTHER_JAR || (found == TLC_NO_JAR && call->tlc.is_given)) {
        *exit_code = VERDICT_USAGE;
    } else if (ci != NULL && strcmp(ci, "true") == 0) {
        fprintf(stderr, "brownout %s: CI=true: what needs Java may not be left out\n", verb);
        *exit_code = VERDICT_HARNESS;
    } else {
        *exit_code = SPEC_EXIT_SKIPPED;
    }
    return false;
}

bool spec_call_folder(struct spec_call *call, uint32_t number, char *path, size_t path_bytes)
{
    if (call->shop[0] == '\0') {
        const char *parent = getenv("TMPDIR");
        snprintf(call->shop, sizeof call->shop, "%s/brownout-spec-XXXXXX",
                 parent == NULL || parent[0] != '/' ? "/tmp" : parent);
        if (mkdtemp(call->shop) == NULL) {
            fprintf(stderr, "brownout spec: %s: %s\n", call->shop, strerror(errno));
            call->shop[0] = '\0';
            return false;
        }
    }
    const int length = snprintf(path, path_bytes, "%s/%" PRIu32, call->shop, number);
    if (length < 0 || (size_t)length >= path_bytes || mkdir(path, 0755) != 0) {
        fprintf(stderr, "brownout spec: %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

bool spec_call_lint(const struct spec_call *call)
{
    uint32_t faults = 0;
    for (uint32_t i = 0; i < call->folder_count; i++) {
        faults += spec_lint(&call->folders[i], stderr);
    }
    return faults == 0;
}
