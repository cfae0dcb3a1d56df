/* The behaviour record: the first bytes of a simulated image say how the node behaves that runs it.
 * They are covered by the image's digest and by both signatures of its manifest, so that a bad
 * release behaves badly on every device that boots it, and on no other.
 *
 *   [version, protocol, defect] in deterministic CBOR, then the rest of the image
 */
#ifndef BROWNOUT_SIM_BEHAVIOUR_H
#define BROWNOUT_SIM_BEHAVIOUR_H

#include <stdbool.h>
#include <stdint.h>

#define BEHAVIOUR_DEFECT_LIST(X)                                                                   \
    X(NONE, none)   /* 0: as core says */                                                          \
    X(HANG, hang)   /* stops before it does anything; the watchdog bites */                        \
    X(RESET, reset) /* asks for a reset as soon as it runs */                                      \
    X(MUTE, mute)   /* runs, and opens no link */

enum behaviour_defect {
#define BEHAVIOUR_ENUM(NAME, name) BEHAVIOUR_##NAME,
    BEHAVIOUR_DEFECT_LIST(BEHAVIOUR_ENUM)
#undef BEHAVIOUR_ENUM
        BEHAVIOUR_COUNT
};

enum { BEHAVIOUR_BYTES = 16, BEHAVIOUR_PROTOCOL = 1 };

struct behaviour {
    uint32_t version;  /* of the image */
    uint32_t protocol; /* that it speaks; BEHAVIOUR_PROTOCOL is the only one so far */
    enum behaviour_defect defect;
};

/* Into the first BEHAVIOUR_BYTES of an image; what the record leaves is zero. */
void behaviour_write(const struct behaviour *behaviour, uint8_t bytes[BEHAVIOUR_BYTES]);
/* False: no record, or one of a protocol that is not known. */
bool behaviour_read(const uint8_t bytes[BEHAVIOUR_BYTES], struct behaviour *behaviour);

#endif
