#include "sim/failure.h"

#include <stdio.h>
#include <string.h>

bool failure_is_crash(const struct run_result *result)
{
    return result->verdict == VERDICT_HARNESS &&
           strncmp(result->message, "died of", strlen("died of")) == 0;
}

void failure_kind(const struct run_result *result, char kind[FAILURE_BYTES])
{
    const struct violation *violation = &result->violation;
    const bool crashed = failure_is_crash(result);
    kind[0] = '\0';
    if (result->verdict == VERDICT_NONDETERMINISTIC) {
        snprintf(kind, FAILURE_BYTES, "one plan, two hashes");
    } else if (result->verdict == VERDICT_FAIL && result->violated &&
               result->check_text[0] != '\0') {
        snprintf(kind, FAILURE_BYTES, "%s: %s", law_name(violation->law), result->check_text);
    } else if (result->verdict == VERDICT_FAIL && result->violated) {
        snprintf(kind, FAILURE_BYTES, "%s at %s", law_name(violation->law),
                 world_said_name(violation->observation.kind));
    } else if ((result->verdict == VERDICT_FAIL && !result->live_expectation) || crashed) {
        /* Behind the colon is how far it was off, or what was said last. */
        snprintf(kind, FAILURE_BYTES, "%.*s", (int)strcspn(result->message, ":"), result->message);
    }
}
