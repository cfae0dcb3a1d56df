/* Segments on their way: when they leave, when they arrive, and which are lost. */
#include "sim/net_inside.h"

#include "core/check.h"

enum {
    HEADER_BYTES = 40,      /* IPv4 and TCP, of each segment */
    RETRANSMITS_MAX = 16,   /* of a segment; NET_TIMEOUT_US usually ends it before */
    LONG_DELAY_ONE_IN = 64, /* segments that meet a spike of delay */
};

/* Times of a segment: it leaves when the bandwidth is free, each loss costs a retransmission
 * time-out (twice as long each time), and it arrives a delay later, never before its forerunner.
 * Returns false if it is lost until the sender gives up. */
static bool transmit(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                     struct random_stream *draws, struct segment *segment)
{
    const struct profile *profile = link->profile;
    struct stream *stream = &link->ends[side].out;
    uint64_t lost_us = 0, wait_us = profile->retransmit_us;
    uint32_t losses = 0;
    /* A reset that is lost is brought about again by what its receiver sends again. */
    while (segment->kind != SEGMENT_RESET && losses < RETRANSMITS_MAX && lost_us < NET_TIMEOUT_US &&
           random_chance(draws, profile->loss_ppm)) {
        lost_us += wait_us;
        wait_us = wait_us * 2 < NET_TIMEOUT_US ? wait_us * 2 : NET_TIMEOUT_US;
        losses++;
        net->counts.retransmits++;
    }
    stream->free_us =
        profile_depart_us(profile, side == 0, stream->free_us, now_us,
                          segment->size_bytes + HEADER_BYTES, link->offset_ms, stream->share_ppm);
    segment->depart_us = stream->free_us + lost_us;
    segment->arrive_us = segment->depart_us + net_draw_delay(profile, draws) + stream->extra_us;
    if (segment->arrive_us <= now_us) {
        segment->arrive_us = now_us + 1;
    }
    if (losses == RETRANSMITS_MAX || lost_us >= NET_TIMEOUT_US || stream->arrive_us == NEVER) {
        segment->depart_us = NEVER;
        segment->arrive_us = NEVER;
    } else if (segment->arrive_us < stream->arrive_us) {
        segment->arrive_us = stream->arrive_us;
    }
    stream->arrive_us = segment->arrive_us;
    net->counts.segments++;
    return segment->arrive_us != NEVER;
}

void net_send_segment(struct net *net, struct link *link, unsigned side, uint64_t now_us,
                      enum segment_kind kind, const uint8_t *bytes, uint32_t size_bytes)
{
    struct end *end = &link->ends[side];
    struct stream *stream = &end->out;
    struct random_stream draws = net_draws_of(link, side, DRAW_SEGMENT);
    net_show(net, link, side,
             (struct net_tap){
                 .time_us = now_us, .kind = kind, .bytes = bytes, .size_bytes = size_bytes});
    const bool cut = size_bytes > 1 && random_chance(&draws, link->profile->cut_ppm);
    const uint32_t first_bytes =
        cut ? (uint32_t)random_between(&draws, 1, size_bytes - 1) : size_bytes;
    struct segment *segment = segment_push(&net->pool, &stream->line, kind, bytes, first_bytes);
    if (!transmit(net, link, side, now_us, &draws, segment) &&
        now_us + NET_TIMEOUT_US < end->down_us) {
        end->down_us = now_us + NET_TIMEOUT_US;
        end->cause = CAUSE_TIMEOUT;
    }
    if (cut) {
        struct segment *rest = segment_push(&net->pool, &stream->line, kind, bytes + first_bytes,
                                            size_bytes - first_bytes);
        const uint64_t gap_us = 1 + random_below(&draws, link->profile->delay_typical_us + 1);
        rest->depart_us = segment->depart_us;
        rest->arrive_us = segment->arrive_us == NEVER ? NEVER : segment->arrive_us + gap_us;
        stream->arrive_us = rest->arrive_us;
        net->counts.chunk_cuts++;
    }
    stream->queued_bytes += size_bytes;
    stream->doubtful = stream->doubtful || link->ends[1 - side].out.blocked;
    net_watch(net, link, side, now_us);
}

void net_show(const struct net *net, const struct link *link, unsigned side, struct net_tap tap)
{
    if (net->hooks.tap != NULL) {
        tap.link = link->handle;
        tap.from = link->ends[side].node;
        tap.to = link->ends[1 - side].node;
        tap.by_opener = side == 0;
        net->hooks.tap(net->hooks.ctx, &tap);
    }
}

void net_send_reset(struct net *net, struct link *link, unsigned side, uint64_t now_us)
{
    const struct stream *stream = &link->ends[side].out;
    net_drop_unsent(net, link, side, now_us);
    net_end_set(net, &link->ends[side], END_GONE);
    if (stream->line.last == NULL || stream->line.last->kind != SEGMENT_RESET) {
        net_send_segment(net, link, side, now_us, SEGMENT_RESET, NULL, 0);
    }
}

void net_drop_unsent(struct net *net, struct link *link, unsigned side, uint64_t now_us)
{
    struct stream *stream = &link->ends[side].out;
    struct segment_line kept = {0};
    const bool silent = net_is_silent(net, link, side) && stream->held_us != NEVER;
    bool lost = false;
    while (stream->line.first != NULL) {
        const struct segment *first = stream->line.first;
        lost = lost || first->depart_us > now_us || (silent && first->arrive_us > stream->held_us);
        if (!lost || first->kind == SEGMENT_RESET) {
            segment_move(&stream->line, &kept);
        } else {
            net_drop_first(net, stream);
        }
    }
    stream->line = kept;
    stream->arrive_us = kept.last == NULL ? 0 : kept.last->arrive_us;
}

void net_drop_all(struct net *net, struct stream *stream)
{
    while (stream->line.first != NULL) {
        net_drop_first(net, stream);
    }
    stream->arrive_us = 0;
}

void net_drop_first(struct net *net, struct stream *stream)
{
    CHECK(stream->line.first->size_bytes <= stream->queued_bytes);
    stream->queued_bytes -= stream->line.first->size_bytes;
    segment_pop(&net->pool, &stream->line);
}

uint64_t net_head_us(const struct link *link, unsigned side)
{
    const struct stream *stream = &link->ends[side].out;
    const struct segment *first = stream->line.first;
    if (first == NULL || (stream->held_us != NEVER && first->arrive_us > stream->held_us)) {
        return NEVER;
    }
    return first->arrive_us;
}

void net_offer_room(struct link *link, unsigned side, uint64_t now_us)
{
    struct end *end = &link->ends[side];
    if (end->wants_room && end->state == END_OPEN &&
        end->out.queued_bytes <= link->profile->queue_bytes / 2 &&
        link->ends[1 - side].out.held_us == NEVER) {
        struct random_stream draws = net_draws_of(link, side, DRAW_ROOM);
        end->room_us = now_us + net_draw_delay(link->profile, &draws);
        end->wants_room = false;
    }
}

uint64_t net_draw_delay(const struct profile *profile, struct random_stream *draws)
{
    const uint64_t body_us = profile->delay_typical_us - profile->delay_min_us;
    uint64_t delay_us = profile->delay_min_us + random_exponential(draws, body_us);
    if (random_below(draws, LONG_DELAY_ONE_IN) == 0) {
        delay_us +=
            random_exponential(draws, (profile->delay_max_us - profile->delay_typical_us) / 4);
    }
    return delay_us < profile->delay_max_us ? delay_us : profile->delay_max_us;
}

struct random_stream net_draws_of(struct link *link, unsigned side, enum purpose purpose)
{
    const uint64_t ordinal = link->ends[side].out.ordinals[purpose]++;
    if (purpose >= DRAW_INTERLEAVED) { /* one more moves none of the others */
        return (struct random_stream){
            .key = random_at(link->key + (uint64_t)purpose, ordinal * 2 + side)};
    }
    const uint64_t number = (ordinal * DRAW_INTERLEAVED + purpose) * 2 + side;
    return (struct random_stream){.key = random_at(link->key, number)};
}
