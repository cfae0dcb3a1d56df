/* The only way out of core: everything that a role can do to the world, or learn of it.
 *
 * Rules that hold for every call:
 *   - it never blocks, never calls back into core, and never keeps a pointer past its return;
 *   - `ctx` comes first and belongs to whoever made the port;
 *   - flash, disk, counters and crypto are synchronous: done or an error. Only links say "later";
 *   - when the power is gone every call is without effect and answers ERR_IO until the step
 * returns. A role gets the port anew with each call and keeps no pointer to it.
 */
#ifndef BROWNOUT_CORE_PORT_H
#define BROWNOUT_CORE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

struct evidence;

enum {
    KEY_BYTES = 32,       /* Ed25519 seed, Ed25519 public key, HKDF secret and output */
    SIGNATURE_BYTES = 64, /* Ed25519 */
    DIGEST_BYTES = 32,    /* SHA-256 */
    AEAD_KEY_BYTES = 16,  /* AES-128-GCM */
    AEAD_NONCE_BYTES = 12,
    AEAD_TAG_BYTES = 16,
    RETAINED_BYTES = 64,
};

/* Ed25519 private key as RFC 8032 section 5.1.5 stores it: seed and its public key. */
struct key_pair {
    uint8_t seed[KEY_BYTES];
    uint8_t public_key[KEY_BYTES];
};

struct clock_reading {
    uint64_t monotonic_us; /* since boot; never goes back; may drift and stand still in suspend */
    uint64_t wall_us; /* since 1970 as this node believes: may step, freeze, drift; 0 = unset */
};

/* All sectors alike; unit of program and erased value as F1-F4 of a NOR part. */
struct flash_geometry {
    uint32_t sector_bytes;  /* erase unit */
    uint32_t sector_count;  /* 0: this node has no flash */
    uint32_t program_bytes; /* program unit: offset and size of a program are multiples of it */
    uint8_t erased_value;   /* 0xFF, or 0x00 on parts that erase to zero */
    /* Units carry ECC: each is programmed once between two erases, and one that power tore does not
     * read until its sector is erased: ERR_IO, where the part raises a fault the port catches it.
     * Without ECC a torn unit reads as it likes, and a unit may be programmed again: with the bytes
     * that it has, or with all bits programmed. */
    bool ecc;
};

enum reset_reason {
    RESET_POWER_ON, /* power came (back) */
    RESET_WATCHDOG, /* the watchdog bit */
    RESET_SOFTWARE, /* port->reset */
    RESET_PROCESS,  /* the process died, the machine did not: what was written is there */
};

/* Monotonic counters: never decrease, survive loss of flash; a cut leaves the old or the new value.
 */
enum port_counter {
    COUNTER_EPOCH,    /* telemetry epoch: raised whenever the store is formatted */
    COUNTER_SECURITY, /* security floor of firmware images */
    COUNTER_COUNT
};

/* Crypto as a table of its own, so that a provider can stand behind any port.
 * Every call: ERR_OK, or ERR_IO when the power is gone. */
struct port_crypto {
    void *ctx;
    const char *name;
    /* Fill pair->public_key from pair->seed. */
    enum err (*public_key)(void *ctx, struct key_pair *pair) MUST_USE;
    /* Ed25519 (RFC 8032, pure) over size_bytes of message. */
    enum err (*sign)(void *ctx, const struct key_pair *pair, const uint8_t *message,
                     uint32_t size_bytes, uint8_t signature[SIGNATURE_BYTES]) MUST_USE;
    /* ERR_SIGNATURE if it does not verify, or if the key is one of the 14 low-order encodings. */
    enum err (*verify)(void *ctx, const uint8_t public_key[KEY_BYTES], const uint8_t *message,
                       uint32_t size_bytes, const uint8_t signature[SIGNATURE_BYTES]) MUST_USE;
    enum err (*sha256)(void *ctx, const uint8_t *bytes, uint32_t size_bytes,
                       uint8_t digest[DIGEST_BYTES]) MUST_USE;
    /* HKDF-SHA-256 (RFC 5869), empty salt, 32 bytes out. */
    enum err (*hkdf)(void *ctx, const uint8_t secret[KEY_BYTES], const uint8_t *info,
                     uint32_t info_bytes, uint8_t out[KEY_BYTES]) MUST_USE;
    /* AES-128-GCM. out: size_bytes of ciphertext, then AEAD_TAG_BYTES of tag; may not overlap. */
    enum err (*seal)(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                     const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *plain,
                     uint32_t size_bytes, uint8_t *out) MUST_USE;
    /* size_bytes counts ciphertext and tag; out gets size_bytes - AEAD_TAG_BYTES.
     * ERR_SIGNATURE if the tag is wrong; out is then zero. */
    enum err (*open)(void *ctx, const uint8_t key[AEAD_KEY_BYTES],
                     const uint8_t nonce[AEAD_NONCE_BYTES], const uint8_t *sealed,
                     uint32_t size_bytes, uint8_t *out) MUST_USE;
};

struct port {
    void *ctx;

    /* Time. Read once in each init and step; all decisions of that step use the reading. */
    enum err (*clock_read)(void *ctx, struct clock_reading *now) MUST_USE;

    /* Links: byte streams as TCP has them, to a peer's number. Inbound ones come as LINK_UP.
     * link_open: ERR_OK and a handle; LINK_UP or LINK_DOWN follows. ERR_FULL: too many links.
     * link_send: bytes taken (1..size), 0 = later (LINK_WRITABLE follows), ERR_CLOSED.
     * link_close: orderly; no event follows; closing a dead handle does nothing. */
    enum err (*link_open)(void *ctx, uint32_t peer, uint32_t *link) MUST_USE;
    int32_t (*link_send)(void *ctx, uint32_t link, const uint8_t *bytes,
                         uint32_t size_bytes) MUST_USE;
    void (*link_close)(void *ctx, uint32_t link);

    /* Flash (NOR): program only clears bits (towards the complement of erased_value), erase sets a
     * whole sector. Not atomic: a cut tears what is in flight. Durable after sync only.
     * offset from 0 to sector_bytes * sector_count; a range outside, or misaligned, is ERR_RANGE.
     */
    struct flash_geometry flash;
    enum err (*flash_read)(void *ctx, uint32_t offset, uint8_t *bytes,
                           uint32_t size_bytes) MUST_USE;
    enum err (*flash_program)(void *ctx, uint32_t offset, const uint8_t *bytes,
                              uint32_t size_bytes) MUST_USE;
    enum err (*flash_erase)(void *ctx, uint32_t offset) MUST_USE;
    enum err (*flash_sync)(void *ctx) MUST_USE;

    /* Disk, for server roles: the SQLite VFS to use (NULL = SQLite's default) and the file. */
    const char *disk_vfs;
    const char *disk_path;

    /* Entropy fit for nonces. ERR_IO when there is none yet. */
    enum err (*entropy)(void *ctx, uint8_t *bytes, uint32_t size_bytes) MUST_USE;

    struct port_crypto crypto;

    enum err (*counter_read)(void *ctx, enum port_counter counter, uint64_t *value) MUST_USE;
    enum err (*counter_increment)(void *ctx, enum port_counter counter) MUST_USE;

    /* RAM that survives a reset, not a loss of power; RETAINED_BYTES of it. */
    enum err (*retained_read)(void *ctx, uint8_t bytes[RETAINED_BYTES]) MUST_USE;
    enum err (*retained_write)(void *ctx, const uint8_t bytes[RETAINED_BYTES]) MUST_USE;

    /* Watchdog: resets the node unless armed again within timeout_us; 0 disarms. */
    void (*watchdog_arm)(void *ctx, uint64_t timeout_us);
    enum reset_reason (*reset_reason)(void *ctx);
    /* Ask for a reset once this step has returned (RESET_SOFTWARE). */
    void (*reset)(void *ctx);

    enum err (*sensor_read)(void *ctx, uint32_t sensor, int32_t *value) MUST_USE;
    enum err (*actuator_set)(void *ctx, uint32_t actuator, int32_t value) MUST_USE;

    void (*evidence)(void *ctx, const struct evidence *evidence);
};

#endif
