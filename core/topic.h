/* Topics of the fleet: one letter, a slash, a number in decimal ("t/17"). */
#ifndef BROWNOUT_CORE_TOPIC_H
#define BROWNOUT_CORE_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/mqtt/packet.h"

enum { TOPIC_BYTES = 16 }; /* letter, slash, 10 digits, terminator; rounded up */

/* Write "<letter>/<number>", terminated. */
void topic_write(char topic[TOPIC_BYTES], char letter, uint32_t number);

/* Read it; false for anything else, leading zeros and numbers above UINT32_MAX included. */
bool topic_read(const struct mqtt_slice *topic, char letter, uint32_t *number) MUST_USE;

#endif
