/* Releases, and which of them a device is to get. */
#include "core/server/release.h"

#include <stddef.h>
#include <string.h>

#include "core/boot.h"
#include "core/check.h"
#include "core/cose.h"

/* Without a clock: when to look again whether there is one. */
#define NO_CLOCK_US UINT64_C(60000000)

_Static_assert(SERVER_RELEASES_MAX <= 32, "a bit for each of them");

static bool open_manifest(const struct cloud_release *release, struct manifest *out);
static bool is_due(const struct release_entry *release, uint64_t wall_us);

bool release_is_sound(const struct cloud_release *release)
{
    struct cose_sign1 author, operator;
    const struct manifest_envelopes *envelopes = &release->envelopes;
    struct manifest manifest;
    if (envelopes->author_bytes > sizeof envelopes->author ||
        envelopes->operator_bytes > sizeof envelopes->operator|| cose_parse(
                                        envelopes->author, envelopes->author_bytes, &author) !=
            ERR_OK ||
        cose_parse(envelopes->operator, envelopes->operator_bytes, &operator) != ERR_OK) {
        return false;
    }
    const bool same = author.payload_bytes ==
                      operator.payload_bytes &&
                      memcmp(author.payload, operator.payload, author.payload_bytes) == 0;
    return same && release->image != NULL && open_manifest(release, &manifest) &&
           manifest.size_bytes == release->image_bytes;
}

enum err releases_init(struct releases *releases, const struct cloud_firmware_config *config,
                       const struct port *port)
{
    CHECK(config->release_count <= SERVER_RELEASES_MAX);
    CHECK(config->reverts_max >= 1);
    *releases = (struct releases){.reverts_max = config->reverts_max};
    for (uint32_t i = 0; i < config->release_count; i++) {
        struct release_entry release = {.source = &config->releases[i]};
        struct manifest manifest;
        CHECK(release_is_sound(release.source));
        const bool opened = open_manifest(release.source, &manifest);
        CHECK(opened);
        release.sequence = manifest.sequence;
        if (manifest_name(port, &release.source->envelopes, release.name) != ERR_OK) {
            return ERR_IO;
        }
        uint32_t at = releases->count++;
        for (; at > 0 && releases->all[at - 1].sequence.number <= release.sequence.number; at--) {
            CHECK(releases->all[at - 1].sequence.number != release.sequence.number);
            releases->all[at] = releases->all[at - 1];
        }
        releases->all[at] = release;
    }
    return ERR_OK;
}

const struct release_entry *releases_choose(const struct releases *releases, uint32_t declined,
                                            const struct status *status, uint64_t wall_us)
{
    if (status->outcome != BOOT_CONFIRMED) {
        return NULL; /* it would decline: the other slot may be all that there is to go back to */
    }
    for (uint32_t i = 0; i < releases->count; i++) {
        const struct release_entry *release = &releases->all[i];
        const uint64_t number = release->sequence.number;
        if (number <= status->sequence.number) {
            return NULL;
        }
        const bool reverted = number == status->revert_sequence.number &&
                              status->revert_count >= releases->reverts_max;
        if (is_due(release, wall_us) && (declined >> i & 1u) == 0 && !reverted) {
            return release;
        }
    }
    return NULL;
}

uint32_t releases_bit(const struct releases *releases, struct manifest_sequence sequence)
{
    for (uint32_t i = 0; i < releases->count; i++) {
        if (releases->all[i].sequence.number == sequence.number) {
            return UINT32_C(1) << i;
        }
    }
    return 0;
}

uint64_t releases_wait_us(const struct releases *releases, uint64_t wall_us)
{
    uint64_t wait_us = UINT64_MAX;
    for (uint32_t i = 0; i < releases->count; i++) {
        const uint64_t from_us = releases->all[i].source->from_us;
        if (from_us > wall_us) {
            const uint64_t left_us = wall_us == 0 ? NO_CLOCK_US : from_us - wall_us;
            wait_us = left_us < wait_us ? left_us : wait_us;
        }
    }
    return wait_us;
}

static bool open_manifest(const struct cloud_release *release, struct manifest *out)
{
    struct cose_sign1 parsed;
    return cose_parse(release->envelopes.author, release->envelopes.author_bytes, &parsed) ==
               ERR_OK &&
           manifest_decode(parsed.payload, parsed.payload_bytes, out) == ERR_OK;
}

static bool is_due(const struct release_entry *release, uint64_t wall_us)
{
    const uint64_t from_us = release->source->from_us;
    return from_us == 0 || (wall_us != 0 && wall_us >= from_us);
}
