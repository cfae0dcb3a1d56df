/* What a role says that it did: the one vocabulary that core speaks and models understand.
 * The names are action names of the specs. Each piece is said at the moment that its comment
 * names, so that a power cut between the act and the word has one meaning.
 */
#ifndef BROWNOUT_CORE_EVIDENCE_H
#define BROWNOUT_CORE_EVIDENCE_H

#include <stdint.h>

/* X(NAME, Name, meaning of `counter`, meaning of `value`); `body` is named where it is used. */
#define EVIDENCE_LIST(X)                                                                           \
    /* any role, end of an x_init: all that it found in its store or on its disk is durable now. A \
     * server that found no disk does not say it; a device without its flash does, with epoch 0.   \
     * counter: device: next counter. value: enum reset_reason */                                  \
    X(BOOT, Boot)                                                                                  \
    /* device: counters below `counter` may be used; said after the record is durable */           \
    X(RESERVE, Reserve)                                                                            \
    /* device: body = the envelope just signed, before it is stored. value: wall_us */             \
    X(SIGN, Sign)                                                                                  \
    /* device: the signed envelope is durable in the outbox */                                     \
    X(STORE, Store)                                                                                \
    /* device: sampled, but could not be kept. value: enum err, positive */                        \
    X(LOSE, Lose)                                                                                  \
    /* device: before the first byte of body is handed to a link. value: gateway */                \
    X(SEND, Send)                                                                                  \
    /* device: a reading is dropped by the counted rule: the oldest, when outbox or flash are      \
     * full; each, when the epoch ends; one whose record does not read back */                     \
    X(SHED, Shed)                                                                                  \
    /* device: the cloud's signed ack covers this reading; it is forgotten next */                 \
    X(RELEASE, Release)                                                                            \
    /* device: reconnect planned. counter: attempt. value: delay_us */                             \
    X(BACKOFF, Backoff)                                                                            \
    /* gateway: body is durable in the queue; said before its PUBACK. value: queue length */       \
    X(CUSTODY, Custody)                                                                            \
    /* gateway: handed to the cloud's link. body = the device's envelope */                        \
    X(FORWARD, Forward)                                                                            \
    /* gateway: the cloud has confirmed; the message may leave the queue */                        \
    X(DISCHARGE, Discharge)                                                                        \
    /* gateway, cloud: custody refused by a rule. value: enum refusal. Cloud with DISK, device 0:  \
     * the commit failed for want of room; nothing said since the last COMMIT holds */             \
    X(REFUSE, Refuse)                                                                              \
    /* cloud: a window begins here by challenge: counters <= `counter` are closed. Said before the \
     * commit that makes it durable */                                                             \
    X(WINDOW, Window)                                                                              \
    /* cloud: verified and inside the window; said before the commit. body = device's envelope.    \
     * value: gateway */                                                                           \
    X(ACCEPT, Accept)                                                                              \
    /* cloud: everything said since the last COMMIT is durable. gateway: all that was taken, and   \
     * that discharged messages are deleted; the CUSTODYs follow */                                \
    X(COMMIT, Commit)                                                                              \
    /* cloud: verified, and not accepted. value: enum refusal */                                   \
    X(REJECT, Reject)                                                                              \
    /* cloud: signed ack handed to a link; counter: top; said before its first byte */             \
    X(ACK, Ack)                                                                                    \
    /* cloud: no window for this device (epoch): a challenge is sent instead of an accept */       \
    X(CHALLENGE, Challenge)                                                                        \
    /* any role: a peer's bytes were dropped. value: enum refusal */                               \
    X(DROP, Drop)                                                                                  \
    /* boot loader: it hands over to an image, right now. epoch: slot. counter: sequence of its    \
     * manifest. value: enum boot_outcome */                                                       \
    X(JUMP, Jump)                                                                                  \
    /* boot loader: no slot may run. value: enum image_fault of slot A, and of B in bits 8..15 */  \
    X(STRAND, Strand)                                                                              \
    /* boot loader: a trial is over, and the record says so durably. counter: sequence of its      \
     * manifest. value: enum image_fault */                                                        \
    X(REVERT, Revert)                                                                              \
    /* device: an offer is taken. counter: its sequence. value: bytes that are durable already */  \
    X(TAKE, Take)                                                                                  \
    /* device: an offer is refused, nothing changed. counter: its sequence, 0 where it is not      \
     * authentic. value: enum image_fault */                                                       \
    X(DECLINE, Decline)                                                                            \
    /* device: the image's bytes below `value` are durable. counter: sequence */                   \
    X(FILL, Fill)                                                                                  \
    /* device: installed; the trial is durable. epoch: slot. counter: sequence. value: trials */   \
    X(ARM, Arm)                                                                                    \
    /* device: the running image is kept, durably. epoch: slot. counter: sequence */               \
    X(CONFIRM, Confirm)                                                                            \
    /* boot loader, device: the security floor is `value`, durably */                              \
    X(RAISE, Raise)                                                                                \
    /* device: a key pair is durable. counter: its generation. value: 0 to follow, 1 in force */   \
    X(ROTATE, Rotate)                                                                              \
    /* device: a policy is in force, durably. counter: its version */                              \
    X(POLICY, Policy)                                                                              \
    /* device: before the first byte of a signed status is handed to a link. counter: sequence of  \
     * the running manifest. value: enum boot_outcome, as it is now */                             \
    X(STATUS, Status)                                                                              \
    /* cloud: what a verified status says; said before the COMMIT. counter, value: as STATUS */    \
    X(LEARN, Learn)

enum evidence_kind {
#define EVIDENCE_ENUM(NAME, Name) EVIDENCE_##NAME,
    EVIDENCE_LIST(EVIDENCE_ENUM)
#undef EVIDENCE_ENUM
        EVIDENCE_COUNT
};

/* Why something was not taken: reasons of REFUSE, REJECT and DROP. */
#define REFUSAL_LIST(X)                                                                            \
    X(NONE, none)             /* 0: no refusal */                                                  \
    X(MALFORMED, malformed)   /* bytes break CBOR, COSE or MQTT */                                 \
    X(SIGNATURE, signature)   /* does not verify under the key that it names */                    \
    X(UNKNOWN, unknown)       /* no such device or gateway in the registry */                      \
    X(MISMATCH, mismatch)     /* session, topic, kid and payload disagree */                       \
    X(DUPLICATE, duplicate)   /* inside the window, accepted before */                             \
    X(OLD, old)               /* below the window */                                               \
    X(EPOCH, epoch)           /* of an epoch that is over */                                       \
    X(NO_WINDOW, no_window)   /* the window is lost: challenged instead */                         \
    X(NONCE, nonce)           /* a challenge's or a session's nonce is not the one awaited */      \
    X(QUEUE_FULL, queue_full) /* the gateway's queue is full */                                    \
    X(SHARE, share)           /* this device's share of the queue is used up */                    \
    X(DISK, disk)             /* the disk is full or failed: nothing was taken */                  \
    X(SESSIONS, sessions)     /* no room for another session */                                    \
    X(PROTOCOL, protocol)     /* well-formed, but not now (MQTT session order) */                  \
    X(DECRYPT, decrypt)       /* signature good, authentication tag of the reading not */          \
    X(LATE, late)             /* a handshake, or a CONNECT, that did not come to its end in time */

enum refusal {
#define REFUSAL_ENUM(NAME, name) REFUSAL_##NAME,
    REFUSAL_LIST(REFUSAL_ENUM)
#undef REFUSAL_ENUM
        REFUSAL_COUNT
};

struct evidence {
    enum evidence_kind kind;
    uint32_t device; /* whom it is about; 0 = no device */
    uint32_t epoch;
    uint64_t counter;
    uint64_t value;
    const uint8_t *body; /* borrowed until the port call returns; NULL where there is none */
    uint32_t body_bytes;
};

#endif
