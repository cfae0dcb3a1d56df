/* Descriptions of flash parts: a file, and the same on one line.
 * Required: a refusal says why; a part that was read is printed, and what was printed reads as the
 * same profile; and a flash can be made of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "sim/part.h"

enum { INPUT_BYTES_MAX = 4096 };

static void require_part(const struct part *part)
{
    char line[PART_TEXT_BYTES], again_line[PART_TEXT_BYTES], error[512] = "";
    struct part again;
    uint64_t digest[2], again_digest[2];
    REQUIRE(part->profile.run_count <= FLASH_RUNS_MAX);
    if (!part_print(part, line, sizeof line)) {
        return;
    }
    if (!part_read(line, &again, error, sizeof error)) {
        fprintf(stderr, "%s: %s\n", line, error);
        fuzz_failed(__FILE__, __LINE__, "what was printed is read");
    }
    part_digest(&part->profile, digest);
    part_digest(&again.profile, again_digest);
    REQUIRE(digest[0] == again_digest[0] && digest[1] == again_digest[1]);
    REQUIRE(part_print(&again, again_line, sizeof again_line));
    REQUIRE(strcmp(line, again_line) == 0);
    part_fit(&again.profile, 4096, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct part part;
    char error[512] = "";
    if (size_bytes > INPUT_BYTES_MAX) {
        return 0;
    }
    char *text = fuzz_text(data, size_bytes);
    if (part_load(fuzz_file(0, "fuzz.part", data, size_bytes), &part, error, sizeof error)) {
        require_part(&part);
    } else {
        REQUIRE(error[0] != '\0');
    }
    error[0] = '\0';
    if (text != NULL && strchr(text, '=') != NULL) { /* else it is the name of a file */
        if (part_read(text, &part, error, sizeof error)) {
            require_part(&part);
        } else {
            REQUIRE(error[0] != '\0');
        }
    }
    free(text);
    return 0;
}
