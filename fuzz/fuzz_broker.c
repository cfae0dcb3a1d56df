/* MQTT 5 sessions against the broker (broker_world.h).
 * Input: one byte, the size of pieces in the second life; then acts.
 * Required: each PUBLISH of QoS 1 and 2 and each PUBREL has exactly the answer that it is owed, in
 * order; no packet identifier is used again while it is in flight; a message of QoS 2 is delivered
 * once, whatever links do, one of QoS 1 again only where its connection broke; nothing reaches
 * who has not asked for it; in the end all that is owed has come; and all of that is, byte by byte,
 * the same when packets come in pieces. */
#include <stdlib.h>

#include "fuzz/broker_world.h"

enum { ACTS_MAX = 200 };

static uint64_t live(struct broker_world *world, void *memory, const uint8_t *data,
                     size_t size_bytes, bool durable, uint32_t piece_bytes)
{
    struct fuzz_input input = {data, size_bytes};
    broker_world_init(world, memory, durable, piece_bytes);
    for (int acts = 0; acts < ACTS_MAX && input.size_bytes > 0; acts++) {
        broker_world_act(world, &input);
    }
    broker_world_settle(world);
    broker_world_drop(world);
    return world->digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct broker_world *world;
    static void *memory;
    if (size_bytes < 2) {
        return 0;
    }
    if (world == NULL) {
        world = malloc(sizeof *world);
        memory = malloc((size_t)broker_world_bytes());
        REQUIRE(world != NULL && memory != NULL);
    }
    const bool durable = (data[0] & 8) != 0;
    const uint64_t whole = live(world, memory, data + 1, size_bytes - 1, durable, 0);
    REQUIRE(live(world, memory, data + 1, size_bytes - 1, durable, 1 + data[0] % 8) == whole);
    return 0;
}
