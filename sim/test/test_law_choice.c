/* Goal: run.laws names the laws that judge, or those that do not, and nothing else. Method: texts
 * and what comes of them.
 */
#include <string.h>

#include "core/check.h"
#include "core/test/test.h"
#include "sim/law_choice.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, what);
    abort();
}

static bool judged[LAW_COUNT];
static char error[256];

static uint32_t count(const char *text)
{
    uint32_t laws = 0;
    EXPECT(law_choice(text, judged, error, sizeof error));
    for (uint32_t law = 0; law < LAW_COUNT; law++) {
        laws += judged[law] ? 1 : 0;
    }
    return laws;
}

static void nothing_is_all(void)
{
    EXPECT_EQUAL(count(""), LAW_COUNT);
}

static void names_are_these_alone(void)
{
    EXPECT_EQUAL(count("spec.telemetry"), 1);
    EXPECT(judged[LAW_SPEC_TELEMETRY]);
    EXPECT_EQUAL(count("telemetry.once,core.check"), 2);
    EXPECT(judged[LAW_TELEMETRY_ONCE] && judged[LAW_CORE_CHECK]);
}

static void a_minus_is_all_but(void)
{
    EXPECT_EQUAL(count("-spec.telemetry"), LAW_COUNT - 1);
    EXPECT(!judged[LAW_SPEC_TELEMETRY]);
    EXPECT_EQUAL(count("-telemetry.once,-telemetry.window"), LAW_COUNT - 2);
}

static void refused(const char *text, const char *why)
{
    EXPECT(!law_choice(text, judged, error, sizeof error));
    if (strstr(error, why) == NULL) {
        fprintf(stderr, "%s: %s\n", text, error);
        exit(1);
    }
}

static void what_is_no_law_is_refused(void)
{
    refused("telemetry", "no law 'telemetry'");
    refused("telemetry.oncer", "no law 'telemetry.oncer'");
    refused("telemetry.once,-telemetry.window", "either names, or names with a minus");
    refused("-telemetry.once,telemetry.window", "either names, or names with a minus");
    refused(",telemetry.once", "no law ''");
    refused("-", "no law '-'");
}

int main(void)
{
    RUN(nothing_is_all);
    RUN(names_are_these_alone);
    RUN(a_minus_is_all_but);
    RUN(what_is_no_law_is_refused);
    return 0;
}
