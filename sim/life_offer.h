/* Offers that a device must refuse, one for each reason that there is: those of a thief who has one
 * of the two keys, of somebody who changes bytes, and of an honest server that is wrong.
 */
#ifndef BROWNOUT_SIM_LIFE_OFFER_H
#define BROWNOUT_SIM_LIFE_OFFER_H

#include "sim/firmware.h"

enum { LIFE_OFFERS_MAX = 16 };

struct life_offer {
    const char *name; /* what is wrong with it */
    struct manifest_envelopes envelopes;
};

struct life_offers {
    uint32_t count;
    struct life_offer list[LIFE_OFFERS_MAX];
};

/* Made out of that release. False when crypto fails. */
bool life_offers_make(struct life_offers *offers, const struct firmware *firmware, uint32_t release,
                      const struct port_crypto *crypto);

#endif
