/* Evidence logs, and what the judge makes of them.
 * Input: one to three logs, divided by a NUL.
 * Required: a line that is read is printed as the same bytes, and a refused one says why; the
 * file's reader stops at the first line that is none, and tells as many as there are before it;
 * several logs are one history or are refused with a reason, and the laws hear it to its end. */
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "sim/evidence_judge.h"

enum { LOGS_MAX = 3, INPUT_BYTES_MAX = 1 << 15, STEPS_MAX = 1 << 16 };

static bool is_header(const char *text, size_t size_bytes)
{
    struct evidence_header header;
    char again[EVIDENCE_HEADER_BYTES_MAX];
    const char *why = NULL;
    if (!evidence_header_parse(text, size_bytes, &header, &why)) {
        REQUIRE(why != NULL && why[0] != '\0');
        return false;
    }
    const uint32_t again_bytes = evidence_header_print(&header, again);
    REQUIRE(again_bytes == size_bytes + 1 && again[size_bytes] == '\n');
    REQUIRE(memcmp(again, text, size_bytes) == 0);
    return true;
}

static bool is_line(const char *text, size_t size_bytes)
{
    struct evidence_line line;
    char again[EVIDENCE_LINE_BYTES_MAX];
    const char *why = NULL;
    if (!evidence_line_parse(text, size_bytes, &line, &why)) {
        REQUIRE(why != NULL && why[0] != '\0');
        return false;
    }
    REQUIRE(evidence_word(line.kind) != NULL);
    const uint32_t again_bytes = evidence_line_print(&line, again);
    REQUIRE(again_bytes == size_bytes + 1 && again[size_bytes] == '\n');
    REQUIRE(memcmp(again, text, size_bytes) == 0);
    return true;
}

/* How many lines stand behind the header before one that is none. -1: there is no header. */
static int32_t lines_of(const char *text, size_t size_bytes, bool *wrong)
{
    int32_t count = -1;
    *wrong = false;
    for (size_t at = 0; at < size_bytes;) {
        const char *end = memchr(text + at, '\n', size_bytes - at);
        if (end == NULL) {
            *wrong = size_bytes - at >= EVIDENCE_HEADER_BYTES_MAX;
            return count;
        }
        const size_t line_bytes = (size_t)(end - text) - at;
        if (count < 0 ? !is_header(text + at, line_bytes) : !is_line(text + at, line_bytes)) {
            *wrong = true;
            return count;
        }
        count++;
        at += line_bytes + 1;
    }
    return count;
}

static void require_file(const char *path, const char *text, size_t size_bytes)
{
    static struct evidence_file file;
    struct evidence_line line;
    enum evidence_read read;
    char error[512] = "";
    bool wrong;
    int32_t told = 0;
    const int32_t there = lines_of(text, size_bytes, &wrong);
    if (!evidence_file_open(&file, path, error, sizeof error)) {
        REQUIRE(there < 0 && error[0] != '\0');
        return;
    }
    REQUIRE(there >= 0);
    while ((read = evidence_file_next(&file, &line, error, sizeof error)) == EVIDENCE_READ_LINE) {
        told++;
    }
    REQUIRE(told == there);
    REQUIRE(read == (wrong ? EVIDENCE_READ_WRONG : EVIDENCE_READ_END));
    REQUIRE(!wrong || error[0] != '\0');
    evidence_file_close(&file);
}

static void judge_all(const char *const *paths, uint32_t count)
{
    static struct evidence_judge judge;
    struct evidence_merge *merge = NULL;
    char error[512] = "";
    if (!merge_open(&merge, paths, count, error, sizeof error)) {
        REQUIRE(error[0] != '\0');
    } else if (!evidence_judge_init(&judge, merge, UINT64_MAX, error, sizeof error)) {
        REQUIRE(error[0] != '\0');
    } else {
        enum merge_outcome outcome;
        uint32_t steps = 0;
        do {
            outcome = merge_next(merge, false, 0, evidence_judge_hear, &judge, error, sizeof error);
            REQUIRE(++steps < STEPS_MAX);
        } while (outcome == MERGE_STEP);
        REQUIRE(outcome == MERGE_OVER || outcome == MERGE_WRONG);
        if (outcome == MERGE_OVER) {
            evidence_judge_end(&judge, merge_counts(merge));
        } else {
            REQUIRE(error[0] != '\0');
        }
        evidence_judge_free(&judge);
    }
    merge_free(merge);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char *const names[LOGS_MAX] = {"a.evidence", "b.evidence", "c.evidence"};
    const char *paths[LOGS_MAX];
    uint32_t count = 0;
    if (size_bytes == 0 || size_bytes > INPUT_BYTES_MAX) {
        return 0;
    }
    for (size_t at = 0; at <= size_bytes && count < LOGS_MAX; count++) {
        const uint8_t *end = at < size_bytes ? memchr(data + at, '\0', size_bytes - at) : NULL;
        const size_t log_bytes = (end != NULL ? (size_t)(end - data) : size_bytes) - at;
        paths[count] = fuzz_file(count, names[count], data + at, log_bytes);
        require_file(paths[count], (const char *)data + at, log_bytes);
        at += log_bytes + 1;
    }
    judge_all(paths, count);
    return 0;
}
