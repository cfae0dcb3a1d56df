/* Triage as JUnit XML, in the shape that the schemas of Ant, Jenkins and GitLab have in common:
 * testsuites > testsuite > properties, testcase* (at most one of skipped, failure), system-out,
 * system-err. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/command.h"
#include "sim/triage.h"

/* A case: what can fail in a scenario. */
struct test_case {
    const char *name; /* law */
    bool exercised;
    uint32_t unknown, known; /* groups that fail now */
};

struct suite {
    const struct triage_print *print;
    const char *scenario;
    uint64_t wall_us, runs;
    uint32_t count, failures, skipped;
    struct test_case *cases;
};

/* ---- text ------------------------------------------------------------------------------------ */

/* How many bytes of a character of UTF-8 that XML may hold stand here; 0: none. */
static size_t character(const unsigned char *at)
{
    if (at[0] < 0x80) {
        return at[0] >= ' ' || at[0] == '\t' || at[0] == '\n' ? 1 : 0;
    }
    const size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4) {
        return 0;
    }
    uint32_t code = at[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3Fu);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return overlong || surrogate || code > 0x10FFFF || code == 0xFFFE || code == 0xFFFF ? 0
                                                                                        : length;
}

/* For attributes and content alike. What XML cannot hold becomes a question mark. */
static void print_text(const char *text, FILE *file)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        const size_t length = character(at);
        const char *entity = NULL;
        switch (*at) {
        case '&':
            entity = "&amp;";
            break;
        case '<':
            entity = "&lt;";
            break;
        case '>':
            entity = "&gt;";
            break;
        case '"':
            entity = "&quot;";
            break;
        case '\'':
            entity = "&apos;";
            break;
        case '\n':
            entity = "&#10;";
            break;
        case '\t':
            entity = "&#9;";
            break;
        default:
            break;
        }
        if (entity != NULL) {
            fputs(entity, file);
        } else if (length == 0) {
            fputc('?', file);
        } else {
            fwrite(at, 1, length, file);
        }
        at += length == 0 ? 1 : length;
    }
}

static void print_attribute(const char *name, const char *text, FILE *file)
{
    fprintf(file, " %s=\"", name);
    print_text(text, file);
    fputc('"', file);
}

/* ---- suites ---------------------------------------------------------------------------------- */

/* Of the failures of a group, one that is now, and of this scenario; NULL: none is. */
static const struct triage_failure *failure_in(const struct suite *suite,
                                               const struct triage_group *group)
{
    const struct triage *triage = suite->print->triage;
    for (uint32_t i = group->first; i < group->first + group->count; i++) {
        const struct triage_failure *failure = &triage->failures[i];
        if (failure->now && strcmp(triage->arms[failure->arm].scenario, suite->scenario) == 0) {
            return failure;
        }
    }
    return NULL;
}

static struct test_case *case_of(struct suite *suite, const char *name)
{
    for (uint32_t i = 0; i < suite->count; i++) {
        if (strcmp(suite->cases[i].name, name) == 0) {
            return &suite->cases[i];
        }
    }
    suite->cases = realloc(suite->cases, ((size_t)suite->count + 1) * sizeof *suite->cases);
    CHECK(suite->cases != NULL);
    suite->cases[suite->count] = (struct test_case){.name = name};
    return &suite->cases[suite->count++];
}

static void fill(struct suite *suite)
{
    const struct triage *triage = suite->print->triage;
    for (uint32_t i = 0; i < triage->tally_count; i++) {
        const struct triage_tally *tally = &triage->tallies[i];
        if (tally->now && strcmp(triage->arms[tally->arm].scenario, suite->scenario) == 0) {
            suite->runs += tally->runs;
            suite->wall_us += tally->wall_us;
        }
    }
    for (uint32_t i = 0; i < triage->law_count; i++) {
        if (strcmp(triage->laws[i].scenario, suite->scenario) == 0) {
            case_of(suite, triage->laws[i].law)->exercised = triage->laws[i].exercised > 0;
        }
    }
    for (uint32_t i = 0; i < triage->group_count; i++) {
        const struct triage_group *group = &triage->groups[i];
        if (failure_in(suite, group) != NULL) {
            struct test_case *one = case_of(suite, triage->failures[group->first].subject->law);
            one->exercised = true;
            one->unknown += group->reason == NULL ? 1 : 0;
            one->known += group->reason == NULL ? 0 : 1;
        }
    }
    for (uint32_t i = 0; i < suite->count; i++) {
        const struct test_case *one = &suite->cases[i];
        suite->failures += one->unknown > 0 ? 1 : 0;
        suite->skipped += one->unknown == 0 && (one->known > 0 || !one->exercised) ? 1 : 0;
    }
}

/* Its groups that fail now: one line each, with the line that replays it. */
static void print_groups(const struct suite *suite, const struct test_case *one, bool known,
                         FILE *file)
{
    const struct triage *triage = suite->print->triage;
    char line[COMMAND_LINE_BYTES];
    for (uint32_t i = 0; i < triage->group_count; i++) {
        const struct triage_group *group = &triage->groups[i];
        const struct triage_failure *failure = failure_in(suite, group);
        if (failure == NULL || strcmp(failure->subject->law, one->name) != 0 ||
            known != (group->reason != NULL)) {
            continue;
        }
        const struct triage_failure *shown = &triage->failures[group->fewest];
        if (!shown->now || shown->arm != failure->arm) {
            shown = failure; /* the fewest faults were in another scenario */
        }
        command_replay_line(line, sizeof line, shown->run, suite->print->db);
        fprintf(file, "%s %s: ", group->key, triage_state_name(group->state));
        print_text(failure->subject->what, file);
        fputs("; faults: ", file);
        print_text(failure->subject->cone, file);
        if (known) {
            fputs("; known: ", file);
            print_text(group->reason, file);
        }
        fputc('\n', file);
        print_text(line, file);
        fputc('\n', file);
    }
}

static void print_case(const struct suite *suite, const struct test_case *one, FILE *file)
{
    fputs("    <testcase", file);
    print_attribute("classname", suite->scenario, file);
    print_attribute("name", one->name, file);
    fputs(" time=\"0\"", file);
    if (one->unknown == 0 && one->known == 0 && one->exercised) {
        fputs("/>\n", file);
    } else if (one->unknown == 0 && one->known == 0) {
        fputs("><skipped message=\"no run put this law to the test\"/></testcase>\n", file);
    } else if (one->unknown == 0) {
        fputs(">\n      <skipped message=\"known&#10;", file);
        print_groups(suite, one, true, file);
        fputs("\"/>\n    </testcase>\n", file);
    } else {
        fprintf(file, ">\n      <failure type=\"");
        print_text(one->name, file);
        fprintf(file, "\" message=\"%" PRIu32 " groups of failures that are not known\">\n",
                one->unknown);
        print_groups(suite, one, false, file);
        print_groups(suite, one, true, file);
        fputs("</failure>\n    </testcase>\n", file);
    }
}

static void print_suite(const struct suite *suite, uint32_t id, FILE *file)
{
    const struct triage *triage = suite->print->triage;
    const struct triage_revision *last = &triage->revisions[triage->revision_count - 1];
    fputs("  <testsuite", file);
    print_attribute("name", suite->scenario[0] == '\0' ? "plan" : suite->scenario, file);
    fprintf(file,
            " package=\"brownout\" id=\"%" PRIu32 "\" timestamp=\"%.19s\" hostname=\"localhost\""
            " tests=\"%" PRIu32 "\" failures=\"%" PRIu32 "\" errors=\"0\" skipped=\"%" PRIu32
            "\" time=\"%" PRIu64 ".%06" PRIu64 "\">\n",
            id, last->first_at, suite->count, suite->failures, suite->skipped,
            suite->wall_us / 1000000, suite->wall_us % 1000000);
    fputs("    <properties>\n      <property name=\"revision\"", file);
    print_attribute("value", last->name, file);
    fprintf(file, "/>\n      <property name=\"runs\" value=\"%" PRIu64 "\"/>\n    </properties>\n",
            suite->runs);
    for (uint32_t i = 0; i < suite->count; i++) {
        print_case(suite, &suite->cases[i], file);
    }
    fputs("    <system-out/>\n    <system-err/>\n  </testsuite>\n", file);
}

void triage_print_junit(const struct triage_print *print, FILE *file)
{
    const struct triage *triage = print->triage;
    const char *last = NULL;
    uint32_t id = 0;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", file);
    for (uint32_t i = 0; i < triage->tally_count; i++) {
        const char *scenario = triage->arms[triage->tallies[i].arm].scenario;
        if (!triage->tallies[i].now || (last != NULL && strcmp(last, scenario) == 0)) {
            continue;
        }
        struct suite suite = {.print = print, .scenario = scenario};
        last = scenario;
        fill(&suite);
        print_suite(&suite, id++, file);
        free(suite.cases);
    }
    fputs("</testsuites>\n", file);
}
