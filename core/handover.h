/* What the boot loader tells the image that it jumps to, through RAM that a reset keeps and a loss
 * of power does not (port.h, retained RAM). What flash and counters know is read there again; only
 * what this boot alone knows travels:
 *
 *   "BOOT", outcome, slot, reverted | recovered << 1, fault of A, fault of B, zeros, CRC-32
 */
#ifndef BROWNOUT_CORE_HANDOVER_H
#define BROWNOUT_CORE_HANDOVER_H

#include "core/boot.h"

/* Right before the jump; report->outcome is not BOOT_NONE. ERR_OK | ERR_IO. */
enum err handover_write(const struct port *port, const struct boot_report *report) MUST_USE;

/* In the image: the report of the boot that led here. It is taken: a second read finds none, so
 * that no boot is told twice. store: boot's, mounted on the way; unspecified afterwards. ERR_OK |
 * ERR_CORRUPT: no boot loader has handed over, or what it said does not fit what is in flash: ask
 * for a reset | ERR_IO. */
enum err handover_take(const struct port *port, const struct boot_config *config,
                       struct store *store, struct boot_report *report) MUST_USE;

#endif
