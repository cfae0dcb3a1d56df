/* Numbers as the network writes them: the most significant byte first. */
#ifndef BROWNOUT_CORE_BIG_ENDIAN_H
#define BROWNOUT_CORE_BIG_ENDIAN_H

#include <stdint.h>

/* The low size_bytes bytes of value; size_bytes <= 8. */
void big_endian_put(uint8_t *bytes, uint32_t size_bytes, uint64_t value);
uint64_t big_endian_get(const uint8_t *bytes, uint32_t size_bytes);

#endif
