/* The broker on loopback, for clients that nobody here wrote.
 *   live_broker PORT [DATABASE]    PORT 0: any; says "port N" once it listens; ends with SIGTERM */
#include <signal.h>
#include <stdlib.h>

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
    EXPECT(argc == 2 || argc == 3);
    _Static_assert(SOCKETS_MAX > SERVER_SESSIONS_MAX, "the broker decides who makes place");
    const uint32_t clients = SERVER_SESSIONS_MAX;
    const struct broker_config config = {.durable = argc == 3,
                                         .connections_max = clients,
                                         .sessions_max = clients,
                                         .subscriptions_max = 256,
                                         .messages_max = 4096,
                                         .copies_max = 4096,
                                         .retained_max = 64,
                                         .queue_max = 2048,
                                         .session_expiry_max_s = 3600,
                                         .receive_maximum = MQTT_INFLIGHT_MAX};
    EXPECT(signal(SIGTERM, end) != SIG_ERR);
    sockets_init(&sockets, 0, argc == 3 ? argv[2] : NULL);
    struct broker *broker = malloc((size_t)broker_size_bytes(&config));
    EXPECT(broker != NULL);
    broker_init(broker, &config, &sockets.port);
    EXPECT(!sockets.reset);
    printf("port %u\n", sockets_listen(&sockets, (uint16_t)strtoul(argv[1], NULL, 10)));
    EXPECT(fflush(stdout) == 0);
    while (!ended && !sockets.reset) {
        sockets_turn(&sockets, broker_deadline_us(broker), broker, step);
    }
    broker_drop(broker);
    free(broker);
    return sockets.reset ? 1 : 0;
}
