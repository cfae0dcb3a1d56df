#include "sim/witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"

char *witness_plan_text(const struct plan *plan)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    CHECK(file != NULL);
    CHECK(plan_write(plan, file));
    CHECK(fclose(file) == 0);
    return text;
}

static void compare(struct run_result *result, const struct run_result *again)
{
    char first[HASH_TEXT_BYTES], second[HASH_TEXT_BYTES];
    if (memcmp(again->digest, result->digest, sizeof again->digest) != 0) {
        hash_print(result->digest, first);
        hash_print(again->digest, second);
        result->verdict = VERDICT_NONDETERMINISTIC;
        snprintf(result->message, sizeof result->message,
                 "one plan, two hashes: %s when it was lived, %s when it was repeated", first,
                 second);
    }
}

/* From its plan, with its last items kept. */
static void repeat(const struct run_request *request, struct witness *witness)
{
    struct run_result again;
    struct run_request request_again = *request;
    request_again.scenario = NULL;
    request_again.plan = &witness->result.plan;
    request_again.settings = NULL;
    request_again.setting_count = 0;
    request_again.coverage = false;
    request_again.options.item = trace_item;
    request_again.options.item_ctx = &witness->trace;
    CHECK(trace_open(&witness->trace, false));
    run(&request_again, &again);
    compare(&witness->result, &again);
    run_result_free(&again);
}

void witness_run(const struct run_request *request, struct witness *witness)
{
    struct run_result again;
    memset(witness, 0, sizeof *witness);
    run(request, &witness->result);
    if (witness->result.verdict == VERDICT_PASS && request->twice) {
        run(request, &again);
        compare(&witness->result, &again);
        run_result_free(&again);
    }
    if (witness->result.events == 0 ||
        (witness->result.verdict == VERDICT_PASS && !request->keep_plan)) {
        return;
    }
    witness->plan = witness_plan_text(&witness->result.plan);
    if (witness->result.violated && request->options.item == NULL) {
        repeat(request, witness);
    }
}

void witness_free(struct witness *witness)
{
    run_result_free(&witness->result);
    trace_close(&witness->trace);
    free(witness->plan);
    witness->plan = NULL;
}
