#include "sim/pcapng.h"

#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "sim/plan.h"

enum {
    ETHERNET_BYTES = 14,
    IP_BYTES = 20,
    TCP_BYTES = 20,
    SYN_OPTIONS_BYTES = 8,
    WINDOW = 65535,
    WINDOW_SCALE = 7, /* 8 MB: more than a link's queue, so that no window is ever full */
    LINK_TYPE_ETHERNET = 1,
    TIME_RESOLUTION = 6, /* decimal digits of a second */
    PADDING_MAX = 3,
};

enum { FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_PSH = 8, FLAG_ACK = 16 };

struct pcapng_side {
    uint32_t first;   /* initial sequence number */
    uint32_t sent;    /* sequence numbers used so far */
    uint32_t arrived; /* of them, those that the other end has taken */
    uint64_t last_us; /* of its newest frame: its frames keep their order */
    bool finished;    /* it has sent FIN or RST */
};

struct pcapng_link {
    uint32_t opener, other;
    uint16_t port; /* the opener's */
    struct pcapng_side sides[2];
};

struct pcapng_frame {
    uint64_t time_us;
    uint32_t size_bytes;
    uint8_t bytes[PCAPNG_FRAME_BYTES_MAX];
};

/* ---- blocks ---------------------------------------------------------------------------------- */

static const uint8_t zeros[PADDING_MAX];

static uint32_t padding(uint32_t size_bytes)
{
    return (4 - size_bytes % 4) % 4;
}

/* The file is little-endian, whatever this machine is. */
static void put_16(FILE *file, uint32_t value)
{
    fputc((int)(value & 0xFF), file);
    fputc((int)(value >> 8 & 0xFF), file);
}

static void put_32(FILE *file, uint32_t value)
{
    put_16(file, value & 0xFFFF);
    put_16(file, value >> 16);
}

static void put_padded(FILE *file, const void *bytes, uint32_t size_bytes)
{
    fwrite(bytes, 1, size_bytes, file);
    fwrite(zeros, 1, padding(size_bytes), file);
}

static uint32_t option_bytes(uint32_t size_bytes)
{
    return 4 + size_bytes + padding(size_bytes);
}

static void put_option(FILE *file, uint32_t code, const void *value, uint32_t size_bytes)
{
    put_16(file, code);
    put_16(file, size_bytes);
    put_padded(file, value, size_bytes);
}

static void put_section(FILE *file, const char *title)
{
    static const char application[] = "brownout";
    const uint32_t title_bytes = (uint32_t)strlen(title);
    const uint32_t size_bytes =
        28 + option_bytes(title_bytes) + option_bytes(sizeof application - 1) + 4;
    put_32(file, 0x0A0D0D0A);
    put_32(file, size_bytes);
    put_32(file, 0x1A2B3C4D);
    put_16(file, 1);
    put_16(file, 0);
    put_32(file, UINT32_MAX); /* the section's length: not given */
    put_32(file, UINT32_MAX);
    put_option(file, 1, title, title_bytes);                  /* opt_comment */
    put_option(file, 4, application, sizeof application - 1); /* shb_userappl */
    put_32(file, 0);
    put_32(file, size_bytes);
}

static void put_interface(FILE *file)
{
    static const char name[] = "links";
    static const uint8_t resolution = TIME_RESOLUTION;
    const uint32_t size_bytes = 20 + option_bytes(sizeof name - 1) + option_bytes(1) + 4;
    put_32(file, 1);
    put_32(file, size_bytes);
    put_16(file, LINK_TYPE_ETHERNET);
    put_16(file, 0);
    put_32(file, 0);                            /* frames are whole */
    put_option(file, 2, name, sizeof name - 1); /* if_name */
    put_option(file, 9, &resolution, 1);        /* if_tsresol */
    put_32(file, 0);
    put_32(file, size_bytes);
}

static void address_of(uint32_t node, uint8_t address[4])
{
    address[0] = 10;
    address[1] = (uint8_t)(node >> 16);
    address[2] = (uint8_t)(node >> 8);
    address[3] = (uint8_t)node;
}

static void put_names(FILE *file, const struct settings *settings)
{
    const uint32_t count = fleet_node_count(settings);
    char name[32];
    uint32_t size_bytes = 12 + 4; /* with the record that ends the list */
    for (uint32_t node = 1; node <= count; node++) {
        fleet_node_name(settings, node, name, sizeof name);
        size_bytes += option_bytes(4 + (uint32_t)strlen(name) + 1);
    }
    put_32(file, 4);
    put_32(file, size_bytes);
    for (uint32_t node = 1; node <= count; node++) {
        uint8_t record[4 + sizeof name];
        fleet_node_name(settings, node, name, sizeof name);
        const uint32_t name_bytes = (uint32_t)strlen(name) + 1;
        address_of(node, record);
        memcpy(record + 4, name, name_bytes);
        put_option(file, 1, record, 4 + name_bytes); /* nrb_record_ipv4 */
    }
    put_32(file, 0);
    put_32(file, size_bytes);
}

static void put_frame(struct pcapng *pcapng, const struct pcapng_frame *frame)
{
    FILE *file = pcapng->file;
    const uint32_t size_bytes = 32 + frame->size_bytes + padding(frame->size_bytes);
    put_32(file, 6);
    put_32(file, size_bytes);
    put_32(file, 0); /* interface */
    put_32(file, (uint32_t)(frame->time_us >> 32));
    put_32(file, (uint32_t)frame->time_us);
    put_32(file, frame->size_bytes);
    put_32(file, frame->size_bytes);
    put_padded(file, frame->bytes, frame->size_bytes);
    put_32(file, size_bytes);
    pcapng->frames++;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void big_16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void big_32(uint8_t *at, uint32_t value)
{
    big_16(at, value >> 16);
    big_16(at + 2, value & 0xFFFF);
}

static uint32_t add_words(uint32_t sum, const uint8_t *bytes, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    }
    return sum;
}

/* The Internet checksum (RFC 1071). */
static uint32_t checksum(uint32_t sum)
{
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    return ~sum & 0xFFFF;
}

static void make_ip(uint8_t *ip, uint32_t from, uint32_t to, uint32_t size_bytes, uint32_t number)
{
    ip[0] = 0x45;
    big_16(ip + 2, size_bytes);
    big_16(ip + 4, number & 0xFFFF);
    ip[6] = 0x40; /* do not fragment */
    ip[8] = 64;
    ip[9] = 6; /* TCP */
    address_of(from, ip + 12);
    address_of(to, ip + 16);
    big_16(ip + 10, checksum(add_words(0, ip, IP_BYTES)));
}

static void make_ethernet(uint8_t *ethernet, uint32_t from, uint32_t to)
{
    ethernet[0] = ethernet[6] = 0x02; /* locally administered */
    address_of(to, ethernet + 2);
    address_of(from, ethernet + 8);
    big_16(ethernet + 12, 0x0800);
}

/* At most PROFILE_SEGMENT_BYTES of data. */
static void make_frame(struct pcapng_frame *frame, const struct pcapng_link *link, unsigned side,
                       uint32_t flags, const uint8_t *bytes, uint32_t size_bytes)
{
    const struct pcapng_side *own = &link->sides[side], *peer = &link->sides[1 - side];
    const uint32_t from = side == 0 ? link->opener : link->other;
    const uint32_t to = side == 0 ? link->other : link->opener;
    const uint32_t tcp_bytes = TCP_BYTES + ((flags & FLAG_SYN) != 0 ? SYN_OPTIONS_BYTES : 0);
    uint8_t *ip = frame->bytes + ETHERNET_BYTES, *tcp = ip + IP_BYTES;
    CHECK(size_bytes <= PROFILE_SEGMENT_BYTES);
    memset(frame->bytes, 0, ETHERNET_BYTES + IP_BYTES + TCP_BYTES + SYN_OPTIONS_BYTES);
    make_ethernet(frame->bytes, from, to);
    make_ip(ip, from, to, IP_BYTES + tcp_bytes + size_bytes, own->sent);
    big_16(tcp, side == 0 ? link->port : PCAPNG_PORT);
    big_16(tcp + 2, side == 0 ? PCAPNG_PORT : link->port);
    big_32(tcp + 4, own->first + own->sent);
    if ((flags & FLAG_ACK) != 0) {
        big_32(tcp + 8, peer->first + peer->arrived);
    }
    tcp[12] = (uint8_t)(tcp_bytes / 4 << 4);
    tcp[13] = (uint8_t)flags;
    big_16(tcp + 14, WINDOW);
    if ((flags & FLAG_SYN) != 0) {
        static const uint8_t scale[] = {3, 3, WINDOW_SCALE, 1};
        tcp[20] = 2; /* maximum segment size */
        tcp[21] = 4;
        big_16(tcp + 22, PROFILE_SEGMENT_BYTES);
        memcpy(tcp + 24, scale, sizeof scale);
    }
    if (size_bytes > 0) {
        memcpy(tcp + tcp_bytes, bytes, size_bytes);
    }
    const uint32_t pseudo = add_words(6 + tcp_bytes + size_bytes, ip + 12, 8);
    big_16(tcp + 16, checksum(add_words(pseudo, tcp, tcp_bytes + size_bytes)));
    frame->size_bytes = ETHERNET_BYTES + IP_BYTES + tcp_bytes + size_bytes;
}

/* A frame of this side, and the sequence numbers that it uses up. */
static void emit(struct pcapng *pcapng, struct pcapng_link *link, unsigned side, uint64_t time_us,
                 uint32_t flags, const uint8_t *bytes, uint32_t size_bytes)
{
    struct pcapng_side *own = &link->sides[side];
    if (pcapng->waiting_count == pcapng->waiting_capacity) {
        pcapng->waiting_capacity =
            pcapng->waiting_capacity == 0 ? 16 : pcapng->waiting_capacity * 2;
        pcapng->waiting =
            realloc(pcapng->waiting, pcapng->waiting_capacity * sizeof *pcapng->waiting);
        CHECK(pcapng->waiting != NULL);
    }
    own->last_us = time_us > own->last_us ? time_us : own->last_us;
    /* Behind all that are as old: what was told first stays first. */
    uint32_t at = pcapng->waiting_count++;
    for (; at > 0 && pcapng->waiting[at - 1].time_us > own->last_us; at--) {
        pcapng->waiting[at] = pcapng->waiting[at - 1];
    }
    pcapng->waiting[at].time_us = own->last_us;
    make_frame(&pcapng->waiting[at], link, side, flags, bytes, size_bytes);
    own->sent += size_bytes + ((flags & (FLAG_SYN | FLAG_FIN)) != 0 ? 1 : 0);
    own->finished = own->finished || (flags & (FLAG_FIN | FLAG_RST)) != 0;
}

/* ---- links ----------------------------------------------------------------------------------- */

/* The numbers of a link that is used again, or of the next one on its ports, are far from these. */
static uint32_t first_sequence(uint32_t link, unsigned side)
{
    return link * UINT32_C(2654435761) + side * UINT32_C(0x40000000);
}

static struct pcapng_link *link_open(struct pcapng *pcapng, const struct net_tap *tap)
{
    CHECK(tap->kind == SEGMENT_OPEN && !tap->arrived);
    if ((pcapng->link_count & (pcapng->link_count - 1)) == 0) { /* 0, or a power of two: full */
        const size_t capacity = pcapng->link_count == 0 ? 1 : (size_t)pcapng->link_count * 2;
        pcapng->list = realloc(pcapng->list, capacity * sizeof *pcapng->list);
        CHECK(pcapng->list != NULL);
    }
    struct pcapng_link *link = &pcapng->list[pcapng->link_count];
    memset(link, 0, sizeof *link);
    link->opener = tap->from;
    link->other = tap->to;
    link->port =
        (uint16_t)(PCAPNG_PORT_FIRST + pcapng->opened[tap->from]++ % (65536 - PCAPNG_PORT_FIRST));
    link->sides[0].first = first_sequence(tap->link, 0);
    link->sides[1].first = first_sequence(tap->link, 1);
    map_put(&pcapng->links, tap->link, pcapng->link_count++);
    return link;
}

static void tap_sent(struct pcapng *pcapng, struct pcapng_link *link, unsigned side,
                     const struct net_tap *tap)
{
    uint32_t flags = FLAG_ACK;
    switch (tap->kind) {
    case SEGMENT_OPEN:
        flags = FLAG_SYN;
        break;
    case SEGMENT_ACCEPT:
        link->sides[1 - side].arrived = 1; /* the SYN */
        flags = FLAG_SYN | FLAG_ACK;
        break;
    case SEGMENT_DATA:
        flags = FLAG_PSH | FLAG_ACK;
        break;
    case SEGMENT_CLOSE:
        flags = FLAG_FIN | FLAG_ACK;
        break;
    case SEGMENT_RESET:
        if (link->sides[side].sent == 0) { /* refused; RFC 9293, 3.10.7.1 */
            link->sides[side].first = 0;
            link->sides[1 - side].arrived = 1;
        }
        flags = FLAG_RST | FLAG_ACK;
        break;
    }
    emit(pcapng, link, side, tap->time_us, flags, tap->bytes, tap->size_bytes);
}

/* side: of who sent it; the other one has taken it. */
static void tap_arrived(struct pcapng *pcapng, struct pcapng_link *link, unsigned side,
                        const struct net_tap *tap)
{
    const bool close = tap->kind == SEGMENT_CLOSE;
    if (tap->kind == SEGMENT_RESET) {
        return;
    }
    link->sides[side].arrived += tap->kind == SEGMENT_DATA ? tap->size_bytes : 1;
    emit(pcapng, link, 1 - side, tap->time_us,
         close && !link->sides[1 - side].finished ? FLAG_FIN | FLAG_ACK : FLAG_ACK, NULL, 0);
}

void pcapng_tap(struct pcapng *pcapng, const struct net_tap *tap)
{
    const uint32_t index = map_find(&pcapng->links, tap->link);
    struct pcapng_link *link = index == MAP_NONE ? link_open(pcapng, tap) : &pcapng->list[index];
    const unsigned side = tap->by_opener ? 0 : 1;
    if (tap->arrived) {
        tap_arrived(pcapng, link, side, tap);
    } else {
        tap_sent(pcapng, link, side, tap);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void pcapng_open(struct pcapng *pcapng, FILE *file, const struct settings *settings,
                 const char *title)
{
    const uint32_t count = fleet_node_count(settings);
    CHECK(count <= PCAPNG_NODES_MAX);
    memset(pcapng, 0, sizeof *pcapng);
    pcapng->file = file;
    pcapng->opened = calloc((size_t)count + 1, sizeof *pcapng->opened);
    CHECK(pcapng->opened != NULL);
    map_init(&pcapng->links);
    put_section(file, title);
    put_interface(file);
    put_names(file, settings);
}

void pcapng_advance(struct pcapng *pcapng, uint64_t now_us)
{
    uint32_t written = 0;
    while (written < pcapng->waiting_count && pcapng->waiting[written].time_us < now_us) {
        put_frame(pcapng, &pcapng->waiting[written++]);
    }
    if (written > 0) {
        pcapng->waiting_count -= written;
        memmove(pcapng->waiting, pcapng->waiting + written,
                pcapng->waiting_count * sizeof *pcapng->waiting);
    }
}

void pcapng_close(struct pcapng *pcapng)
{
    pcapng_advance(pcapng, UINT64_MAX);
    map_free(&pcapng->links);
    free(pcapng->list);
    free(pcapng->opened);
    free(pcapng->waiting);
    pcapng->list = NULL;
    pcapng->opened = NULL;
    pcapng->waiting = NULL;
}
