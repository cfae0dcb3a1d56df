#include "core/posix/host_port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/check.h"
#include "core/posix/whole_file.h"

enum { SECOND_US = 1000000, SENSOR_BYTES_MAX = 4096 };

static enum err port_clock_read(void *ctx, struct clock_reading *now)
{
    const struct host *host = ctx;
    struct timespec wall;
    CHECK(clock_gettime(CLOCK_REALTIME, &wall) == 0);
    now->monotonic_us = host_clock_us() - host->start_us;
    now->wall_us =
        wall.tv_sec < 0 ? 0 : (uint64_t)wall.tv_sec * SECOND_US + (uint64_t)wall.tv_nsec / 1000;
    return ERR_OK;
}

static enum err port_link_open(void *ctx, uint32_t peer, uint32_t *link)
{
    struct host *host = ctx;
    const enum err err = links_connect(&host->links, peer, host_clock_us(), link);
    if (err == ERR_OK) {
        host_word(host, &(struct evidence_line){.kind = EVIDENCE_WORD_LINK, .value = peer});
    }
    return err;
}

static int32_t port_link_send(void *ctx, uint32_t link, const uint8_t *bytes, uint32_t size_bytes)
{
    struct host *host = ctx;
    if (host->role->ahead != NULL && host->log.file >= 0) {
        host->role->ahead(host, EVIDENCE_SEND); /* before the first byte of it leaves */
    }
    return links_send(&host->links, link, bytes, size_bytes);
}

static void port_link_close(void *ctx, uint32_t link)
{
    struct host *host = ctx;
    links_close(&host->links, link, host_clock_us());
}

static enum err port_flash_read(void *ctx, uint32_t offset, uint8_t *bytes, uint32_t size_bytes)
{
    struct host *host = ctx;
    return flash_file_read(&host->flash, offset, bytes, size_bytes);
}

static enum err port_flash_program(void *ctx, uint32_t offset, const uint8_t *bytes,
                                   uint32_t size_bytes)
{
    struct host *host = ctx;
    return flash_file_program(&host->flash, offset, bytes, size_bytes);
}

static enum err port_flash_erase(void *ctx, uint32_t offset)
{
    struct host *host = ctx;
    return flash_file_erase(&host->flash, offset);
}

static enum err port_flash_sync(void *ctx)
{
    struct host *host = ctx;
    return flash_file_sync(&host->flash);
}

static enum err port_entropy(void *ctx, uint8_t *bytes, uint32_t size_bytes)
{
    uint32_t done = 0;
    (void)ctx;
    while (done < size_bytes) {
        const ssize_t got = getrandom(bytes + done, size_bytes - done, GRND_NONBLOCK);
        if (got < 0 && errno != EINTR) {
            return ERR_IO; /* none yet */
        }
        done += got > 0 ? (uint32_t)got : 0;
    }
    return ERR_OK;
}

static enum err port_counter_read(void *ctx, enum port_counter counter, uint64_t *value)
{
    const struct host *host = ctx;
    CHECK(counter < COUNTER_COUNT);
    *value = host->state.counters[counter];
    return ERR_OK;
}

static enum err port_counter_increment(void *ctx, enum port_counter counter)
{
    struct host *host = ctx;
    CHECK(counter < COUNTER_COUNT);
    return state_increment(&host->state, counter);
}

static enum err port_retained_read(void *ctx, uint8_t bytes[RETAINED_BYTES])
{
    const struct host *host = ctx;
    memcpy(bytes, host->state.retained, RETAINED_BYTES);
    return ERR_OK;
}

static enum err port_retained_write(void *ctx, const uint8_t bytes[RETAINED_BYTES])
{
    struct host *host = ctx;
    return state_retain(&host->state, bytes);
}

static void arm(struct host *host, uint64_t timeout_us)
{
    struct itimerspec when = {
        .it_value = {(time_t)(timeout_us / SECOND_US), (long)(timeout_us % SECOND_US) * 1000}};
    if (host->has_timer) {
        (void)timer_settime(host->timer, 0, &when, NULL);
    }
}

static void port_watchdog_arm(void *ctx, uint64_t timeout_us)
{
    arm(ctx, timeout_us);
}

void host_port_disarm(struct host *host)
{
    arm(host, 0);
    if (host->has_timer) {
        (void)timer_delete(host->timer);
    }
    host->has_timer = false;
}

static enum reset_reason port_reset_reason(void *ctx)
{
    const struct host *host = ctx;
    return host->state.reason;
}

static void port_reset(void *ctx)
{
    struct host *host = ctx;
    host->reset_asked = true;
}

/* The first whole number in the file, wherever it stands; what does not fit is the nearest. */
static enum err port_sensor_read(void *ctx, uint32_t sensor, int32_t *value)
{
    struct host *host = ctx;
    char text[SENSOR_BYTES_MAX];
    (void)sensor;
    if (!whole_read(AT_FDCWD, host->config->path[CONFIG_sensor], text, sizeof text, NULL)) {
        return ERR_IO;
    }
    const char *digits = strpbrk(text, "0123456789");
    if (digits == NULL) {
        return ERR_CORRUPT;
    }
    const char *from = digits > text && digits[-1] == '-' ? digits - 1 : digits;
    const long long number = strtoll(from, NULL, 10);
    *value = number > INT32_MAX ? INT32_MAX : number < INT32_MIN ? INT32_MIN : (int32_t)number;
    return ERR_OK;
}

static enum err port_actuator_set(void *ctx, uint32_t actuator, int32_t value)
{
    (void)ctx;
    (void)actuator;
    (void)value;
    return ERR_NOT_FOUND;
}

static void count(struct host *host, const struct evidence *evidence)
{
    const uint64_t why = evidence->value < REFUSAL_COUNT ? evidence->value : REFUSAL_NONE;
    host->counts.evidence[evidence->kind]++;
    if (evidence->kind == EVIDENCE_REFUSE) {
        host->counts.refused[why]++;
    } else if (evidence->kind == EVIDENCE_REJECT) {
        host->counts.rejected[why]++;
    } else if (evidence->kind == EVIDENCE_DROP) {
        host->counts.dropped[why]++;
    }
}

/* A word about somebody who has not said who he is: no law asks for it, and there is no end of such
 * peers, as there is of the log. (A REFUSE of nobody's for its disk takes words of others back.) */
static bool of_strangers(const struct evidence *evidence)
{
    return evidence->device == 0 && evidence->value != REFUSAL_DISK &&
           (evidence->kind == EVIDENCE_DROP || evidence->kind == EVIDENCE_REFUSE);
}

/* More of them than the log takes in a second. */
static bool is_spared(struct host *host, const struct evidence *evidence)
{
    const uint64_t second = host->step_us / 1000000u;
    if (!of_strangers(evidence)) {
        return false;
    }
    if (second != host->strangers_second) {
        host->strangers_second = second;
        host->strangers = 0;
    }
    host->strangers++;
    host->counts.spared += host->strangers > HOST_STRANGERS_A_SECOND;
    return host->strangers > HOST_STRANGERS_A_SECOND;
}

static void port_evidence(void *ctx, const struct evidence *evidence)
{
    struct host *host = ctx;
    CHECK(evidence->kind < EVIDENCE_COUNT);
    count(host, evidence);
    if (host->log.file < 0 || is_spared(host, evidence)) {
        return;
    }
    struct evidence_line line = {.kind = evidence->kind,
                                 .device = evidence->device,
                                 .epoch = evidence->epoch,
                                 .counter = evidence->counter,
                                 .value = evidence->value};
    if (host->role->ahead != NULL) {
        host->role->ahead(host, evidence->kind);
    }
    if (evidence->body != NULL && evidence_body(&host->port.crypto, evidence->body,
                                                evidence->body_bytes, line.body) != ERR_OK) {
        host->log.failures++;
        return;
    }
    host_word(host, &line);
}

void host_port(struct host *host, const struct port_crypto *crypto)
{
    struct sigaction action = {.sa_handler = host_port_bite};
    struct sigevent signal = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    (void)sigemptyset(&action.sa_mask);
    host->has_timer = sigaction(SIGALRM, &action, NULL) == 0 &&
                      timer_create(CLOCK_MONOTONIC, &signal, &host->timer) == 0;
    host->port = (struct port){
        .ctx = host,
        .clock_read = port_clock_read,
        .link_open = port_link_open,
        .link_send = port_link_send,
        .link_close = port_link_close,
        .flash = host->role->disk == NULL ? host->config->flash : (struct flash_geometry){0},
        .flash_read = port_flash_read,
        .flash_program = port_flash_program,
        .flash_erase = port_flash_erase,
        .flash_sync = port_flash_sync,
        .disk_vfs = "unix",
        .disk_path = host->disk_path,
        .entropy = port_entropy,
        .crypto = *crypto,
        .counter_read = port_counter_read,
        .counter_increment = port_counter_increment,
        .retained_read = port_retained_read,
        .retained_write = port_retained_write,
        .watchdog_arm = port_watchdog_arm,
        .reset_reason = port_reset_reason,
        .reset = port_reset,
        .sensor_read = port_sensor_read,
        .actuator_set = port_actuator_set,
        .evidence = port_evidence,
    };
}
