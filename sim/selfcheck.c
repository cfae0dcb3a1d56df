#include "sim/selfcheck.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/plan.h"

/* Files that two runs are compared by, in a folder of their own. */
struct bench {
    char folder[200];
    char plan[224], left[224], right[224];
};

static bool bench_open(struct bench *bench)
{
    const char *parent = getenv("TMPDIR");
    parent = parent == NULL || parent[0] == '\0' ? "/tmp" : parent;
    const int length =
        snprintf(bench->folder, sizeof bench->folder, "%s/brownout-selfcheck-XXXXXX", parent);
    if (length < 0 || (size_t)length >= sizeof bench->folder || mkdtemp(bench->folder) == NULL) {
        return false;
    }
    snprintf(bench->plan, sizeof bench->plan, "%s/lived.plan", bench->folder);
    snprintf(bench->left, sizeof bench->left, "%s/left", bench->folder);
    snprintf(bench->right, sizeof bench->right, "%s/right", bench->folder);
    return true;
}

static void bench_close(struct bench *bench)
{
    (void)unlink(bench->plan);
    (void)unlink(bench->left);
    (void)unlink(bench->right);
    (void)rmdir(bench->folder);
}

/* ---- where two runs part --------------------------------------------------------------------- */

/* Index of the first digest that differs; the shorter file ends with one that does. */
static bool first_digest(const struct bench *bench, uint64_t *index)
{
    FILE *left = fopen(bench->left, "rb"), *right = fopen(bench->right, "rb");
    bool differ = false;
    *index = 0;
    while (left != NULL && right != NULL && !differ) {
        uint64_t one = 0, other = 0;
        const bool here = fread(&one, sizeof one, 1, left) == 1;
        const bool there = fread(&other, sizeof other, 1, right) == 1;
        differ = here != there || one != other;
        if (!here && !there) {
            break;
        }
        *index += differ ? 0 : 1;
    }
    if (left != NULL) {
        fclose(left);
    }
    if (right != NULL) {
        fclose(right);
    }
    return differ;
}

static bool read_line(FILE *file, char line[SELFCHECK_LINE_BYTES])
{
    line[0] = '\0';
    if (fgets(line, SELFCHECK_LINE_BYTES, file) == NULL) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    return true;
}

static void remember(char lines[SELFCHECK_LINES][SELFCHECK_LINE_BYTES], uint32_t *count,
                     const char *line)
{
    if (*count == SELFCHECK_LINES) {
        memmove(lines[0], lines[1], (SELFCHECK_LINES - 1) * SELFCHECK_LINE_BYTES);
        (*count)--;
    }
    snprintf(lines[(*count)++], SELFCHECK_LINE_BYTES, "%s", line);
}

static void take_rest(FILE *file, char lines[SELFCHECK_LINES][SELFCHECK_LINE_BYTES],
                      uint32_t *count, const char *first)
{
    char line[SELFCHECK_LINE_BYTES];
    snprintf(line, sizeof line, "%s", first);
    while (*count < SELFCHECK_LINES && line[0] != '\0') {
        snprintf(lines[(*count)++], SELFCHECK_LINE_BYTES, "%s", line);
        (void)read_line(file, line);
    }
}

/* The first line that differs says which event it is; a hash may part where no line does. */
static void compare_lines(const struct bench *bench, struct selfcheck_difference *difference)
{
    FILE *left = fopen(bench->left, "r"), *right = fopen(bench->right, "r");
    char one[SELFCHECK_LINE_BYTES] = "", other[SELFCHECK_LINE_BYTES] = "";
    while (left != NULL && right != NULL) {
        const bool here = read_line(left, one), there = read_line(right, other);
        if (!here && !there) {
            break;
        }
        if (here != there || strcmp(one, other) != 0) {
            difference->event = strtoull(here ? one : other, NULL, 10);
            take_rest(left, difference->left, &difference->left_count, one);
            take_rest(right, difference->right, &difference->right_count, other);
            break;
        }
        remember(difference->before, &difference->before_count, one);
    }
    if (left != NULL) {
        fclose(left);
    }
    if (right != NULL) {
        fclose(right);
    }
}

/* Both again, with a digest at each event; then both again, to see the items around the first that
 * differs. A digest is taken when the event begins: what differs may lie in the step before. */
static void find_difference(const struct bench *bench, struct twin_task left,
                            struct twin_task right, struct selfcheck_difference *difference)
{
    struct twin_answer answer;
    char error[512];
    uint64_t index;
    left.plan_out = NULL;
    left.digests = bench->left;
    right.digests = bench->right;
    if (!twin_run(&left, &answer, error, sizeof error) ||
        !twin_run(&right, &answer, error, sizeof error)) {
        return;
    }
    if (!first_digest(bench, &index)) {
        index = answer.events; /* if at all, in the last step */
    }
    left.digests = right.digests = NULL;
    left.items = bench->left;
    right.items = bench->right;
    left.from_event = right.from_event = index == 0 ? 0 : index - 1;
    left.to_event = right.to_event = index;
    if (!twin_run(&left, &answer, error, sizeof error) ||
        !twin_run(&right, &answer, error, sizeof error)) {
        return;
    }
    difference->event = left.from_event;
    difference->found = true;
    compare_lines(bench, difference);
}

/* ---- checks ---------------------------------------------------------------------------------- */

struct checking {
    const struct selfcheck_request *request;
    struct selfcheck_result *result;
    const struct bench *bench;
};

static bool answered(struct checking *checking, const struct twin_task *task,
                     struct twin_answer *answer)
{
    struct selfcheck_result *result = checking->result;
    if (!twin_run(task, answer, result->message, sizeof result->message)) {
        result->verdict = VERDICT_HARNESS;
        return false;
    }
    if (answer->verdict == VERDICT_USAGE || answer->verdict == VERDICT_UNKNOWN) {
        result->verdict = answer->verdict;
        memcpy(result->message, answer->message, sizeof answer->message);
        return false;
    }
    return true;
}

/* False: there is no use in going on. */
static bool compare(struct checking *checking, const char *name, const struct twin_task *left,
                    const struct twin_answer *left_answer, const struct twin_task *right)
{
    struct selfcheck_result *result = checking->result;
    struct twin_answer answer;
    CHECK(result->check_count < SELFCHECK_CHECKS_MAX);
    if (!answered(checking, right, &answer)) {
        return false;
    }
    struct selfcheck_check *check = &result->checks[result->check_count++];
    check->name = name;
    check->equal =
        left_answer->events == answer.events && strcmp(left_answer->hash, answer.hash) == 0;
    memcpy(check->left, left_answer->hash, sizeof check->left);
    memcpy(check->right, answer.hash, sizeof check->right);
    if (!check->equal && result->verdict == VERDICT_PASS) {
        result->verdict = VERDICT_NONDETERMINISTIC;
        find_difference(checking->bench, *left, *right, &result->difference);
    }
    if (checking->request->progress != NULL) {
        checking->request->progress(checking->request->progress_ctx, name);
    }
    return true;
}

/* Bits that stick, rot or waver meet the bytes that lie there, signatures among them: what becomes
 * of a record is then a matter of its bytes, and the two providers part. */
static bool bytes_decide(const char *path)
{
    char error[256];
    struct plan plan;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    bool decide = false;
    if (plan_read(&plan, file, error, sizeof error)) {
        for (uint32_t i = 0; i < plan.entry_count; i++) {
            const enum effect effect = plan.entries[i].effect;
            decide = decide || effect == EFFECT_FLASH_STUCK || effect == EFFECT_FLASH_ROT ||
                     effect == EFFECT_FLASH_DISTURB || effect == EFFECT_FLASH_BROWN_OUT;
        }
    }
    plan_free(&plan);
    fclose(file);
    return decide;
}

/* Nothing of a run may hang on what signatures are made of: both have one history. */
static bool compare_crypto(struct checking *checking, struct twin_task base)
{
    struct twin_answer answer;
    base.history = true;
    base.plan_out = NULL;
    struct twin_task other = base;
    base.crypto = "openssl";
    other.crypto = "ideal";
    return answered(checking, &base, &answer) &&
           compare(checking, "openssl and ideal signatures, history alone", &base, &answer, &other);
}

static void check_all(struct checking *checking)
{
    const struct selfcheck_request *request = checking->request;
    struct selfcheck_result *result = checking->result;
    const struct twin_answer *first = &result->answer;
    struct twin_task base, other;
    twin_task_init(&base);
    base.program = request->program;
    base.scenario = request->scenario;
    base.seed = request->seed;
    base.settings = request->settings;
    base.plan_out = checking->bench->plan;
    if (!answered(checking, &base, &result->answer)) {
        return;
    }
    base.plan_out = NULL;
    other = base;
    other.other_memory = true;
    bool good = compare(checking, "again, with other addresses, memory fill and environment", &base,
                        first, &other);
    other = base;
    other.scenario = NULL;
    other.plan = checking->bench->plan;
    good = good && compare(checking, "its plan alone, without Lua", &base, first, &other);
    other = base;
    other.no_laws = true;
    other.until_event = first->events; /* a broken law ends a run only where laws are on */
    good = good && compare(checking, "without laws", &base, first, &other);
    other = base;
    other.looked_at = true;
    good = good && compare(checking, "with every item looked at", &base, first, &other);
    other = base;
    other.after_another = true;
    good = good && compare(checking, "after another run in its process", &base, first, &other);
    if (request->with != NULL) {
        other = base;
        other.program = request->with;
        good = good && compare(checking, "by the other build", &base, first, &other);
    }
    (void)(good && !bytes_decide(checking->bench->plan) && compare_crypto(checking, base));
}

void selfcheck(const struct selfcheck_request *request, struct selfcheck_result *result)
{
    struct bench bench;
    struct checking checking = {request, result, &bench};
    memset(result, 0, sizeof *result);
    if (!bench_open(&bench)) {
        result->verdict = VERDICT_HARNESS;
        snprintf(result->message, sizeof result->message,
                 "no folder for temporary files; set TMPDIR to one that can be written");
        return;
    }
    check_all(&checking);
    bench_close(&bench);
}
