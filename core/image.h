/* Images: their digest, and what may be wrong with one.
 *
 * The digest covers the image area of a slot to its last byte: the image, then erased cells. It is
 * a chain over blocks of IMAGE_BLOCK_BYTES, the last one perhaps shorter, that needs one block of
 * RAM whatever the size of the image:
 *   digest(0) = 32 zeros        digest(i + 1) = SHA-256(digest(i) || block i)
 * How many bytes it covers is not for an attacker to choose: the slot's size is the layout's.
 */
#ifndef BROWNOUT_CORE_IMAGE_H
#define BROWNOUT_CORE_IMAGE_H

#include <stdint.h>

#include "core/port.h"

enum { IMAGE_BLOCK_BYTES = 1024 };

/* Why a manifest or an image is not taken, or not kept: one list for boot loader, update and cloud.
 * The numbers are stored (boot_record.h): new ones go to the end. */
#define IMAGE_FAULT_LIST(X)                                                                        \
    X(NONE, none)               /* 0: nothing is wrong */                                          \
    X(UNREADABLE, unreadable)   /* flash, counter or crypto does not answer */                     \
    X(HEADER, header)           /* the slot has no header, or part of one */                       \
    X(MALFORMED, malformed)     /* envelope or manifest breaks the rules of its format */          \
    X(AUTHOR, author)           /* the author's right is missing or does not verify */             \
    X(OPERATOR, operator)       /* the operator's right is missing or does not verify */           \
    X(DISAGREE, disagree)       /* the two rights are over different manifests */                  \
    X(HARDWARE, hardware)       /* for another kind of hardware */                                 \
    X(DEPENDENCY, dependency)   /* needs what this device does not have */                         \
    X(SIZE, size)               /* does not fit the slot */                                        \
    X(FLOOR, floor)             /* below the security floor */                                     \
    X(DIGEST, digest)           /* the bytes in flash are not those of the manifest */             \
    X(STRANGER, stranger)       /* authentic, but not the manifest whose trial was armed */        \
    X(TRIALS, trials)           /* all trials are used up and nobody confirmed */                  \
    X(DISABLED, disabled)       /* updates are switched off */                                     \
    X(UNCONFIRMED, unconfirmed) /* the running image must be confirmed first */                    \
    X(ARMED, armed)             /* another update is installed and waits for its reset */          \
    X(SEQUENCE, sequence)       /* not above every sequence on board */                            \
    X(EXPIRED, expired)         /* expired, or nobody knows what time it is */                     \
    X(LEAP, leap)               /* would raise the security floor by too much at once */           \
    X(REVERTED, reverted)       /* reverted too often: a new manifest is needed */

enum image_fault {
#define IMAGE_FAULT_ENUM(NAME, name) IMAGE_FAULT_##NAME,
    IMAGE_FAULT_LIST(IMAGE_FAULT_ENUM)
#undef IMAGE_FAULT_ENUM
        IMAGE_FAULT_COUNT
};

/* The name of a fault, for people; "?" for a number that is none. */
const char *image_fault_name(enum image_fault fault);

/* The chain of a digest: what it has come to so far, and behind it room for the next block. All
 * zero at first. */
struct image_chain {
    uint8_t bytes[DIGEST_BYTES + IMAGE_BLOCK_BYTES];
};

/* Add the block behind the digest; size_bytes is 1..IMAGE_BLOCK_BYTES. ERR_OK | ERR_IO. */
enum err image_chain_link(const struct port *port, struct image_chain *chain,
                          uint32_t size_bytes) MUST_USE;

/* The digest of an image in RAM, followed by erased cells up to area_bytes. ERR_OK | ERR_RANGE (it
 * does not fit) | ERR_IO. */
enum err image_digest(const struct port *port, const uint8_t *image, uint32_t size_bytes,
                      uint32_t area_bytes, uint8_t erased_value,
                      uint8_t digest[DIGEST_BYTES]) MUST_USE;

#endif
