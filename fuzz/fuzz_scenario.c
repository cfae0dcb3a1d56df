/* Scenarios: Lua in its sandbox, and the arguments that it gives to the world.
 * Required: a scenario is read whole or refused with a text that names the file, the same way each
 * time; what was read is a plan that can be written and read; of a small fleet its run ends with a
 * verdict and, where that is not a pass, a reason, and lived again it has the same hash. A scenario
 * that spins ends by its budgets: libFuzzer's time limit is the oracle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "sim/run.h"
#include "sim/script.h"

enum { INPUT_BYTES_MAX = 16384, NODES_MAX = 4, TEXT_BYTES = 512 };

static void require_plan(const struct plan *plan)
{
    struct plan again;
    char error[TEXT_BYTES] = "";
    char *text = NULL;
    size_t size_bytes = 0;
    uint64_t hash[2], again_hash[2];
    FILE *file = open_memstream(&text, &size_bytes);
    REQUIRE(file != NULL && plan_write(plan, file) && fclose(file) == 0);
    if (!plan_read_text(&again, text, error, sizeof error)) {
        fprintf(stderr, "%s\n%s", error, text);
        fuzz_failed(__FILE__, __LINE__, "what was written is read");
    }
    plan_hash(plan, hash);
    plan_hash(&again, again_hash);
    REQUIRE(hash[0] == again_hash[0] && hash[1] == again_hash[1]);
    plan_free(&again);
    free(text);
}

static void live(const char *path, struct run_result *result)
{
    static const struct run_setting settings[] = {
        {"run.duration", "2m"}, {"run.heal", "5m"}, {"run.crypto", "ideal"}};
    struct run_request request;
    run_request_init(&request);
    request.scenario = path;
    request.seed = 1;
    request.settings = settings;
    request.setting_count = sizeof settings / sizeof settings[0];
    run(&request, result);
}

static void require_run(const char *path)
{
    struct run_result *first = calloc(1, sizeof *first), *second = calloc(1, sizeof *second);
    REQUIRE(first != NULL && second != NULL);
    live(path, first);
    REQUIRE(first->verdict != VERDICT_HARNESS && first->verdict != VERDICT_NONDETERMINISTIC);
    REQUIRE(first->verdict == VERDICT_PASS || first->message[0] != '\0');
    live(path, second);
    REQUIRE(first->verdict == second->verdict && strcmp(first->message, second->message) == 0);
    REQUIRE(memcmp(first->digest, second->digest, sizeof first->digest) == 0);
    run_result_free(first);
    run_result_free(second);
    free(first);
    free(second);
}

/* False: it was refused. */
static bool opens(const char *path, struct plan *plan, char error[TEXT_BYTES])
{
    error[0] = '\0';
    plan_init(plan, 1);
    struct script *script = script_open(path, plan, error, TEXT_BYTES);
    if (script == NULL) {
        REQUIRE(strstr(error, "fuzz.lua") != NULL);
        return false;
    }
    REQUIRE(script_question(script) != NULL);
    script_close(script);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct plan plan, again;
    char error[TEXT_BYTES], again_error[TEXT_BYTES], reason[TEXT_BYTES];
    if (size_bytes > INPUT_BYTES_MAX) {
        return 0;
    }
    const char *path = fuzz_file(0, "fuzz.lua", data, size_bytes);
    const bool good = opens(path, &plan, error);
    REQUIRE(opens(path, &again, again_error) == good);
    REQUIRE(strcmp(error, again_error) == 0);
    if (good) {
        uint64_t hash[2], again_hash[2];
        plan_hash(&plan, hash);
        plan_hash(&again, again_hash);
        REQUIRE(hash[0] == again_hash[0] && hash[1] == again_hash[1]);
        if (settings_check(&plan.settings, reason, sizeof reason)) {
            require_plan(&plan);
            if (fleet_node_count(&plan.settings) <= NODES_MAX) {
                require_run(path);
            }
        } else {
            REQUIRE(reason[0] != '\0');
        }
    }
    plan_free(&plan);
    plan_free(&again);
    return 0;
}
