/* What a node keeps beside its flash or database: its lock, its monotonic counters, its retained
 * RAM, and why it was reset.
 *
 *   lock       held for the life of the process: one node never runs twice
 *   counters   text with a checksum, replaced atomically and durably by each increment. They stand
 *              for fuses: where the flash is there and they are not, the node does not start
 *   retained   RAM that a reset keeps: in the page cache, never synced. It carries the identity of
 *              the machine's boot, and after another one it is empty
 *
 * How resets map: RESET_POWER_ON, the machine has booted since (or the node is new);
 * RESET_SOFTWARE, the role asked for it; RESET_WATCHDOG, it was not armed again in time;
 * RESET_PROCESS, all else: the process was killed, or stopped in order.
 */
#ifndef BROWNOUT_CORE_POSIX_STATE_FOLDER_H
#define BROWNOUT_CORE_POSIX_STATE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/port.h"

enum { STATE_BOOT_BYTES = 16 };

struct state_folder {
    int folder, lock, retained_file; /* descriptors; -1: not open */
    uint8_t machine_boot[STATE_BOOT_BYTES];
    enum reset_reason reason; /* of this life */
    uint64_t counters[COUNTER_COUNT];
    uint8_t retained[RETAINED_BYTES];
};

/* Make what is not there yet. The folder's name is made, its parents are not. False: `error` says
 * what is wrong and what to do; nothing is open. */
bool state_open(struct state_folder *state, const char *path, char *error, size_t error_bytes);
/* Read the counters. is_new: this node has no flash yet, and may have none. False: `error`. */
bool state_counters(struct state_folder *state, bool is_new, char *error, size_t error_bytes);
void state_close(struct state_folder *state);

/* As in core/port.h. */
enum err state_increment(struct state_folder *state, enum port_counter counter) MUST_USE;
enum err state_retain(struct state_folder *state, const uint8_t bytes[RETAINED_BYTES]) MUST_USE;

/* The next life is to find this reason. Safe in a signal's handler. */
void state_mark_reset(const struct state_folder *state, enum reset_reason reason);

#endif
