/* Public keys that sign for everybody.
 * Eight points of edwards25519 have an order that divides 8, in 14 encodings (six of them not
 * canonical). Under such a key one fixed signature fits every message, or one in two, four or
 * eight; RFC 8032 leaves them to the implementation, and OpenSSL takes them. A key that is imported
 * or verified against goes through here first, or "signed by" means nothing.
 */
#ifndef BROWNOUT_CORE_CRYPTO_LOW_ORDER_H
#define BROWNOUT_CORE_CRYPTO_LOW_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/port.h"

bool crypto_key_is_low_order(const uint8_t public_key[KEY_BYTES]);

#endif
