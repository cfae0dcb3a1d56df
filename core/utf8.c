#include "core/utf8.h"

#include "core/check.h"

/* Unicode 15, table 3-7: the second byte keeps overlong forms, surrogates and what is above
 * U+10FFFF out. */
uint32_t utf8_character_bytes(const uint8_t *bytes, uint32_t size_bytes)
{
    CHECK(size_bytes >= 1);
    const uint8_t lead = bytes[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    const uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length > size_bytes) {
        return 0;
    }
    const uint8_t least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (bytes[1] < least || bytes[1] > most) {
        return 0;
    }
    for (uint32_t index = 2; index < length; index++) {
        if ((bytes[index] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}
