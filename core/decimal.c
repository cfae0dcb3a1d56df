#include "core/decimal.h"

uint32_t decimal_write(uint8_t text[DECIMAL_BYTES_MAX], uint32_t number)
{
    uint32_t size_bytes = 1;
    for (uint32_t rest = number / 10u; rest != 0; rest /= 10u) {
        size_bytes++;
    }
    for (uint32_t at = size_bytes; at > 0; at--) {
        text[at - 1] = (uint8_t)('0' + number % 10u);
        number /= 10u;
    }
    return size_bytes;
}

bool decimal_read(const uint8_t *text, uint32_t size_bytes, uint32_t *number)
{
    if (size_bytes < 1 || size_bytes > DECIMAL_BYTES_MAX || (text[0] == '0' && size_bytes > 1)) {
        return false;
    }
    uint64_t value = 0;
    for (uint32_t at = 0; at < size_bytes; at++) {
        if (text[at] < '0' || text[at] > '9') {
            return false;
        }
        value = value * 10u + (uint64_t)(text[at] - '0');
    }
    if (value > UINT32_MAX) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}
