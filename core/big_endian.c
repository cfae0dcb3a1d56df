#include "core/big_endian.h"

void big_endian_put(uint8_t *bytes, uint32_t size_bytes, uint64_t value)
{
    for (uint32_t i = size_bytes; i > 0; i--) {
        bytes[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

uint64_t big_endian_get(const uint8_t *bytes, uint32_t size_bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < size_bytes; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}
