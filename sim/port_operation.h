/* The operations that a node can do through its port, as triggers, traces and charges name them. */
#ifndef BROWNOUT_SIM_PORT_OPERATION_H
#define BROWNOUT_SIM_PORT_OPERATION_H

/* X(NAME, name, group) */
#define PORT_OPERATION_LIST(X)                                                                     \
    X(CLOCK, clock, other)                                                                         \
    X(LINK_OPEN, link_open, link)                                                                  \
    X(LINK_SEND, link_send, link)                                                                  \
    X(LINK_CLOSE, link_close, link)                                                                \
    X(FLASH_READ, flash_read, flash)                                                               \
    X(FLASH_PROGRAM, flash_program, flash)                                                         \
    X(FLASH_ERASE, flash_erase, flash)                                                             \
    X(FLASH_SYNC, flash_sync, flash)                                                               \
    X(DISK_OPEN, disk_open, disk)                                                                  \
    X(DISK_READ, disk_read, disk)                                                                  \
    X(DISK_WRITE, disk_write, disk)                                                                \
    X(DISK_SYNC, disk_sync, disk)                                                                  \
    X(DISK_TRUNCATE, disk_truncate, disk)                                                          \
    X(DISK_DELETE, disk_delete, disk)                                                              \
    X(ENTROPY, entropy, other)                                                                     \
    X(PUBLIC_KEY, public_key, crypto)                                                              \
    X(SIGN, sign, crypto)                                                                          \
    X(VERIFY, verify, crypto)                                                                      \
    X(SHA256, sha256, crypto)                                                                      \
    X(HKDF, hkdf, crypto)                                                                          \
    X(SEAL, seal, crypto)                                                                          \
    X(UNSEAL, open, crypto)                                                                        \
    X(COUNTER_READ, counter_read, other)                                                           \
    X(COUNTER_INCREMENT, counter_increment, other)                                                 \
    X(RETAINED_READ, retained_read, other)                                                         \
    X(RETAINED_WRITE, retained_write, other)                                                       \
    X(WATCHDOG, watchdog, other)                                                                   \
    X(RESET_REASON, reset_reason, other)                                                           \
    X(RESET, reset, other)                                                                         \
    X(SENSOR, sensor, other)                                                                       \
    X(ACTUATOR, actuator, other)                                                                   \
    X(EVIDENCE, evidence, other)

enum port_operation {
#define PORT_OPERATION_ENUM(NAME, name, group) OPERATION_##NAME,
    PORT_OPERATION_LIST(PORT_OPERATION_ENUM)
#undef PORT_OPERATION_ENUM
        OPERATION_COUNT,
    /* groups, for triggers */
    OPERATION_ANY = OPERATION_COUNT,
    OPERATION_ANY_FLASH,
    OPERATION_ANY_DISK,
    OPERATION_ANY_LINK,
    OPERATION_KIND_COUNT
};

/* The name of an operation or a group ("any", "flash", "disk", "link"); "?" if none. */
const char *port_operation_name(unsigned operation);
/* OPERATION_KIND_COUNT if there is none of that name. */
unsigned port_operation_find(const char *name);
/* Does a trigger of `kind` (operation or group) count this operation? */
_Bool port_operation_matches(unsigned kind, enum port_operation operation);

#endif
