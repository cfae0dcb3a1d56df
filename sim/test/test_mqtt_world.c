/* Goal: the session world is a pure function of seed and faults, puts every law to the test, and
 * the broker and the clients hold all of them.
 * Method: whole runs, in virtual time. That each law sees a bug is what sim/mutants/session shows.
 */
#include "sim/mqtt_world.h"

#include <string.h>

#include "core/check.h"
#include "core/limits.h"
#include "core/test/test.h"

#define FAULTS_ALL ((1u << SESSION_FAULT_COUNT) - 1u)

enum { RUNS = 12, SKIPPED = 77 };

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

static struct mqtt_world_result result_of(uint64_t seed, uint32_t faults)
{
    struct mqtt_world_result result;
    const struct mqtt_world_request request = {.seed = seed, .faults = faults};
    mqtt_world_run(&request, &result);
    if (result.broken) {
        fprintf(stderr, "seed %u: %s: %s\n", (unsigned)seed, mqtt_law_name(result.law),
                result.what);
    }
    return result;
}

static void one_seed_is_one_run(void)
{
    const struct mqtt_world_result first = result_of(3, FAULTS_ALL),
                                   again = result_of(3, FAULTS_ALL),
                                   other = result_of(4, FAULTS_ALL);
    EXPECT(memcmp(first.digest, again.digest, sizeof first.digest) == 0);
    EXPECT_EQUAL(first.events, again.events);
    EXPECT(memcmp(first.digest, other.digest, sizeof first.digest) != 0);
}

static void without_faults_all_that_is_published_is_told(void)
{
    const struct mqtt_world_result calm = result_of(1, 0);
    EXPECT(!calm.broken);
    EXPECT(calm.published > 100);
    EXPECT(calm.told > calm.published);
    for (uint32_t fault = 0; fault < SESSION_FAULT_COUNT; fault++) {
        EXPECT_EQUAL(calm.struck[fault], 0);
    }
}

static void the_cut_of_the_stream_changes_nothing_that_is_told(void)
{
    const struct mqtt_world_result whole = result_of(7, 0),
                                   cut = result_of(7, 1u << SESSION_FAULT_CHUNK);
    EXPECT(!cut.broken);
    EXPECT(cut.struck[SESSION_FAULT_CHUNK] > 1000);
    EXPECT_EQUAL(cut.published, whole.published);
    EXPECT_EQUAL(cut.told, whole.told);
}

static void every_law_is_asked_and_holds_and_every_fault_strikes(void)
{
    uint64_t counts[MQTT_LAW_COUNT] = {0}, struck[SESSION_FAULT_COUNT] = {0};
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        const struct mqtt_world_result result = result_of(seed, FAULTS_ALL);
        EXPECT(!result.broken);
        for (uint32_t law = 0; law < MQTT_LAW_COUNT; law++) {
            counts[law] += result.counts[law];
        }
        for (uint32_t fault = 0; fault < SESSION_FAULT_COUNT; fault++) {
            struck[fault] += result.struck[fault];
        }
    }
    for (uint32_t law = 0; law < MQTT_LAW_COUNT; law++) {
        EXPECT(counts[law] > 0);
    }
    for (uint32_t fault = 0; fault < SESSION_FAULT_COUNT; fault++) {
        EXPECT(struck[fault] > 0);
    }
}

int main(void)
{
    if (BROKER_POOL_MAX < 2048u || MQTT_INFLIGHT_MAX < 8u) {
        return SKIPPED; /* tiny limits have no room for this world */
    }
    RUN(one_seed_is_one_run);
    RUN(without_faults_all_that_is_published_is_told);
    RUN(the_cut_of_the_stream_changes_nothing_that_is_told);
    RUN(every_law_is_asked_and_holds_and_every_fault_strikes);
    return 0;
}
