/* A port for tests of roles without a simulator: links end in buffers that the test moves, time is
 * the test's, crypto is a stand-in that only a test could mistake for one (whoever knows a public
 * key can sign), and all evidence is kept. No flash, no counters, no retained RAM. */
#ifndef BROWNOUT_TEST_FAKE_PORT_H
#define BROWNOUT_TEST_FAKE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/evidence.h"
#include "core/limits.h"
#include "core/port.h"
#include "core/test/fake_disk.h"

enum {
    FAKE_LINKS_MAX = 600, /* handles are never used twice */
    FAKE_EVIDENCE_MAX = 4096,
    FAKE_PIPE_BYTES = 32768,
};

struct fake_link {
    bool open;
    uint32_t peer;
    uint32_t size_bytes; /* sent, and not yet moved by the test */
    uint8_t *bytes;
};

struct fake_evidence {
    struct evidence said; /* body points to the copy here */
    uint8_t body[MQTT_PACKET_BYTES_MAX];
};

struct fake_port {
    struct port port;
    uint64_t now_us;
    uint64_t wall_us; /* wall clock at now_us 0; 0: there is none */
    uint64_t entropy;
    bool entropy_fails;
    uint32_t resets;
    uint64_t watchdog_us;
    uint32_t unsynced_sends; /* bytes that left while the disk held back others */
    struct fake_disk *disk;  /* may be NULL */
    uint32_t link_count;     /* handle = index + 1 */
    struct fake_link links[FAKE_LINKS_MAX];
    uint32_t evidence_count;
    struct fake_evidence *evidence;
};

void fake_port_init(struct fake_port *fake, struct fake_disk *disk, const char *path);
void fake_port_drop(struct fake_port *fake);

/* A peer has opened a link: its handle. */
uint32_t fake_port_accept(struct fake_port *fake, uint32_t peer);
struct fake_link *fake_port_link(struct fake_port *fake, uint32_t link);

/* The newest evidence of this kind, or NULL; and how many there are. */
const struct evidence *fake_port_last(const struct fake_port *fake, enum evidence_kind kind);
uint32_t fake_port_count(const struct fake_port *fake, enum evidence_kind kind);
/* Evidence of this kind with this value. */
uint32_t fake_port_count_value(const struct fake_port *fake, enum evidence_kind kind,
                               uint64_t value);

/* The key pair of a number. */
void fake_keys(uint32_t number, struct key_pair *pair);

#endif
