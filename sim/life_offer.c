#include "sim/life_offer.h"

#include <string.h>

#include "core/check.h"
#include "sim/clock.h"

enum { STRANGER = 0x5354524e, UNKNOWN_SEQUENCE = 1000, FLIPPED_BYTE = 40 };

/* Who signs what: in an honest offer author and operator, the same manifest. */
struct making {
    const struct firmware *firmware;
    struct port port;
    struct manifest manifest;
};

static struct life_offer *add(struct life_offers *offers, const char *name)
{
    CHECK(offers->count < LIFE_OFFERS_MAX);
    struct life_offer *offer = &offers->list[offers->count++];
    offer->name = name;
    return offer;
}

static bool sign(const struct making *making, struct life_offer *offer,
                 const struct key_pair *author, const struct key_pair *operator)
{
    const struct manifest_authority *authority = &making->firmware->device.update.boot.authority;
    uint8_t bytes[MANIFEST_BYTES_MAX];
    uint32_t size_bytes = sizeof bytes;
    return manifest_encode(&making->manifest, bytes, &size_bytes) == ERR_OK &&
           manifest_sign(&making->port, author, authority->author, MANIFEST_AUTHOR, bytes,
                         size_bytes, &offer->envelopes) == ERR_OK &&
           manifest_sign(&making->port, operator, authority->operator, MANIFEST_OPERATOR, bytes,
                         size_bytes, &offer->envelopes) == ERR_OK;
}

/* Of somebody who has a key too few. */
static bool add_thieves(struct life_offers *offers, struct making *making,
                        const struct manifest_envelopes *honest)
{
    const struct firmware *firmware = making->firmware;
    struct life_offer *offer = add(offers, "the operator's right by the author's key");
    bool good = sign(making, offer, &firmware->author, &firmware->author);
    offer = add(offers, "the author's right by the operator's key");
    good = sign(making, offer, &firmware->operator, & firmware->operator) && good;
    offer = add(offers, "a bit of the author's right is changed");
    offer->envelopes = *honest;
    offer->envelopes.author[FLIPPED_BYTE] ^= 1;
    offer = add(offers, "a bit of the operator's right is changed");
    offer->envelopes = *honest;
    offer->envelopes.operator[FLIPPED_BYTE] ^= 1;
    offer = add(offers, "no operator's right");
    offer->envelopes = *honest;
    offer->envelopes.operator_bytes = 0;
    offer = add(offers, "the two rights are over different manifests");
    good = sign(making, offer, &firmware->author, &firmware->operator) && good;
    memcpy(offer->envelopes.author, honest->author, honest->author_bytes);
    offer->envelopes.author_bytes = honest->author_bytes;
    return good;
}

/* Signed by both, and yet not for this device, or not now. */
static bool add_mistakes(struct life_offers *offers, struct making *making)
{
    const struct firmware *firmware = making->firmware;
    const struct manifest right = making->manifest;
    struct manifest *wrong = &making->manifest;
    bool good = true;
    static const char *const names[] = {
        "for other hardware",
        "needs a component that is not there",
        "below the security floor",
        "raises the security floor by too much",
        "expired",
        "larger than a slot",
        "an old sequence",
    };
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        *wrong = right;
        wrong->hardware += i == 0;
        if (i == 1) {
            wrong->dependency_count = 1;
            wrong->dependencies[0] = (struct component){STRANGER, 1};
        }
        wrong->security.level = i == 2   ? 0
                                : i == 3 ? right.security.level + SECURITY_LEAP_MAX + 1
                                         : right.security.level;
        wrong->expires_us = i == 4 ? CLOCK_WALL_START_US - 1 : right.expires_us;
        wrong->size_bytes = i == 5 ? firmware->area_bytes + 1 : right.size_bytes;
        wrong->sequence.number = i == 6 ? 1 : right.sequence.number;
        good = sign(making, add(offers, names[i]), &firmware->author, &firmware->operator) && good;
    }
    *wrong = right;
    return good;
}

bool life_offers_make(struct life_offers *offers, const struct firmware *firmware, uint32_t release,
                      const struct port_crypto *crypto)
{
    CHECK(release >= 1 && release <= firmware->release_count);
    const struct firmware_release *honest = &firmware->releases[release - 1];
    struct making making = {.firmware = firmware,
                            .port = {.flash = firmware->geometry, .crypto = *crypto},
                            .manifest = honest->manifest};
    memset(offers, 0, sizeof *offers);
    making.manifest.sequence.number = UNKNOWN_SEQUENCE; /* no law knows of such a release */
    return add_thieves(offers, &making, &honest->envelopes) && add_mistakes(offers, &making);
}
