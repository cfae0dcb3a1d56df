/* Firmware update, in the running image: takes an offer, downloads it into the other slot, installs
 * it, and confirms it after its first boots.
 *
 *   update_offer -> (update_wants -> update_chunk)* -> update_finish -> reset -> boot loader
 *   -> update_init in the new image -> update_confirm, or the boot loader reverts
 *
 * The order that power cuts cannot break:
 *   - nothing is erased before both rights of the manifest are verified;
 *   - the header of the slot goes first and comes last: an authentic header never stands over bytes
 *     that were not verified;
 *   - an image sector is erased before it is filled and counts once it is synced and recorded in
 * the application's store, which belongs to the caller (outbox.h). Whatever else is there after a
 * cut is not trusted: a resumed download starts at the first sector that does not count, and erases
 * it;
 *   - bytes are verified in flash before the header is written, and with it before a trial is
 * armed;
 *   - a confirm is durable before the security floor rises.
 *
 * After a restart the same offer resumes the download where it was; a complete one is not fetched
 * again, not even when its trial was reverted. Offers that are refused change nothing.
 */
#ifndef BROWNOUT_CORE_UPDATE_H
#define BROWNOUT_CORE_UPDATE_H

#include "core/boot.h"

struct update_config {
    struct boot_config boot; /* the same as the boot loader's */
    bool enabled;            /* false: every offer is refused, and nothing is written for one */
    uint32_t reverts_max;    /* times that one manifest may be reverted and offered again, >= 1 */
};

enum update_state {
    UPDATE_IDLE,
    UPDATE_DOWNLOADING,
    UPDATE_COMPLETE, /* all bytes are in flash, not verified yet */
    UPDATE_ARMED,    /* installed: the next boot is the first trial */
    UPDATE_FAILED,   /* flash or store failed: waits for a reset */
};

struct update_counts {
    uint64_t offers, accepted, chunks;
    uint64_t refused[IMAGE_FAULT_COUNT]; /* offers, and images that did not verify */
};

struct update {
    struct update_config config; /* copied */
    struct boot_report report;   /* copied: what runs here */
    enum update_state state;
    bool confirmed;                      /* the running image */
    uint32_t slot;                       /* the other one */
    uint32_t sector_bytes;               /* of the flash */
    struct manifest_envelopes envelopes; /* of the offer that was taken */
    struct manifest manifest;
    uint8_t name[DIGEST_BYTES];        /* of that manifest */
    uint32_t received_bytes;           /* of the image, programmed or in `unit` */
    uint8_t unit[SLOT_UNIT_BYTES_MAX]; /* bytes that do not fill a program unit yet */
    struct store boot_store;           /* mounted when the record changes */
    struct update_counts counts;       /* since boot */
};

void update_init(struct update *update, const struct update_config *config, const struct port *port,
                 const struct boot_report *report);

struct update_offer {
    const struct manifest_envelopes *envelopes; /* borrowed */
    uint64_t wall_us;                           /* what time it is; 0 = unknown */
};

/* Bytes of the image, borrowed. */
struct update_piece {
    uint32_t offset;
    const uint8_t *bytes;
    uint32_t size_bytes;
};

/* An offer; store: the application's, mounted, here and below. It may be repeated: the same offer
 * again goes on. ERR_OK: taken; see update_wants | ERR_DENIED: refused, *why says why; nothing
 * changed | ERR_IO: the flash failed; the state is UPDATE_FAILED. */
enum err update_offer(struct update *update, struct store *store, const struct port *port,
                      const struct update_offer *offer, enum image_fault *why) MUST_USE;

/* What to fetch next: bytes up to the next point that survives a cut. False: nothing. */
bool update_wants(const struct update *update, uint32_t *offset, uint32_t *size_bytes);

/* Take a piece, of any size. What was received already is skipped. ERR_OK | ERR_DENIED (no
 * download) | ERR_RANGE (a gap, or past the end of the image; nothing changed) | ERR_IO. */
enum err update_chunk(struct update *update, struct store *store, const struct port *port,
                      const struct update_piece *piece) MUST_USE;

/* Verify the complete image in flash, write the header, verify the slot as the boot loader will,
 * arm the trial. Then ask for a reset. ERR_OK | ERR_DENIED (not complete) | ERR_CORRUPT (these are
 * not the manifest's bytes; the download starts anew with the next offer) | ERR_IO. */
enum err update_finish(struct update *update, struct store *store,
                       const struct port *port) MUST_USE;

/* What shows that the running image is healthy. */
enum health_proof {
    HEALTH_ROUND_TRIP, /* the server's signed answer to what this image signed in this boot */
    HEALTH_OFFLINE, /* the image's own word: only where its manifest allows that, see `offline` */
};

/* The running image is healthy: keep it. Durable once ERR_OK, then the security floor rises. Does
 * nothing where nothing is to confirm. ERR_OK | ERR_DENIED: this proof is not enough for this image
 * | ERR_IO: try again after a reset. */
enum err update_confirm(struct update *update, const struct port *port,
                        enum health_proof proof) MUST_USE;

#endif
