#include "core/posix/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/crypto/openssl.h"
#include "core/posix/host.h"
#include "core/posix/roles.h"

/* A role that asks for reset after reset gets no more than one life in this time. */
enum { LIFE_US_MIN = 1000000 };

static volatile sig_atomic_t stop;
static int wake_ends[2] = {-1, -1};

struct call {
    bool check, help;
    const char *config; /* NULL: none was given */
    const char *wrong;  /* NULL: nothing */
};

static void on_stop(int number)
{
    const int saved = errno;
    (void)number;
    stop = 1;
    const ssize_t done = write(wake_ends[1], "", 1);
    (void)done; /* the pipe is full: it wakes already */
    errno = saved;
}

static bool catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_stop};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigemptyset(&action.sa_mask);
    (void)sigemptyset(&ignore.sa_mask);
    if (pipe(wake_ends) != 0) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (fcntl(wake_ends[i], F_SETFD, FD_CLOEXEC) != 0 ||
            fcntl(wake_ends[i], F_SETFL, O_NONBLOCK) != 0) {
            return false;
        }
    }
    /* A life that the watchdog began has inherited its mask. */
    return sigaction(SIGTERM, &action, NULL) == 0 && sigaction(SIGINT, &action, NULL) == 0 &&
           sigaction(SIGPIPE, &ignore, NULL) == 0 && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static struct call parse(int argc, char **argv)
{
    struct call call = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            call.help = true;
        } else if (strcmp(argv[i], "--check") == 0) {
            call.check = true;
        } else if (argv[i][0] == '-' || call.config != NULL) {
            call.wrong = argv[i];
        } else {
            call.config = argv[i];
        }
    }
    return call;
}

static void help(enum evidence_role role, FILE *file)
{
    const char *name = evidence_role_name(role);
    fprintf(file,
            "brownout-%s [--check] CONFIG: the %s of a fleet, as a daemon\n\n"
            "  --check    say whether configuration, keys and registries are in order, and end\n"
            "  --help     this text\n\n"
            "CONFIG is a file of `key = value` lines; # begins a comment. Its keys:\n\n",
            name, name);
    daemon_config_help(role, file);
    fprintf(file,
            "\nLogs go to standard error, a line of key=value each. SIGTERM and SIGINT end it in\n"
            "order. Exit codes: 0 stopped, or checked and good; 2 the call, the configuration or\n"
            "the state is wrong; 4 this program failed.\n\n"
            "Example: brownout-%s --check /etc/brownout/%s.conf\n"
            "         (brownout up DIR writes one of each, with keys, and runs them)\n",
            name, name);
}

/* Between lives: what is wrong with a disk or a flash may go away, but not in no time. */
static void rest(uint64_t start_us)
{
    const uint64_t lived_us = host_clock_us() - start_us;
    if (lived_us < LIFE_US_MIN) {
        const uint64_t left_us = LIFE_US_MIN - lived_us;
        struct timespec left = {(time_t)(left_us / 1000000), (long)(left_us % 1000000) * 1000};
        while (stop == 0 && nanosleep(&left, &left) != 0 && errno == EINTR) {
        }
    }
}

static int run(enum evidence_role role, struct daemon_config *config,
               const struct port_crypto *crypto, char *error)
{
    static struct host host;
    const uint64_t start_us = host_clock_us();
    if (!catch_signals()) {
        snprintf(error, CONFIG_ERROR_BYTES, "signals: %s", strerror(errno));
        return DAEMON_FAILED;
    }
    if (!host_open(&host, config, roles_of(role), crypto, error)) {
        return DAEMON_REFUSED;
    }
    const enum host_end end = host_run(&host, wake_ends[0], &stop);
    host_close(&host, end);
    if (end == HOST_RESET) {
        rest(start_us);
        if (stop == 0) {
            host_restart();
            snprintf(error, CONFIG_ERROR_BYTES, "cannot begin anew: %s", strerror(errno));
            return DAEMON_FAILED;
        }
    }
    return DAEMON_STOPPED;
}

int daemon_main(enum evidence_role role, int argc, char **argv)
{
    static struct crypto_openssl openssl;
    static struct daemon_config config;
    struct port_crypto crypto;
    char error[CONFIG_ERROR_BYTES] = "";
    const char *name = evidence_role_name(role);
    const struct call call = parse(argc, argv);
    if (call.help) {
        help(role, stdout);
        return DAEMON_STOPPED;
    }
    if (call.wrong != NULL || call.config == NULL) {
        fprintf(stderr, "brownout-%s: %s%s: call it as brownout-%s [--check] CONFIG, or --help\n",
                name, call.wrong != NULL ? "it knows no " : "which configuration",
                call.wrong != NULL ? call.wrong : "", name);
        return DAEMON_REFUSED;
    }
    if (crypto_openssl_init(&openssl, &crypto) != ERR_OK) {
        fprintf(stderr, "brownout-%s: OpenSSL lacks memory or an algorithm\n", name);
        return DAEMON_FAILED;
    }
    host_restart_with(argv);
    int code = DAEMON_REFUSED;
    if (daemon_config_read(&config, role, call.config, &crypto, error)) {
        code = call.check ? DAEMON_STOPPED : run(role, &config, &crypto, error);
        if (call.check) {
            printf("%s: in order\n", call.config);
        }
    }
    if (error[0] != '\0') {
        fprintf(stderr, "brownout-%s: %s\n", name, error);
    }
    daemon_config_free(&config);
    crypto_openssl_free(&openssl);
    return code;
}
