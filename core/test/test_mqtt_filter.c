/* Goal: topic names and filters are what section 4.7 of MQTT 5 says, and match as it says.
 * Method: the standard's own examples and the edges around them; then drawn filters and topics
 * against an oracle that splits both into levels. */
#include "core/check.h"
#include "core/mqtt/filter.h"
#include "core/test/test.h"

#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    exit(1);
}

static struct mqtt_slice slice(const char *text)
{
    return (struct mqtt_slice){(const uint8_t *)text, (uint32_t)strlen(text)};
}

/* [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3] */
static void a_topic_name_is_a_text_without_wildcards(void)
{
    EXPECT(mqtt_topic_valid(slice("/")));
    EXPECT(mqtt_topic_valid(slice("a b//\xC3\xA4/$x")));
    EXPECT(!mqtt_topic_valid(slice("")));
    EXPECT(!mqtt_topic_valid(slice("a/+")));
    EXPECT(!mqtt_topic_valid(slice("a#")));
    EXPECT(!mqtt_topic_valid(slice("\xFF")));
    EXPECT(!mqtt_topic_valid((struct mqtt_slice){(const uint8_t *)"a\0b", 3}));
    static uint8_t large[65536];
    memset(large, 'a', sizeof large);
    EXPECT(mqtt_topic_valid((struct mqtt_slice){large, 65535}));
    EXPECT(!mqtt_topic_valid((struct mqtt_slice){large, 65536}));
}

/* [MQTT-4.7.1-1] [MQTT-4.7.1-2] */
static void wildcards_stand_alone_in_their_level(void)
{
    static const char *const good[] = {
        "#",   "+",  "sport/tennis/#", "+/tennis/#", "sport/+/player1", "/+",
        "+/+", "/#", "a//+//#",        "$SYS/#",     "$shared/x",       "$share"};
    static const char *const bad[] = {"",
                                      "sport/tennis#",
                                      "sport/tennis/#/ranking",
                                      "sport+",
                                      "##",
                                      "#/",
                                      "+#",
                                      "a/+b/c",
                                      "a/b+",
                                      "#a",
                                      "a/#/"};
    for (uint32_t index = 0; index < sizeof good / sizeof good[0]; index++) {
        EXPECT(mqtt_filter_valid(slice(good[index])));
    }
    for (uint32_t index = 0; index < sizeof bad / sizeof bad[0]; index++) {
        EXPECT(!mqtt_filter_valid(slice(bad[index])));
    }
}

/* [MQTT-4.8.2-1] [MQTT-4.8.2-2] */
static void a_shared_filter_has_a_name_and_a_filter(void)
{
    struct mqtt_slice share, inner;
    EXPECT(mqtt_filter_shared(slice("$share/consumer1//finance/#"), &share, &inner));
    EXPECT(mqtt_slice_equal(share, slice("consumer1")));
    EXPECT(mqtt_slice_equal(inner, slice("/finance/#")));
    EXPECT(mqtt_filter_valid(slice("$share/consumer1//finance/#")));
    EXPECT(mqtt_filter_valid(slice("$share/c/+")));
    static const char *const bad[] = {"$share/",     "$share//a",  "$share/c",   "$share/c/",
                                      "$share/c+/a", "$share/#/a", "$share/c/a#"};
    for (uint32_t index = 0; index < sizeof bad / sizeof bad[0]; index++) {
        EXPECT(!mqtt_filter_valid(slice(bad[index])));
    }
    EXPECT(!mqtt_filter_shared(slice("share/c/a"), &share, &inner));
    EXPECT(mqtt_slice_equal(inner, slice("share/c/a")));
    EXPECT(!mqtt_filter_shared(slice("$share"), &share, &inner));
}

static bool matches(const char *filter, const char *topic)
{
    EXPECT(mqtt_filter_valid(slice(filter)));
    EXPECT(mqtt_topic_valid(slice(topic)));
    return mqtt_filter_matches(slice(filter), slice(topic));
}

static void the_examples_of_the_standard_match(void)
{
    EXPECT(matches("sport/tennis/player1/#", "sport/tennis/player1"));
    EXPECT(matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
    EXPECT(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    EXPECT(matches("sport/#", "sport"));
    EXPECT(!matches("sport/#", "sports"));
    EXPECT(matches("#", "a"));
    EXPECT(matches("#", "/"));
    EXPECT(matches("sport/tennis/+", "sport/tennis/player1"));
    EXPECT(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    EXPECT(!matches("sport/+", "sport"));
    EXPECT(matches("sport/+", "sport/"));
    EXPECT(matches("+/+", "/finance"));
    EXPECT(matches("/+", "/finance"));
    EXPECT(!matches("+", "/finance"));
    EXPECT(!matches("ACCOUNTS", "Accounts"));
    EXPECT(!matches("/finance", "finance"));
    EXPECT(!matches("a/b", "a/b/"));
    EXPECT(!matches("a/b/", "a/b"));
    EXPECT(!matches("a/b/c", "a/b"));
    EXPECT(!matches("a/+/#", "a"));
    EXPECT(matches("+/#", "a"));
    EXPECT(matches("/#", "/"));
    EXPECT(!matches("a", "ab"));
    EXPECT(!matches("ab", "a"));
}

/* [MQTT-4.7.2-1] */
static void a_wildcard_in_front_does_not_match_a_dollar(void)
{
    EXPECT(!matches("#", "$SYS/broker"));
    EXPECT(!matches("+/monitor/Clients", "$SYS/monitor/Clients"));
    EXPECT(!matches("+", "$x"));
    EXPECT(matches("$SYS/#", "$SYS/"));
    EXPECT(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    EXPECT(matches("a/+", "a/$x"));
}

/* U+00E4 and "a" with a combining diaeresis look alike [MQTT-4.7.3-4]; U+FEFF counts
 * [MQTT-1.5.4-3].
 */
static void nothing_is_normalized(void)
{
    EXPECT(!matches("\xC3\xA4", "a\xCC\x88"));
    EXPECT(!matches("a", "\xEF\xBB\xBF"
                         "a"));
    EXPECT(matches("\xEF\xBB\xBF"
                   "a",
                   "\xEF\xBB\xBF"
                   "a"));
}

enum { LEVELS_MAX = 8 };

static uint32_t split(char *text, char *levels[LEVELS_MAX])
{
    uint32_t count = 0;
    levels[count++] = text;
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            levels[count++] = at + 1;
        }
    }
    return count;
}

static bool oracle(const char *filter, const char *topic)
{
    char filter_text[16], topic_text[16], *filter_levels[LEVELS_MAX], *topic_levels[LEVELS_MAX];
    snprintf(filter_text, sizeof filter_text, "%s", filter);
    snprintf(topic_text, sizeof topic_text, "%s", topic);
    if (topic[0] == '$' && (filter[0] == '+' || filter[0] == '#')) {
        return false;
    }
    const uint32_t filter_count = split(filter_text, filter_levels);
    const uint32_t topic_count = split(topic_text, topic_levels);
    for (uint32_t level = 0; level < filter_count; level++) {
        if (strcmp(filter_levels[level], "#") == 0) {
            return true;
        }
        if (level >= topic_count || (strcmp(filter_levels[level], "+") != 0 &&
                                     strcmp(filter_levels[level], topic_levels[level]) != 0)) {
            return false;
        }
    }
    return filter_count == topic_count;
}

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t bound) /* splitmix64 */
{
    random_state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

static void draw(char text[9], const char *alphabet)
{
    const uint32_t length = 1 + random_below(7);
    for (uint32_t index = 0; index < length; index++) {
        text[index] = alphabet[random_below((uint32_t)strlen(alphabet))];
    }
    text[length] = '\0';
}

static void drawn_filters_match_what_the_oracle_says(void)
{
    uint32_t matched = 0, unmatched = 0;
    for (uint32_t round = 0; round < 400000; round++) {
        char filter[9], topic[9];
        draw(filter, "a/+#/$");
        draw(topic, "a//$");
        if (mqtt_filter_valid(slice(filter))) {
            const bool expected = oracle(filter, topic);
            EXPECT_EQUAL(mqtt_filter_matches(slice(filter), slice(topic)), expected);
            matched += expected;
            unmatched += !expected;
        }
    }
    EXPECT(matched > 5000);
    EXPECT(unmatched > 5000);
}

int main(void)
{
    RUN(a_topic_name_is_a_text_without_wildcards);
    RUN(wildcards_stand_alone_in_their_level);
    RUN(a_shared_filter_has_a_name_and_a_filter);
    RUN(the_examples_of_the_standard_match);
    RUN(a_wildcard_in_front_does_not_match_a_dollar);
    RUN(nothing_is_normalized);
    RUN(drawn_filters_match_what_the_oracle_says);
    return 0;
}
