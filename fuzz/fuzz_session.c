/* The fleet's own connection: a device's client (client.h) and a gateway's session (session.h),
 * joined by a link that the input moves, fills, breaks and lies on.
 * Input: one byte, the size of pieces in the second life; one byte of choices for both roles; then
 * acts (session_world.h). Required: what is sent is well-formed and nothing follows a close; each
 * message arrives as it was published, once, in order; PUBACK comes back for what the other side
 * took and answered, with its reason, in that order, and for nothing else; no more is in flight
 * than was allowed; nobody is ready without the device's own signature over this connection's
 * nonce; who keeps to the protocol is not sent away while its link works; in the end all that is
 * owed has come; and all of that is, byte by byte, the same when bytes come in pieces. */
#include "fuzz/session_world.h"

enum { ACTS_MAX = 150 };

static uint64_t live(const uint8_t *data, size_t size_bytes, uint32_t piece_bytes)
{
    struct fuzz_input input = {data, size_bytes};
    session_world_init(fuzz_byte(&input), piece_bytes);
    for (int acts = 0; acts < ACTS_MAX && input.size_bytes > 0; acts++) {
        session_world_act(&input);
    }
    return session_world_settle();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes < 3) {
        return 0;
    }
    const uint64_t whole = live(data + 1, size_bytes - 1, 0);
    REQUIRE(live(data + 1, size_bytes - 1, 1 + data[0] % 8) == whole);
    return 0;
}
