/* The releases that a cloud has to offer, and which of them a device is to get.
 *
 * A device gets the release of the highest sequence above what it runs, among those that are due,
 * that it has not declined since it last connected, and that it has not reverted too often. Whether
 * it takes the offer is its own affair: it verifies both rights and judges by what it knows.
 */
#ifndef BROWNOUT_CORE_SERVER_RELEASE_H
#define BROWNOUT_CORE_SERVER_RELEASE_H

#include "core/limits.h"
#include "core/message.h"

struct cloud_release {
    struct manifest_envelopes envelopes;
    const uint8_t *image; /* borrowed until cloud_drop; manifest.size_bytes of it */
    uint32_t image_bytes;
    uint64_t from_us; /* wall time from which on it is offered; 0: at once */
};

struct cloud_firmware_config {
    bool managed; /* false: nothing else here counts, and a status is dropped as malformed */
    const struct cloud_release *releases; /* borrowed until cloud_drop; in any order */
    uint32_t release_count;               /* 0..SERVER_RELEASES_MAX */
    uint32_t reverts_max; /* a release is offered again until it was reverted so often, >= 1 */
};

/* What is known of one release, without belief in its signatures. */
struct release_entry {
    const struct cloud_release *source; /* borrowed */
    struct manifest_sequence sequence;
    uint8_t name[DIGEST_BYTES];
};

struct releases {
    uint32_t count;
    uint32_t reverts_max;
    struct release_entry all[SERVER_RELEASES_MAX]; /* descending sequence */
};

/* Can this be offered: do both envelopes hold the same manifest, and does the image have its size?
 * For checks of configurations; the signatures are for the device to verify. */
bool release_is_sound(const struct cloud_release *release);

/* Read the manifests; each release is sound and no two have the same sequence (else CHECK). ERR_OK
 * | ERR_IO. */
enum err releases_init(struct releases *releases, const struct cloud_firmware_config *config,
                       const struct port *port) MUST_USE;

/* What a device that says this is to get; NULL: nothing. declined: a bit for each release that it
 * does not take, by index. wall_us: 0 = unknown, and what waits for a time is not due. */
const struct release_entry *releases_choose(const struct releases *releases, uint32_t declined,
                                            const struct status *status, uint64_t wall_us);

/* The bit of this sequence among those declined; 0: no such release. */
uint32_t releases_bit(const struct releases *releases, struct manifest_sequence sequence);

/* When to look again whether a release has become due; UINT64_MAX: none waits. */
uint64_t releases_wait_us(const struct releases *releases, uint64_t wall_us);

#endif
