#include "core/topic.h"

#include <stddef.h>
#include <string.h>

#include "core/check.h"
#include "core/decimal.h"

_Static_assert(2 + DECIMAL_BYTES_MAX + 1 <= TOPIC_BYTES, "every topic fits, terminator included");

void topic_write(char topic[TOPIC_BYTES], char letter, uint32_t number)
{
    CHECK(topic != NULL);
    uint8_t digits[DECIMAL_BYTES_MAX];
    const uint32_t count = decimal_write(digits, number);
    topic[0] = letter;
    topic[1] = '/';
    memcpy(topic + 2, digits, count);
    topic[2 + count] = '\0';
}

bool topic_read(const struct mqtt_slice *topic, char letter, uint32_t *number)
{
    CHECK(topic != NULL);
    CHECK(number != NULL);
    return topic->size_bytes > 2 && topic->bytes[0] == (uint8_t)letter && topic->bytes[1] == '/' &&
           decimal_read(topic->bytes + 2, topic->size_bytes - 2, number);
}
