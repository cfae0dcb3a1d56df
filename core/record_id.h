/* Whose is which record of the application's store: one list, so that no two meet. */
#ifndef BROWNOUT_CORE_RECORD_ID_H
#define BROWNOUT_CORE_RECORD_ID_H

#include <stdint.h>

/* update.c: what of a download is durable. */
#define RECORD_PROGRESS UINT64_C(1)

/* vault.c: the key pair in force, the one that is to follow, and the policy. */
#define RECORD_KEY      UINT64_C(2)
#define RECORD_KEY_NEXT UINT64_C(3)
#define RECORD_POLICY   UINT64_C(4)

/* outbox.c: its state, and its readings, each with the number of its slot added. */
#define RECORD_STATE   (UINT64_C(1) << 56)
#define RECORD_READING (UINT64_C(2) << 56)

/* What all records but those of the outbox may take, frames apart: the outbox keeps it free. */
enum { RECORD_OTHERS = 4, RECORD_OTHERS_BYTES_MAX = 64 };

#endif
