/* Numbers of nodes as text: decimal, without leading zeros, so that one number has one name. */
#ifndef BROWNOUT_CORE_DECIMAL_H
#define BROWNOUT_CORE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

enum { DECIMAL_BYTES_MAX = 10 }; /* of UINT32_MAX */

/* Its size; no terminator. */
uint32_t decimal_write(uint8_t text[DECIMAL_BYTES_MAX], uint32_t number);

/* False, and *number untouched, for anything else than what decimal_write makes. */
bool decimal_read(const uint8_t *text, uint32_t size_bytes, uint32_t *number) MUST_USE;

#endif
