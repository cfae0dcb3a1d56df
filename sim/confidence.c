#include "sim/confidence.h"

#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

enum { FILE_BYTES_MAX = 1 << 20, HALVINGS = 200 };
#define ALPHA    0.05
#define SPEC     "spec."
#define RUNS_MAX 1e15 /* of a bug: beyond it a double does not count exactly */

/* ---- figures --------------------------------------------------------------------------------- */

static double power(double base, uint64_t exponent)
{
    double result = 1;
    for (; exponent > 0; exponent >>= 1) {
        result *= (exponent & 1) != 0 ? base : 1;
        base *= base;
    }
    return result;
}

double confidence_unseen(double p, uint64_t runs)
{
    return power(1 - p, runs);
}

/* Chance of fewer than `count` of `runs`, each with chance p. Where (1 - p)^runs is less than a
 * double can be, so is all of it: with count <= runs / 2 + 1 and CONFIDENCE_CAUGHT_MAX it is far
 * below what is to be expected then. */
static double fewer(uint64_t count, uint64_t runs, double p)
{
    double term = power(1 - p, runs), sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += term;
        term *= (double)(runs - i) / (double)(i + 1) * (p / (1 - p));
    }
    return sum;
}

/* Chance of `caught` of `runs` or more: the fewer terms of the two sums. */
static double at_least(uint64_t caught, uint64_t runs, double p)
{
    const uint64_t missed = runs - caught;
    return missed < caught ? fewer(missed + 1, runs, 1 - p) : 1 - fewer(caught, runs, p);
}

double confidence_least(uint64_t caught, uint64_t runs)
{
    double low = 0, high = 1;
    CHECK(caught <= runs && caught <= CONFIDENCE_CAUGHT_MAX);
    if (caught == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < HALVINGS; i++) {
        const double middle = (low + high) / 2;
        if (middle < 1 && at_least(caught, runs, middle) < ALPHA) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

double confidence_most(uint64_t runs)
{
    double low = 0, high = 1;
    if (runs == 0) {
        return 1;
    }
    for (uint32_t i = 0; i < HALVINGS; i++) {
        const double middle = (low + high) / 2;
        if (confidence_unseen(middle, runs) > ALPHA) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

/* ---- planted bugs ---------------------------------------------------------------------------- */

static bool copy_text(const cJSON *object, const char *name, char *text, size_t text_bytes)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return value != NULL && (size_t)snprintf(text, text_bytes, "%s", value) < text_bytes;
}

static bool copy_number(const cJSON *object, const char *name, uint64_t *number)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    const bool good =
        cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= RUNS_MAX;
    *number = good ? (uint64_t)item->valuedouble : 0;
    return good && (double)*number >= item->valuedouble;
}

static uint32_t law_of(const char *name)
{
    uint32_t law = 0;
    while (law < LAW_COUNT && strcmp(law_name((enum law)law), name) != 0) {
        law++;
    }
    return law;
}

static bool read_bug(const cJSON *object, struct confidence_bug *bug)
{
    char law[CONFIDENCE_NAME_BYTES];
    memset(bug, 0, sizeof *bug);
    const bool good = copy_text(object, "name", bug->name, sizeof bug->name) &&
                      copy_text(object, "law", law, sizeof law) &&
                      copy_number(object, "runs", &bug->runs) &&
                      copy_number(object, "caught", &bug->caught);
    bug->law = good ? law_of(law) : LAW_COUNT;
    return good && bug->law < LAW_COUNT && bug->runs > 0 && bug->caught <= bug->runs &&
           bug->caught <= CONFIDENCE_CAUGHT_MAX;
}

static char *read_file(const char *path, char *error, size_t error_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(error, error_bytes,
                 "%s: %s; brownout mutants --explore swarm --searches 5 --rates FILE makes it, and "
                 "--rates names it",
                 path, strerror(errno));
        return NULL;
    }
    char *text = malloc(FILE_BYTES_MAX + 1);
    CHECK(text != NULL);
    const size_t length = fread(text, 1, FILE_BYTES_MAX, file);
    const bool good = ferror(file) == 0 && feof(file) != 0;
    text[length] = '\0';
    fclose(file);
    if (!good) {
        snprintf(error, error_bytes, "%s: it cannot be read, or has more than %d bytes", path,
                 FILE_BYTES_MAX);
        free(text);
        return NULL;
    }
    return text;
}

bool confidence_rates_read(struct confidence_rates *rates, const char *path, char *error,
                           size_t error_bytes)
{
    memset(rates, 0, sizeof *rates);
    char *text = read_file(path, error, error_bytes);
    if (text == NULL) {
        return false;
    }
    cJSON *object = cJSON_Parse(text);
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, "bugs"), *item;
    bool good = copy_text(object, "made_by", rates->made_by, sizeof rates->made_by) &&
                copy_text(object, "commit", rates->commit, sizeof rates->commit) &&
                copy_text(object, "scenario", rates->scenario, sizeof rates->scenario) &&
                copy_text(object, "way", rates->way, sizeof rates->way) && cJSON_IsArray(list);
    if (!good) {
        snprintf(error, error_bytes, "%s: not what brownout mutants --rates writes", path);
    }
    cJSON_ArrayForEach(item, list)
    {
        if (good &&
            (rates->count == CONFIDENCE_BUGS_MAX || !read_bug(item, &rates->bugs[rates->count]))) {
            snprintf(error, error_bytes,
                     "%s: bug %u is not whole: it has a name, a law of this program, runs >= 1 and "
                     "caught <= runs, and at most %d; there are at most %d",
                     path, (unsigned)rates->count + 1, CONFIDENCE_CAUGHT_MAX, CONFIDENCE_BUGS_MAX);
            good = false;
        }
        rates->count += good ? 1 : 0;
    }
    cJSON_Delete(object);
    free(text);
    return good;
}

/* ---- classes --------------------------------------------------------------------------------- */

void confidence_class_name(enum law law, char *name, size_t name_bytes)
{
    const char *full = law_name(law);
    if (strncmp(full, SPEC, strlen(SPEC)) == 0) {
        snprintf(name, name_bytes, "%s", full + strlen(SPEC));
    } else {
        snprintf(name, name_bytes, "%.*s", (int)strcspn(full, "."), full);
    }
}

/* The class of that name, in its place. */
static struct confidence_class *find(struct confidence *confidence, const char *name)
{
    uint32_t at = 0;
    while (at < confidence->count && strcmp(confidence->classes[at].name, name) < 0) {
        at++;
    }
    struct confidence_class *found = &confidence->classes[at];
    if (at < confidence->count && strcmp(found->name, name) == 0) {
        return found;
    }
    CHECK(confidence->count < CONFIDENCE_CLASSES_MAX);
    memmove(found + 1, found, (confidence->count - at) * sizeof *found);
    memset(found, 0, sizeof *found);
    snprintf(found->name, sizeof found->name, "%s", name);
    confidence->count++;
    return found;
}

void confidence_count(struct confidence *confidence, const char *name, uint64_t clean,
                      uint64_t broken)
{
    struct confidence_class *found = find(confidence, name);
    found->clean += clean;
    found->broken += broken;
}

static int compare_bugs(const void *left, const void *right)
{
    const struct confidence_bug *one = *(const struct confidence_bug *const *)left;
    const struct confidence_bug *other = *(const struct confidence_bug *const *)right;
    const double first = confidence_least(one->caught, one->runs);
    const double second = confidence_least(other->caught, other->runs);
    return first < second ? -1 : first > second ? 1 : strcmp(one->name, other->name);
}

static void join_class(struct confidence_class *class, const struct confidence_rates *rates)
{
    const struct confidence_bug *found[CONFIDENCE_BUGS_MAX];
    uint32_t count = 0;
    class->bugs = class->unfound = 0;
    class->hardest = class->median = NULL;
    for (uint32_t i = 0; i < rates->count; i++) {
        char name[CONFIDENCE_NAME_BYTES];
        confidence_class_name((enum law)rates->bugs[i].law, name, sizeof name);
        if (strcmp(name, class->name) == 0) {
            class->bugs++;
            class->unfound += rates->bugs[i].caught == 0 ? 1 : 0;
            found[count++] = &rates->bugs[i];
        }
    }
    if (count > 0) {
        qsort(found, count, sizeof found[0], compare_bugs);
        class->hardest = found[0];
        class->median = found[(count - 1) / 2]; /* of two in the middle the harder one */
    }
}

void confidence_join(struct confidence *confidence, const struct confidence_rates *rates)
{
    for (uint32_t i = 0; i < rates->count; i++) {
        char name[CONFIDENCE_NAME_BYTES];
        confidence_class_name((enum law)rates->bugs[i].law, name, sizeof name);
        (void)find(confidence, name);
    }
    for (uint32_t i = 0; i < confidence->count; i++) {
        join_class(&confidence->classes[i], rates);
    }
}
