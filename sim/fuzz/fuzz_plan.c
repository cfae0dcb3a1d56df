/* fuzz_plan: libFuzzer looks for a plan that breaks a law. The input is a plan file; changing it is
 * changing the plan (sim/plan_mutate.h), so that no run is lost on what is no plan. Guidance is the
 * sanitizer's coverage of core and core/server, which alone are instrumented.
 *
 *   fuzz_plan --scenario=FILE [--set=KEY=VALUE]... [--out=FOLDER] [--repeat-every=N]
 *             [libFuzzer's options] [CORPUS]
 *
 * Plans are drawn from the scenario as `brownout sweep` draws them (what its Lua does while it runs
 * is not in them); an input that is no plan, as the empty one that libFuzzer begins with, stands
 * for one that its bytes are the seed of.
 *
 * Every run is a world of its own in this process. Each N-th (64) is lived twice, and so is each
 * that breaks a law: another hash means that something of an earlier run was left behind, and ends
 * the search with an error (exit code 4).
 *
 * A law that is broken: its plan is written into FOLDER, the line that replays it is printed, and
 * the process aborts, as libFuzzer wants it. In any case the last line is a JSON object.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/hash.h"
#include "sim/option.h"
#include "sim/plan_mutate.h"
#include "sim/witness.h"

enum {
    INPUT_BYTES_MAX = 1 << 22,
    FRESH_ONE_IN = 3, /* as often a plan is drawn anew, and not changed */
    REPEAT_EVERY = 64,
    SEED_BITS_OFF = 1, /* seeds fit a SQLite integer */
    PATH_BYTES = 1024,
};
#define INPUT_BYTES_MAX_OPTION "-max_len=4194304"
_Static_assert(INPUT_BYTES_MAX == 4194304, "the option says the same");

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size_bytes, size_t size_bytes_max,
                               unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size_bytes, const uint8_t *other_data,
                                 size_t other_size_bytes, uint8_t *out, size_t out_bytes_max,
                                 unsigned seed);

static struct {
    const char *scenario, *out;
    struct option_settings settings;
    struct command_settings list;
    uint64_t runs, repeat_every;
    bool failed;
} fuzz = {.out = ".", .repeat_every = REPEAT_EVERY};

/* ---- plans ----------------------------------------------------------------------------------- */

static bool read_plan(const uint8_t *data, size_t size_bytes, struct plan *plan)
{
    char error[256];
    char *text = malloc(size_bytes + 1);
    CHECK(text != NULL);
    memcpy(text, data, size_bytes);
    text[size_bytes] = '\0';
    plan_init(plan, 0);
    const bool good = strlen(text) == size_bytes && plan_read_text(plan, text, error, sizeof error);
    free(text);
    if (!good) {
        plan_free(plan);
    }
    return good;
}

static void draw_plan(uint64_t seed, struct plan *plan)
{
    struct run_request request;
    char error[512];
    run_request_init(&request);
    command_settings(&fuzz.list, &fuzz.settings, &request);
    request.scenario = fuzz.scenario;
    request.seed = seed >> SEED_BITS_OFF;
    if (!run_draw(&request, plan, error, sizeof error)) {
        fprintf(stderr, "fuzz_plan: %s: %s\n", fuzz.scenario, error);
        exit(VERDICT_USAGE);
    }
}

static void plan_of(const uint8_t *data, size_t size_bytes, struct plan *plan)
{
    if (!read_plan(data, size_bytes, plan)) {
        uint64_t digest[2];
        hash_once(data, (uint32_t)size_bytes, digest);
        draw_plan(digest[0], plan);
    }
}

/* 0: it has no room there. */
static size_t write_plan(const struct plan *plan, uint8_t *out, size_t out_bytes_max)
{
    char *text = witness_plan_text(plan);
    const size_t length = strlen(text), written = length <= out_bytes_max ? length : 0;
    memcpy(out, text, written);
    free(text);
    return written;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size_bytes, size_t size_bytes_max,
                               unsigned seed)
{
    struct random_stream draws = {random_at(random_key(seed, "fuzz"), 0), 0};
    struct plan plan;
    if (random_below(&draws, FRESH_ONE_IN) == 0 || !read_plan(data, size_bytes, &plan)) {
        draw_plan(random_next(&draws), &plan);
    } else {
        plan_mutate(&plan, NULL, &draws);
    }
    const size_t written = write_plan(&plan, data, size_bytes_max);
    plan_free(&plan);
    return written > 0 ? written : size_bytes;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size_bytes, const uint8_t *other_data,
                                 size_t other_size_bytes, uint8_t *out, size_t out_bytes_max,
                                 unsigned seed)
{
    struct random_stream draws = {random_at(random_key(seed, "splice"), 0), 0};
    struct plan plan, other;
    plan_of(data, size_bytes, &plan);
    plan_of(other_data, other_size_bytes, &other);
    plan_splice(&plan, &other, &draws);
    const size_t written = write_plan(&plan, out, out_bytes_max);
    plan_free(&plan);
    plan_free(&other);
    return written;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void say_end(void)
{
    if (!fuzz.failed) {
        fprintf(stderr, "{\"fuzz_plan\":\"nothing\",\"runs\":%" PRIu64 ",\"law\":\"\"}\n",
                fuzz.runs);
    }
}

static void live(const struct plan *plan, struct run_result *result)
{
    struct run_request request;
    run_request_init(&request);
    request.plan = plan;
    run(&request, result);
}

/* The same plan once more, with all that the last run left of itself. */
static void must_repeat(const struct run_result *first)
{
    struct run_result *again = calloc(1, sizeof *again);
    CHECK(again != NULL);
    live(&first->plan, again);
    if (memcmp(again->digest, first->digest, sizeof again->digest) != 0) {
        fprintf(stderr,
                "fuzz_plan: run %" PRIu64
                ": lived again in this process it has another hash: something is left of a run\n",
                fuzz.runs);
        fuzz.failed = true;
        exit(VERDICT_HARNESS);
    }
    run_result_free(again);
    free(again);
}

static _Noreturn void tell(const struct run_result *result)
{
    char path[PATH_BYTES], hash[HASH_TEXT_BYTES], error[256];
    const char *law = result->violated ? law_name(result->violation.law) : "";
    char *text = witness_plan_text(&result->plan);
    hash_print(result->plan_digest, hash);
    snprintf(path, sizeof path, "%s/broken-%.16s.plan", fuzz.out, hash);
    if (!command_plan_write(path, text, result, error, sizeof error)) {
        fprintf(stderr, "fuzz_plan: %s\n", error);
        exit(VERDICT_HARNESS);
    }
    free(text);
    fuzz.failed = true;
    fprintf(stderr, "FAIL  %s\nreplay  brownout replay %s\n", result->message, path);
    fprintf(stderr,
            "{\"fuzz_plan\":\"failed\",\"runs\":%" PRIu64 ",\"law\":\"%s\",\"plan\":\"%s\"}\n",
            fuzz.runs, law, path);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct run_result *result = calloc(1, sizeof *result);
    struct plan plan;
    CHECK(result != NULL && fuzz.scenario != NULL);
    plan_of(data, size_bytes, &plan);
    live(&plan, result);
    fuzz.runs++;
    if (result->verdict == VERDICT_FAIL || fuzz.runs % fuzz.repeat_every == 0) {
        must_repeat(result);
    }
    if (result->verdict == VERDICT_FAIL) {
        tell(result);
    }
    plan_free(&plan);
    run_result_free(result);
    free(result);
    return 0;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static const char *value_of(const char *word, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(word, name, length) == 0 ? word + length : NULL;
}

static uint64_t number_of(const char *text)
{
    char *end;
    const uint64_t number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || number == 0) {
        fprintf(stderr, "fuzz_plan: --repeat-every takes a number from 1 on, not '%s'\n", text);
        exit(VERDICT_USAGE);
    }
    return number;
}

static bool is_ours(const char *word)
{
    const char *value = value_of(word, "--set=");
    char error[256];
    if (value != NULL && !option_settings_add(&fuzz.settings, value, error, sizeof error)) {
        fprintf(stderr, "fuzz_plan: %s\n", error);
        exit(VERDICT_USAGE);
    }
    if (value_of(word, "--scenario=") != NULL) {
        value = fuzz.scenario = value_of(word, "--scenario=");
    } else if (value_of(word, "--out=") != NULL) {
        value = fuzz.out = value_of(word, "--out=");
    } else if (value_of(word, "--repeat-every=") != NULL) {
        value = value_of(word, "--repeat-every=");
        fuzz.repeat_every = number_of(value);
    }
    return value != NULL;
}

/* Takes our words out, and adds what libFuzzer must know: that length is no measure of an input,
 * that its own changes are none, and that a run is no unit of a millisecond. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char own[][32] = {"-len_control=0", INPUT_BYTES_MAX_OPTION, "-timeout=300"};
    enum { OWN = sizeof own / sizeof own[0] };
    char **words = calloc((size_t)*argc + OWN + 1, sizeof *words);
    struct plan plan;
    int count = 0;
    CHECK(words != NULL);
    words[count++] = (*argv)[0];
    for (int i = 0; i < OWN; i++) { /* first, so that the call may say otherwise */
        words[count++] = own[i];
    }
    for (int i = 1; i < *argc; i++) {
        if (!is_ours((*argv)[i])) {
            words[count++] = (*argv)[i];
        }
    }
    if (fuzz.scenario == NULL) {
        fprintf(stderr, "fuzz_plan: name a scenario: --scenario=scenarios/swarm.lua\n");
        exit(VERDICT_USAGE);
    }
    *argc = count;
    *argv = words;
    draw_plan(1, &plan); /* what is wrong with it is said now */
    plan_free(&plan);
    CHECK(atexit(say_end) == 0);
    return 0;
}
