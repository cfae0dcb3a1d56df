/* Goal: random streams are stable for ever, independent of each other, and have the distributions
 * that they claim. Method: pinned values, and counts over many draws with bounds of several
 * standard deviations; everything is seeded, so a pass is a pass on every machine.
 */
#include "sim/random.h"

#include <string.h>

#include "core/check.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    exit(1);
}

static uint32_t bits_of(uint64_t value)
{
    uint32_t count = 0;
    for (; value != 0; value &= value - 1) {
        count++;
    }
    return count;
}

static void draws_are_the_same_for_ever(void)
{
    EXPECT(random_key(1, "net/dev3") == UINT64_C(0x73ef09d9ec316b2a));
    EXPECT(random_at(random_key(1, "net/dev3"), 0) == UINT64_C(0xbd60a28fafdb9b68));
    EXPECT(random_at(random_key(1, "net/dev3"), UINT64_MAX) == UINT64_C(0xc4d89afce202d37));
    struct random_stream stream = {random_key(7, "exponential"), 0};
    EXPECT_EQUAL(random_exponential(&stream, 1000000), 1779651);
}

static void a_stream_is_its_key_and_an_ordinal(void)
{
    struct random_stream stream = {random_key(5, "a"), 0};
    for (uint64_t i = 0; i < 100; i++) {
        EXPECT(random_next(&stream) == random_at(random_key(5, "a"), i));
    }
    uint8_t bytes[20];
    (void)random_below(&stream, 1);
    (void)random_between(&stream, 3, 3);
    (void)random_chance(&stream, 0);
    (void)random_exponential(&stream, 10);
    EXPECT_EQUAL(stream.ordinal, 104);
    random_bytes(&stream, bytes, sizeof(bytes));
    EXPECT_EQUAL(stream.ordinal, 107);
}

static void keys_differ_by_seed_and_by_name(void)
{
    static const char *const names[] = {"", "a", "b", "ab", "ba", "net/dev1", "net/dev2"};
    uint64_t keys[7 * 50];
    uint32_t count = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        for (uint32_t name = 0; name < 7; name++) {
            keys[count] = random_key(seed, names[name]);
            for (uint32_t i = 0; i < count; i++) {
                EXPECT(keys[i] != keys[count]);
            }
            count++;
        }
    }
}

/* Bits of two streams agree half of the time, also when one is shifted, or when the keys are as
 * close as the counter's own increments. */
static void streams_are_independent(void)
{
    static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
    const uint64_t key = random_key(1, "net/dev1");
    const uint64_t others[] = {
        random_key(1, "net/dev2"), random_key(2, "net/dev1"), key + 1, key + golden, key - golden,
        key ^ (UINT64_C(1) << 63)};
    for (uint32_t other = 0; other < 6; other++) {
        for (uint64_t shift = 0; shift < 3; shift++) {
            uint32_t differing = 0;
            for (uint64_t i = 0; i < 10000; i++) {
                differing += bits_of(random_at(key, i) ^ random_at(others[other], i + shift));
            }
            EXPECT(differing > 320000 - 2000 && differing < 320000 + 2000); /* sigma = 400 */
        }
    }
}

static void every_bit_of_the_ordinal_moves_half_of_the_draw(void)
{
    const uint64_t key = random_key(3, "avalanche");
    for (uint32_t bit = 0; bit < 64; bit++) {
        uint32_t differing = 0;
        for (uint64_t i = 0; i < 1000; i++) {
            differing += bits_of(random_at(key, i) ^ random_at(key, i ^ (UINT64_C(1) << bit)));
        }
        EXPECT(differing > 32000 - 1000 && differing < 32000 + 1000); /* sigma = 126 */
    }
}

static void below_reaches_every_value_alike(void)
{
    struct random_stream stream = {random_key(1, "below"), 0};
    uint32_t counts[7] = {0};
    for (uint32_t i = 0; i < 70000; i++) {
        const uint64_t value = random_below(&stream, 7);
        EXPECT(value < 7);
        counts[value]++;
    }
    for (uint32_t i = 0; i < 7; i++) {
        EXPECT(counts[i] > 10000 - 500 && counts[i] < 10000 + 500); /* sigma = 93 */
    }
    EXPECT_EQUAL(random_below(&stream, 1), 0);
    uint64_t largest = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        const uint64_t value = random_below(&stream, UINT64_MAX);
        largest = value > largest ? value : largest;
    }
    EXPECT(largest > UINT64_MAX / 100 * 98);
}

static void between_includes_both_ends(void)
{
    struct random_stream stream = {random_key(1, "between"), 0};
    bool low = false;
    bool high = false;
    for (uint32_t i = 0; i < 200; i++) {
        const uint64_t value = random_between(&stream, UINT64_MAX - 3, UINT64_MAX);
        EXPECT(value >= UINT64_MAX - 3);
        low = low || value == UINT64_MAX - 3;
        high = high || value == UINT64_MAX;
    }
    EXPECT(low && high);
    EXPECT_EQUAL(random_between(&stream, 9, 9), 9);
    EXPECT(random_between(&stream, 0, UINT64_MAX) != random_between(&stream, 0, UINT64_MAX));
}

static void chance_is_parts_per_million(void)
{
    struct random_stream stream = {random_key(1, "chance"), 0};
    uint32_t hits = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        hits += random_chance(&stream, 30000);
        EXPECT(!random_chance(&stream, 0));
        EXPECT(random_chance(&stream, 1000000));
    }
    EXPECT(hits > 3000 - 300 && hits < 3000 + 300); /* sigma = 54 */
}

/* Mean, median and tail of 200,000 draws: sigma of the mean is 0.22 %. */
static void exponential_has_its_mean_and_its_shape(void)
{
    static const uint64_t means[] = {1000, 1000000, UINT64_C(86400000000), UINT64_C(1) << 57};
    for (uint32_t i = 0; i < 4; i++) {
        struct random_stream stream = {random_key(i, "exponential"), 0};
        const uint64_t mean = means[i];
        uint64_t average = 0; /* of draws / 200,000, to stay within 64 bits */
        uint64_t remainder = 0;
        uint32_t below_median = 0;
        uint32_t above_five = 0;
        for (uint32_t draw = 0; draw < 200000; draw++) {
            const uint64_t value = random_exponential(&stream, mean);
            average += value / 200000;
            remainder += value % 200000;
            below_median += value < mean / 1000000 * 693147 + mean % 1000000 * 693147 / 1000000;
            above_five += value > 5 * mean;
            EXPECT(value <= 45 * mean);
        }
        average += remainder / 200000;
        EXPECT(average > mean / 100 * 98 && average < mean / 100 * 102);
        EXPECT(below_median > 98000 && below_median < 102000);
        EXPECT(above_five > 1150 && above_five < 1550); /* e^-5 of them: 1348, sigma = 37 */
    }
}

static void exponential_of_extreme_means_neither_wraps_nor_grows(void)
{
    struct random_stream stream = {random_key(1, "extreme"), 0};
    bool full = false;
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT_EQUAL(random_exponential(&stream, 0), 0);
        full = full || random_exponential(&stream, UINT64_MAX) == UINT64_MAX;
    }
    EXPECT(full);
}

static void bytes_are_the_draws_in_order(void)
{
    struct random_stream stream = {random_key(1, "bytes"), 0};
    uint8_t bytes[13];
    memset(bytes, 0, sizeof(bytes));
    random_bytes(&stream, bytes, sizeof(bytes));
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        EXPECT_EQUAL(bytes[i], random_at(stream.key, i / 8) >> (8 * (i % 8)) & 0xff);
    }
}

int main(void)
{
    RUN(draws_are_the_same_for_ever);
    RUN(a_stream_is_its_key_and_an_ordinal);
    RUN(keys_differ_by_seed_and_by_name);
    RUN(streams_are_independent);
    RUN(every_bit_of_the_ordinal_moves_half_of_the_draw);
    RUN(below_reaches_every_value_alike);
    RUN(between_includes_both_ends);
    RUN(chance_is_parts_per_million);
    RUN(exponential_has_its_mean_and_its_shape);
    RUN(exponential_of_extreme_means_neither_wraps_nor_grows);
    RUN(bytes_are_the_draws_in_order);
    return 0;
}
