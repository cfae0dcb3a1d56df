/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BROWNOUT_CORE_UTF8_H
#define BROWNOUT_CORE_UTF8_H

#include <stdint.h>

/* Bytes of the well-formed character that begins here, 0 if there is none; size_bytes >= 1. */
uint32_t utf8_character_bytes(const uint8_t *bytes, uint32_t size_bytes);

#endif
