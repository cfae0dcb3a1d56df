/* The broker on loopback, for clients that nobody here wrote.
 *   live_broker [-a AUTHORITY -c CERTIFICATE -k KEY [-r REVOKED]] PORT [DATABASE]
 * PORT 0: any; says "port N" once it listens; ends with SIGTERM. With the options links are
 * TLS 1.3, and clients show certificates. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/check.h"
#include "core/limits.h"
#include "core/server/broker.h"
#include "core/test/live/sockets.h"
#include "core/test/test.h"

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}

enum { CLIENTS_MAX = SERVER_SESSIONS_MAX, LINKS_MAX = CLIENTS_MAX + 88 };
_Static_assert(LINKS_MAX > CLIENTS_MAX, "the broker decides who makes place");

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

static void step(void *role, const struct port *port, const struct event *event)
{
    broker_step(role, port, event);
}

int main(int argc, char **argv)
{
    struct sockets sockets;
    struct sockets_options options = {.max = LINKS_MAX, .server = true};
    for (int option; (option = getopt(argc, argv, SOCKETS_OPTIONS)) != -1;) {
        EXPECT(sockets_option(&options, option, optarg));
    }
    const bool durable = argc == optind + 2;
    EXPECT(durable || argc == optind + 1);
    options.port = (uint16_t)strtoul(argv[optind], NULL, 10);
    options.disk_path = durable ? argv[optind + 1] : NULL;
    const struct broker_config config = {.durable = durable,
                                         .connections_max = CLIENTS_MAX,
                                         .sessions_max = CLIENTS_MAX,
                                         .subscriptions_max = 256,
                                         .messages_max = 4096,
                                         .copies_max = 4096,
                                         .retained_max = 64,
                                         .queue_max = 2048,
                                         .session_expiry_max_s = 3600,
                                         .receive_maximum = MQTT_INFLIGHT_MAX};
    EXPECT(signal(SIGTERM, end) != SIG_ERR);
    sockets_open(&sockets, &options);
    struct broker *broker = malloc((size_t)broker_size_bytes(&config));
    EXPECT(broker != NULL);
    broker_init(broker, &config, &sockets.port);
    EXPECT(!sockets.reset);
    printf("port %u\n", sockets_listen(&sockets));
    EXPECT(fflush(stdout) == 0);
    while (!ended && !sockets.reset) {
        sockets_turn(&sockets, broker_deadline_us(broker), broker, step);
    }
    broker_drop(broker);
    free(broker);
    sockets_close(&sockets);
    return sockets.reset ? 1 : 0;
}
