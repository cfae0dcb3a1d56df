/* Goal: who and what a peer names is found exactly, or not at all.
 * Method: every entry and every neighbour of small registries; topics at the edges of their form.
 */
#include "core/server/registry.h"
#include "core/topic.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

static void every_entry_is_found_and_no_other_number(void)
{
    static struct registry_entry entries[17];
    for (uint32_t count = 0; count <= 17; count++) {
        for (uint32_t index = 0; index < count; index++) {
            entries[index].id = 3 * index + 1;
        }
        const struct registry registry = {entries, count};
        for (uint32_t id = 0; id <= 3 * 17 + 1; id++) {
            uint32_t index = 99;
            const struct registry_entry *found = registry_find(&registry, id, &index);
            const bool expected = id % 3 == 1 && id / 3 < count;
            EXPECT_EQUAL(found != NULL, expected);
            EXPECT_EQUAL(index, expected ? id / 3 : 99);
            EXPECT(registry_find(&registry, id, NULL) == found);
        }
    }
}

static bool reads(const char *text, uint32_t *number)
{
    const struct mqtt_slice topic = {(const uint8_t *)text, (uint32_t)strlen(text)};
    return topic_read(&topic, 't', number);
}

static void a_topic_reads_back_as_it_was_written(void)
{
    static const uint32_t numbers[] = {0, 1, 9, 10, 17, 4096, 999999999, 1000000000, UINT32_MAX};
    for (size_t index = 0; index < sizeof numbers / sizeof numbers[0]; index++) {
        char topic[TOPIC_BYTES];
        char expected[TOPIC_BYTES];
        uint32_t number = 0;
        topic_write(topic, 't', numbers[index]);
        snprintf(expected, sizeof expected, "t/%" PRIu32, numbers[index]);
        EXPECT(strcmp(topic, expected) == 0);
        EXPECT(reads(topic, &number));
        EXPECT_EQUAL(number, numbers[index]);
    }
}

static void anything_else_is_no_topic(void)
{
    static const char *const texts[] = {
        "",       "t",     "t/",   "d/1",  "t/01",  "t/00",         "t/1 ",          "t/-1",
        "t/1/1",  "t1",    "/t/1", "t/x",  "t/+1",  "t/4294967296", "t/99999999999", "t//1",
        "t/0x10", "t/1\n", "T/1",  "t\\1", "t/1.0", "t/#",          "t/:",           "tt/1",
    };
    for (size_t index = 0; index < sizeof texts / sizeof texts[0]; index++) {
        uint32_t number = 42;
        EXPECT(!reads(texts[index], &number));
        EXPECT_EQUAL(number, 42);
    }
}

int main(void)
{
    RUN(every_entry_is_found_and_no_other_number);
    RUN(a_topic_reads_back_as_it_was_written);
    RUN(anything_else_is_no_topic);
    return 0;
}
