#include "bench/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 512, TRIES = 200, TRY_NS = 50000000 };

static const char *const mosquittos[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto",
                                         "/usr/bin/mosquitto", "/opt/homebrew/sbin/mosquitto"};

static void rest(void)
{
    nanosleep(&(struct timespec){0, TRY_NS}, NULL);
}

__attribute__((format(printf, 4, 5))) static bool write_file(const char *folder, const char *name,
                                                             mode_t mode, const char *format, ...)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (file < 0) {
        perror(path);
        return false;
    }
    va_list rest_of;
    va_start(rest_of, format);
    const bool good = vdprintf(file, format, rest_of) >= 0;
    va_end(rest_of);
    return close(file) == 0 && good;
}

/* Start argv with its words in the file `log` of the folder. */
static bool start(struct server *server, const char *folder, char *const argv[])
{
    char log[PATH_BYTES];
    snprintf(server->folder, sizeof server->folder, "%s", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    server->process = fork();
    if (server->process == 0) {
        const int file = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (file >= 0 && dup2(file, STDOUT_FILENO) >= 0 && dup2(file, STDERR_FILENO) >= 0) {
            (void)execv(argv[0], argv);
        }
        _exit(127);
    }
    return server->process > 0;
}

/* Where the log says "broker ... port=N". */
static uint16_t told_port(const struct server *server)
{
    char path[PATH_BYTES], text[4096];
    snprintf(path, sizeof path, "%s/log", server->folder);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    const size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    const char *at = strstr(text, "event=broker");
    unsigned port = 0;
    return at != NULL && strchr(at, '\n') != NULL && (at = strstr(at, "port=")) != NULL &&
                   sscanf(at, "port=%u", &port) == 1
               ? (uint16_t)port
               : 0;
}

static bool listens(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int file = socket(AF_INET, SOCK_STREAM, 0);
    const bool good = port != 0 && file >= 0 &&
                      connect(file, (const struct sockaddr *)&address, sizeof address) == 0;
    if (file >= 0) {
        (void)close(file);
    }
    return good;
}

/* The daemon lies beside the folder of the benchmarks. */
static bool daemon_path(char path[PATH_BYTES])
{
    const ssize_t size = readlink("/proc/self/exe", path, PATH_BYTES - 32);
    if (size <= 0) {
        return false;
    }
    path[size] = '\0';
    char *slash = strrchr(path, '/');
    strcpy(slash, "/../brownout-gateway");
    return access(path, X_OK) == 0;
}

bool server_gateway(struct server *server, const char *folder, uint32_t clients, bool durable)
{
    char path[PATH_BYTES], conf[PATH_BYTES];
    static const char key[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    memset(server, 0, sizeof *server);
    if (!daemon_path(path)) {
        fprintf(stderr, "bench: there is no %s: build brownout-gateway first\n", path);
        return false;
    }
    snprintf(conf, sizeof conf, "%s/gateway.conf", folder);
    if (!write_file(folder, "keys", 0600, "seed = %s\n", key) ||
        !write_file(folder, "devices", 0600, "7 %s\n", key) ||
        !write_file(folder, "gateway.conf", 0600,
                    "id = 2\nstate = state\nkeys = keys\ndevices = devices\n"
                    "listen = 127.0.0.1:0\ncloud = 1 127.0.0.1:9\n"
                    "backoff_base = 1h\nbackoff_cap = 1h\n" /* nobody is there */
                    "metrics = metrics\nmetrics_every = 200ms\n"
                    "broker_listen = 127.0.0.1:0\nbroker_durable = %d\n"
                    "broker_connections = %u\nbroker_sessions = %u\n"
                    "broker_subscriptions = %u\nbroker_messages = 4096\nbroker_copies = 4096\n",
                    durable, clients + 8, clients + 8, clients + 8)) {
        return false;
    }
    char *const argv[] = {path, conf, NULL};
    if (!start(server, folder, argv)) {
        return false;
    }
    for (int i = 0; i < TRIES && !listens(server->port); i++) { /* its databases are made first */
        server->port = told_port(server);
        rest();
    }
    if (!listens(server->port)) {
        fprintf(stderr, "bench: the gateway does not listen: see %s/log\n", folder);
        server_stop(server);
        return false;
    }
    return true;
}

static const char *mosquitto_path(void)
{
    for (size_t i = 0; i < sizeof mosquittos / sizeof mosquittos[0]; i++) {
        if (access(mosquittos[i], X_OK) == 0) {
            return mosquittos[i];
        }
    }
    return NULL;
}

bool server_has_mosquitto(void)
{
    return mosquitto_path() != NULL;
}

/* One that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int file = socket(AF_INET, SOCK_STREAM, 0);
    const bool good = file >= 0 && bind(file, (struct sockaddr *)&address, size) == 0 &&
                      getsockname(file, (struct sockaddr *)&address, &size) == 0;
    if (file >= 0) {
        (void)close(file);
    }
    return good ? ntohs(address.sin_port) : 0;
}

bool server_mosquitto(struct server *server, const char *folder)
{
    char path[PATH_BYTES], conf[PATH_BYTES], option[] = "-c";
    memset(server, 0, sizeof *server);
    server->port = free_port();
    if (mosquitto_path() == NULL || server->port == 0) {
        return false;
    }
    snprintf(path, sizeof path, "%s", mosquitto_path());
    snprintf(conf, sizeof conf, "%s/mosquitto.conf", folder);
    /* As little beside the messages as it can be asked for. */
    if (!write_file(folder, "mosquitto.conf", 0644,
                    "listener %u 127.0.0.1\nallow_anonymous true\npersistence false\n"
                    "log_type error\nlog_dest stderr\nsys_interval 0\nset_tcp_nodelay true\n"
                    "max_connections -1\nconnection_messages false\n%s",
                    server->port, geteuid() == 0 ? "user root\n" : "")) {
        return false;
    }
    char *const argv[] = {path, option, conf, NULL};
    if (!start(server, folder, argv)) {
        return false;
    }
    for (int i = 0; i < TRIES && !listens(server->port); i++) {
        rest();
    }
    if (!listens(server->port)) {
        fprintf(stderr, "bench: mosquitto does not listen: see %s/log\n", folder);
        server_stop(server);
        return false;
    }
    return true;
}

void server_stop(struct server *server)
{
    if (server->process > 0) {
        (void)kill(server->process, SIGTERM);
        (void)waitpid(server->process, NULL, 0);
    }
    server->process = 0;
}

double server_metric(const struct server *server, const char *name)
{
    char path[PATH_BYTES], line[512];
    double value = 0;
    struct stat before, now;
    snprintf(path, sizeof path, "%s/metrics", server->folder);
    const bool there = stat(path, &before) == 0;
    for (int i = 0; i < TRIES; i++) { /* a new file each time */
        if (stat(path, &now) == 0 && (!there || now.st_ino != before.st_ino)) {
            break;
        }
        rest();
    }
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == '{') {
            value = strtod(strchr(line, '}') + 1, NULL);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return value;
}
