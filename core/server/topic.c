/* Topics of the fleet, written and read. */
#include "core/server/topic.h"

#include <stddef.h>

#include "core/check.h"

enum { DIGITS_MAX = 10 }; /* of UINT32_MAX */

void topic_write(char topic[TOPIC_BYTES], char letter, uint32_t number)
{
    CHECK(topic != NULL);
    char digits[DIGITS_MAX];
    uint32_t count = 0;
    do {
        digits[count] = (char)('0' + (char)(number % 10u));
        number /= 10u;
        count++;
    } while (number != 0);

    uint32_t at = 0;
    topic[at++] = letter;
    topic[at++] = '/';
    while (count > 0) {
        topic[at++] = digits[--count];
    }
    topic[at] = '\0';
}

bool topic_read(const struct mqtt_slice *topic, char letter, uint32_t *number)
{
    CHECK(topic != NULL);
    CHECK(number != NULL);
    const uint32_t size_bytes = topic->size_bytes;
    if (size_bytes < 3 || size_bytes > 2 + DIGITS_MAX) {
        return false;
    }
    if (topic->bytes[0] != (uint8_t)letter || topic->bytes[1] != '/') {
        return false;
    }
    if (topic->bytes[2] == '0' && size_bytes > 3) {
        return false;
    }
    uint64_t value = 0;
    for (uint32_t at = 2; at < size_bytes; at++) {
        const uint8_t digit = topic->bytes[at];
        if (digit < '0' || digit > '9') {
            return false;
        }
        value = value * 10u + (uint64_t)(digit - '0');
    }
    if (value > UINT32_MAX) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}
