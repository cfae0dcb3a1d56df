/* The world's errors: one enum for all of core, each answer must be used.
 * Three kinds of wrong are kept apart: the programmer's (check.h), the world's (this header), and
 * the peer's (hostile bytes: a counted, evidenced drop).
 */
#ifndef BROWNOUT_CORE_ERR_H
#define BROWNOUT_CORE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))

/*      name         value  what it means */
#define ERR_LIST(X)                                                                                \
    X(OK, 0)         /* done */                                                                    \
    X(IO, -1)        /* the medium failed, or the power is gone: nothing more can be done */       \
    X(FULL, -2)      /* a bound of limits.h or of the configuration is reached */                  \
    X(NOT_FOUND, -3) /* no such record, row or key */                                              \
    X(CORRUPT, -4)   /* stored bytes fail their checksum or their form */                          \
    X(MALFORMED, -5) /* a peer's bytes break the rules of their format */                          \
    X(SIGNATURE, -6) /* a signature or an authentication tag does not verify */                    \
    X(RANGE, -7)     /* a value is outside what its field or the caller's buffer can hold */       \
    X(CLOSED, -8)    /* the link is gone */                                                        \
    X(DENIED, -9)    /* verified, and still not allowed */

#define ERR_ENUM(name, value) ERR_##name = (value),
enum err { ERR_LIST(ERR_ENUM) };
#undef ERR_ENUM

/* The name of an error without its prefix, for people; "?" for a number that is none. */
const char *err_name(enum err err);

#endif
