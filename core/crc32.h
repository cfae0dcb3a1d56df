/* CRC-32 (IEEE 802.3, reflected), against what power and wear do to bytes; not against people. */
#ifndef BROWNOUT_CORE_CRC32_H
#define BROWNOUT_CORE_CRC32_H

#include <stdint.h>

/* crc: of the bytes before; 0 to begin. */
uint32_t crc32(uint32_t crc, const uint8_t *bytes, uint32_t size_bytes);

#endif
