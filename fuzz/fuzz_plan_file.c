/* Plans as text.
 * Required: what is refused is refused with a line that says why; what is read strikes nobody that
 * is not there, and is written again as a text that reads as the same plan, with the same hash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "sim/plan.h"

enum { INPUT_BYTES_MAX = 1 << 16 };

static char *text_of(const struct plan *plan)
{
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *file = open_memstream(&text, &size_bytes);
    REQUIRE(file != NULL);
    REQUIRE(plan_write(plan, file));
    REQUIRE(fclose(file) == 0);
    return text;
}

static void require_round_trip(const struct plan *plan)
{
    struct plan again;
    char error[512] = "";
    uint64_t hash[2], again_hash[2];
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        REQUIRE(plan_entry_check(plan, &plan->entries[i], error, sizeof error));
    }
    char *text = text_of(plan);
    if (!plan_read_text(&again, text, error, sizeof error)) {
        fprintf(stderr, "%s\n%s", error, text);
        fuzz_failed(__FILE__, __LINE__, "what was written is read");
    }
    char *again_text = text_of(&again);
    REQUIRE(strcmp(text, again_text) == 0);
    plan_hash(plan, hash);
    plan_hash(&again, again_hash);
    REQUIRE(hash[0] == again_hash[0] && hash[1] == again_hash[1]);
    plan_free(&again);
    free(again_text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct plan plan;
    char error[512] = "";
    char *text = size_bytes <= INPUT_BYTES_MAX ? fuzz_text(data, size_bytes) : NULL;
    if (text == NULL) {
        return 0;
    }
    plan_init(&plan, 0);
    if (plan_read_text(&plan, text, error, sizeof error)) {
        require_round_trip(&plan);
    } else {
        REQUIRE(error[0] != '\0');
    }
    plan_free(&plan);
    free(text);
    return 0;
}
