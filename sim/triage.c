/* Subjects to keys, failures to groups, counts to states. */
#include "sim/triage.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/hash.h"

const char *triage_state_name(enum triage_state state)
{
    static const char *const names[TRIAGE_STATE_COUNT] = {
        [TRIAGE_NEW] = "new",
        [TRIAGE_ONGOING] = "ongoing",
        [TRIAGE_RARE] = "rare",
        [TRIAGE_RESOLVED] = "resolved",
    };
    return names[state];
}

/* ---- keys ------------------------------------------------------------------------------------ */

void triage_mask(const char *text, char *masked, size_t masked_bytes)
{
    static const char digits[] = "0123456789";
    size_t length = 0;
    CHECK(masked_bytes >= 1);
    while (*text != '\0' && length + 1 < masked_bytes) {
        const size_t row = strspn(text, digits);
        masked[length] = *text;
        if (row > 0) {
            masked[length] = '#';
        }
        length++;
        text += row > 0 ? row : 1;
    }
    masked[length] = '\0';
}

static void hash_text(const char *text, char digits[HASH_TEXT_BYTES])
{
    uint64_t digest[2];
    hash_once(text, (uint32_t)strlen(text), digest);
    hash_print(digest, digits);
}

void triage_key(const struct triage_subject *subject, char key[TRIAGE_KEY_BYTES])
{
    char text[sizeof *subject + 8], cause[HASH_TEXT_BYTES], cone[HASH_TEXT_BYTES];
    snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n", subject->law, subject->what, subject->evidence,
             subject->role);
    hash_text(text, cause);
    hash_text(subject->cone, cone);
    snprintf(key, TRIAGE_KEY_BYTES, "%.*s-%.6s", TRIAGE_CAUSE_DIGITS, cause, cone);
}

/* ---- counting -------------------------------------------------------------------------------- */

/* What is counted of one arm for one group. */
struct arm_count {
    bool failed;
    uint64_t runs, failures; /* until it last failed */
    uint64_t clean;          /* since */
};

static void count_failures(const struct triage *triage, struct triage_group *group,
                           struct arm_count *arms)
{
    group->first_revision = UINT32_MAX;
    for (uint32_t i = group->first; i < group->first + group->count; i++) {
        const struct triage_failure *failure = &triage->failures[i];
        arms[failure->arm].failed = true;
        arms[failure->arm].failures++;
        group->failures_now += failure->now ? 1 : 0;
        if (failure->revision < group->first_revision) {
            group->first_revision = failure->revision;
        }
        if (failure->revision > group->last_revision) {
            group->last_revision = failure->revision;
        }
    }
    group->failures = group->count;
}

static void count_runs(const struct triage *triage, struct triage_group *group,
                       struct arm_count *arms)
{
    for (uint32_t i = 0; i < triage->tally_count; i++) {
        const struct triage_tally *tally = &triage->tallies[i];
        if (!arms[tally->arm].failed) {
            continue;
        }
        const bool behind =
            tally->revision > group->last_revision || (tally->now && group->failures_now == 0);
        arms[tally->arm].clean += behind ? tally->runs : 0;
        arms[tally->arm].runs += behind ? 0 : tally->runs;
        group->clean += behind ? tally->runs : 0;
        group->runs_now += tally->now ? tally->runs : 0;
        group->runs += tally->revision >= group->first_revision ? tally->runs : 0;
    }
}

/* base^exponent, for a base of 0..1. */
static double power(double base, uint64_t exponent)
{
    double result = 1;
    for (; exponent > 0; exponent >>= 1) {
        result *= (exponent & 1) != 0 ? base : 1;
        base *= base;
    }
    return result;
}

static double chance_of(const struct arm_count *arms, uint32_t count)
{
    double chance = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (arms[i].failed) {
            chance *=
                power(1 - (double)arms[i].failures / ((double)arms[i].runs + 1), arms[i].clean);
        }
    }
    return chance;
}

static enum triage_state state_of(const struct triage_group *group)
{
    if (group->failures_now == group->failures) {
        return TRIAGE_NEW;
    }
    if (group->failures_now == 0 && group->chance * 100 < TRIAGE_CHANCE_PERCENT) {
        return TRIAGE_RESOLVED;
    }
    return group->failures * TRIAGE_RARE_RUNS < group->runs ? TRIAGE_RARE : TRIAGE_ONGOING;
}

static void choose_seeds(const struct triage *triage, struct triage_group *group)
{
    bool chosen = false;
    for (uint32_t i = group->first; i < group->first + group->count; i++) {
        const struct triage_failure *failure = &triage->failures[i];
        if (failure->revision != group->last_revision) {
            continue;
        }
        if (!chosen || failure->faults < triage->failures[group->fewest].faults) {
            group->fewest = i;
        }
        if (!chosen || failure->events < triage->failures[group->fastest].events) {
            group->fastest = i;
        }
        chosen = true;
    }
    CHECK(chosen);
}

static void count_group(const struct triage *triage, struct triage_group *group)
{
    struct arm_count *arms = calloc(triage->arm_count, sizeof *arms);
    CHECK(arms != NULL);
    count_failures(triage, group, arms);
    count_runs(triage, group, arms);
    group->chance = chance_of(arms, triage->arm_count);
    group->clean_since = group->last_revision;
    group->state = state_of(group);
    choose_seeds(triage, group);
    free(arms);
}

/* ---- grouping -------------------------------------------------------------------------------- */

static int order(uint64_t left, uint64_t right)
{
    return (left > right) - (left < right);
}

static int by_weight(const void *left, const void *right)
{
    const struct triage_group *a = left, *b = right;
    const int orders[] = {
        order(a->cause_state, b->cause_state),
        order(b->cause_failures, a->cause_failures),
        strncmp(a->key, b->key, TRIAGE_CAUSE_DIGITS),
        order(a->state, b->state),
        order(b->failures, a->failures),
        strcmp(a->key, b->key),
    };
    unsigned first = 0;
    while (orders[first] == 0 && first + 1 < sizeof orders / sizeof orders[0]) {
        first++;
    }
    return orders[first];
}

/* As they were formed, groups of a cause stand side by side, and so do their failures. */
static void sum_cause(struct triage *triage, uint32_t first, uint32_t end)
{
    struct triage_group *groups = triage->groups;
    struct triage_group cause = {.first = groups[first].first};
    enum triage_state state = TRIAGE_RESOLVED;
    for (uint32_t i = first; i < end; i++) {
        cause.count += groups[i].count;
    }
    count_group(triage, &cause);
    for (uint32_t i = first; i < end; i++) {
        if (cause.state == TRIAGE_RESOLVED && groups[i].state != TRIAGE_RESOLVED) {
            groups[i].state = TRIAGE_RESOLVED;
            groups[i].clean = cause.clean;
            groups[i].clean_since = cause.clean_since;
            groups[i].chance = cause.chance;
        }
        state = groups[i].state < state ? groups[i].state : state;
    }
    for (uint32_t i = first; i < end; i++) {
        groups[i].cause_state = state;
        groups[i].cause_failures = cause.failures;
    }
}

static void sum_causes(struct triage *triage)
{
    triage->cause_count = 0;
    for (uint32_t first = 0, end; first < triage->group_count; first = end) {
        end = first + 1;
        while (end < triage->group_count &&
               strncmp(triage->groups[end].key, triage->groups[first].key, TRIAGE_CAUSE_DIGITS) ==
                   0) {
            end++;
        }
        sum_cause(triage, first, end);
        triage->cause_count++;
    }
}

static uint32_t cone_size(const char *cone)
{
    uint32_t size = strcmp(cone, "-") == 0 ? 0 : 1;
    for (; *cone != '\0'; cone++) {
        size += *cone == ',' ? 1 : 0;
    }
    return size;
}

/* Is every class of `inner` in `outer`? */
static bool cone_holds(const char *outer, const char *inner)
{
    const bool unknown = strcmp(outer, "?") == 0 || strcmp(inner, "?") == 0;
    if (unknown || strcmp(inner, "-") == 0) {
        return !unknown || strcmp(outer, inner) == 0;
    }
    while (*inner != '\0') {
        const size_t length = strcspn(inner, ",");
        const char *at = outer;
        while (*at != '\0' && (strcspn(at, ",") != length || strncmp(at, inner, length) != 0)) {
            at += strcspn(at, ",");
            at += *at == ',' ? 1 : 0;
        }
        if (*at == '\0') {
            return false;
        }
        inner += length + (inner[length] == ',' ? 1 : 0);
    }
    return true;
}

/* By cause, then as they are taken. */
static int by_cone(const void *left, const void *right)
{
    const struct triage_failure *a = left, *b = right;
    const int causes = strncmp(a->key, b->key, TRIAGE_CAUSE_DIGITS);
    const int sizes = order(cone_size(a->subject->cone), cone_size(b->subject->cone));
    const int cones = strcmp(a->subject->cone, b->subject->cone);
    return causes != 0  ? causes
           : sizes != 0 ? sizes
           : cones != 0 ? cones
                        : order((uint64_t)a->run, (uint64_t)b->run);
}

static int by_group(const void *left, const void *right)
{
    const struct triage_failure *a = left, *b = right;
    return a->group != b->group ? order(a->group, b->group) : by_cone(left, right);
}

/* Groups of the same cause stand behind each other, so the last ones are to be looked at; `first`
 * is the failure that began the group as long as the failures stand by_cone. */
static void join(struct triage *triage, uint32_t index, uint32_t cause_first)
{
    struct triage_failure *failure = &triage->failures[index];
    for (uint32_t i = cause_first; i < triage->group_count; i++) {
        const struct triage_failure *began = &triage->failures[triage->groups[i].first];
        if (cone_holds(failure->subject->cone, began->subject->cone) ||
            cone_holds(failure->subject->lived_cone, began->subject->cone)) {
            failure->group = i;
            triage->groups[i].count++;
            return;
        }
    }
    failure->group = triage->group_count;
    struct triage_group *group = &triage->groups[triage->group_count++];
    group->first = index;
    group->count = 1;
    memcpy(group->key, failure->key, sizeof group->key);
}

static void form_groups(struct triage *triage)
{
    uint32_t cause_first = 0;
    qsort(triage->failures, triage->failure_count, sizeof triage->failures[0], by_cone);
    for (uint32_t i = 0; i < triage->failure_count; i++) {
        const bool other = i > 0 && strncmp(triage->failures[i].key, triage->failures[i - 1].key,
                                            TRIAGE_CAUSE_DIGITS) != 0;
        cause_first = other ? triage->group_count : cause_first;
        join(triage, i, cause_first);
    }
    qsort(triage->failures, triage->failure_count, sizeof triage->failures[0], by_group);
    uint32_t first = 0;
    for (uint32_t i = 0; i < triage->group_count; i++) {
        triage->groups[i].first = first;
        first += triage->groups[i].count;
    }
}

void triage_group(struct triage *triage)
{
    free(triage->groups);
    triage->groups = calloc((size_t)triage->failure_count + 1, sizeof *triage->groups);
    CHECK(triage->groups != NULL);
    triage->group_count = 0;
    if (triage->failure_count > 0) {
        form_groups(triage);
    }
    for (uint32_t i = 0; i < triage->group_count; i++) {
        count_group(triage, &triage->groups[i]);
    }
    sum_causes(triage);
    if (triage->group_count > 0) {
        qsort(triage->groups, triage->group_count, sizeof triage->groups[0], by_weight);
    }
    for (uint32_t i = 0; i < triage->group_count; i++) { /* they have been moved */
        const struct triage_group *group = &triage->groups[i];
        for (uint32_t k = group->first; k < group->first + group->count; k++) {
            triage->failures[k].group = i;
        }
    }
}

uint32_t triage_new_count(const struct triage *triage)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < triage->group_count; i++) {
        count += triage->groups[i].failures_now > 0 && triage->groups[i].reason == NULL ? 1 : 0;
    }
    return count;
}

void triage_free(struct triage *triage)
{
    for (uint32_t i = 0; i < triage->arm_count; i++) {
        free(triage->arms[i].scenario);
        free(triage->arms[i].settings);
    }
    for (uint32_t i = 0; i < triage->failure_count; i++) {
        free(triage->failures[i].subject);
    }
    for (uint32_t i = 0; i < triage->law_count; i++) {
        free(triage->laws[i].scenario);
    }
    free(triage->arms);
    free(triage->revisions);
    free(triage->tallies);
    free(triage->failures);
    free(triage->laws);
    free(triage->groups);
    memset(triage, 0, sizeof *triage);
}
