#include "sim/lane.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/setting.h"
#include "sim/status.h"

enum { SAID_BYTES = 320, LOOK_MS = 100 /* how often at its memory */ };

/* What goes over the socket; the plan's text, the items and the keys of coverage follow. Both ends
 * are one program. */
struct message {
    uint64_t plan_bytes; /* with its terminating zero; 0: none */
    uint64_t item_first, item_count;
    struct run_result result; /* without its pointers */
};

/* The other way: the number of a job, and how many bytes of text follow (0: there is none). */
struct order {
    uint64_t job, text_bytes;
};

static uint64_t key_count(const struct message *message)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < COVERAGE_KIND_COUNT; i++) {
        count += message->result.coverage[i].count;
    }
    return count;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool write_all(int file, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        const ssize_t written = write(file, at, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        at += written;
        size -= (size_t)written;
    }
    return true;
}

static bool read_all(int file, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size > 0) {
        const ssize_t got = read(file, at, size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

struct bytes {
    uint8_t *at;
    size_t size, capacity;
};

static bool bytes_read(struct bytes *bytes, int file)
{
    if (bytes->capacity - bytes->size < 65536) {
        bytes->capacity = bytes->capacity * 2 + 131072;
        bytes->at = realloc(bytes->at, bytes->capacity);
        CHECK(bytes->at != NULL);
    }
    const ssize_t got = read(file, bytes->at + bytes->size, bytes->capacity - bytes->size);
    if (got > 0) {
        bytes->size += (size_t)got;
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

/* ---- the child: one job ---------------------------------------------------------------------- */

static void write_item(void *ctx, const struct world_item *item)
{
    fwrite(item, sizeof *item, 1, ctx);
}

static uint64_t peak_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static _Noreturn void child(const struct lane_work *work, uint64_t job, const char *text, int out,
                            int said)
{
    struct run_request request;
    struct witness witness;
    static struct message message;
    /* What it prints is no result; it is told if the child dies. */
    dup2(said, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    run_request_init(&request);
    work->request(work->ctx, job, text, &request);
    if (work->live != NULL) {
        work->live(work->ctx, &request, &witness);
    } else {
        witness_run(&request, &witness);
    }
    message.result = witness.result;
    message.result.memory_bytes = peak_bytes();
    message.result.plan.entries = NULL;
    message.result.plan.entry_count = message.result.plan.entry_capacity = 0;
    for (unsigned i = 0; i < COVERAGE_KIND_COUNT; i++) {
        message.result.coverage[i].keys = NULL;
    }
    message.plan_bytes = witness.plan == NULL ? 0 : strlen(witness.plan) + 1;
    message.item_count = trace_kept(&witness.trace);
    message.item_first = witness.trace.count - message.item_count;
    FILE *file = fdopen(out, "wb");
    CHECK(file != NULL);
    fwrite(&message, sizeof message, 1, file);
    if (message.plan_bytes > 0) {
        fwrite(witness.plan, message.plan_bytes, 1, file);
    }
    (void)trace_each(&witness.trace, write_item, file);
    for (unsigned i = 0; i < COVERAGE_KIND_COUNT; i++) {
        const struct coverage_set *set = &witness.result.coverage[i];
        if (set->count > 0) {
            fwrite(set->keys, sizeof *set->keys, set->count, file);
        }
    }
    _exit(fclose(file) == 0 ? 0 : VERDICT_HARNESS);
}

/* ---- the lane: one child after the other ------------------------------------------------------
 */

static const char *signal_name(int number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGSEGV, "SIGSEGV"}, {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},
                 {SIGFPE, "SIGFPE"},   {SIGILL, "SIGILL"},   {SIGKILL, "SIGKILL"},
                 {SIGTERM, "SIGTERM"}, {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"}};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    return "a signal";
}

/* The first of what the child said before it died, on one line. */
static void read_said(int said, char text[SAID_BYTES])
{
    const ssize_t size = pread(said, text, SAID_BYTES - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ') {
            *at = ' ';
        }
    }
}

static void explain_death(const struct lane_work *work, enum run_ending ending, int status,
                          int said, struct run_result *result)
{
    char text[SAID_BYTES], limit[40];
    read_said(said, text);
    result->ending = ending;
    result->verdict = ending == RUN_CRASHED ? VERDICT_HARNESS : VERDICT_UNKNOWN;
    if (ending == RUN_LATE) {
        duration_print(work->timeout_us, limit, sizeof limit);
        snprintf(result->message, sizeof result->message, "no end after %s of wall time", limit);
    } else if (ending == RUN_MEMORY) {
        snprintf(result->message, sizeof result->message, "more than %" PRIu64 " MB of memory",
                 work->memory_bytes / 1000000);
    } else if (ending == RUN_KILLED) {
        snprintf(result->message, sizeof result->message,
                 "killed by SIGKILL, as the system does where memory runs out");
    } else if (WIFSIGNALED(status)) {
        snprintf(result->message, sizeof result->message, "died of %s%s%s",
                 signal_name(WTERMSIG(status)), text[0] == '\0' ? "" : ": ", text);
    } else {
        snprintf(result->message, sizeof result->message, "ended with exit code %d%s%s",
                 WIFEXITED(status) ? WEXITSTATUS(status) : -1, text[0] == '\0' ? "" : ": ", text);
    }
}

static bool is_whole(const struct bytes *bytes)
{
    struct message message;
    if (bytes->size < sizeof message) {
        return false;
    }
    memcpy(&message, bytes->at, sizeof message);
    return bytes->size == sizeof message + message.plan_bytes +
                              message.item_count * sizeof(struct world_item) +
                              key_count(&message) * sizeof(uint64_t);
}

/* Of a process that lives; 0: not known. */
static uint64_t resident_bytes(pid_t pid)
{
    char path[64];
    unsigned long long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%*u %llu", &pages) != 1) {
        pages = 0;
    }
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Read what the child writes until it closes: WHOLE, though it may not be. LATE, MEMORY: it is
 * still there, and took too much. Ends this process if the parent is gone. */
static enum run_ending listen_to(const struct lane_work *work, int in, int parent, pid_t pid,
                                 struct bytes *bytes)
{
    const uint64_t start_us = status_wall_us();
    for (;;) {
        struct pollfd files[2] = {{in, POLLIN, 0}, {parent, POLLIN, 0}};
        const uint64_t elapsed_us = status_wall_us() - start_us;
        int wait_ms = work->memory_bytes != 0 ? LOOK_MS : -1;
        if (work->timeout_us != 0 && elapsed_us >= work->timeout_us) {
            return RUN_LATE;
        }
        if (work->memory_bytes != 0 && resident_bytes(pid) > work->memory_bytes) {
            return RUN_MEMORY;
        }
        if (work->timeout_us != 0 && wait_ms < 0) {
            const uint64_t left_ms = (work->timeout_us - elapsed_us) / 1000 + 1;
            wait_ms = (int)(left_ms < 60000 ? left_ms : 60000);
        }
        if (poll(files, 2, wait_ms) <= 0) {
            continue;
        }
        if (files[1].revents != 0) { /* it never speaks while a job runs: it is gone */
            kill(pid, SIGKILL);
            _exit(VERDICT_HARNESS);
        }
        if (files[0].revents != 0 && !bytes_read(bytes, in)) {
            return RUN_WHOLE;
        }
    }
}

/* The child is gone. */
static enum run_ending ending_of(enum run_ending heard, int status, const struct bytes *bytes)
{
    if (heard != RUN_WHOLE || (status == 0 && is_whole(bytes))) {
        return heard;
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? RUN_KILLED : RUN_CRASHED;
}

static void run_job(const struct lane_work *work, uint64_t job, const char *text, int parent,
                    int said, struct bytes *bytes)
{
    static struct message failed;
    int pair[2], status = 0;
    memset(&failed, 0, sizeof failed);
    bytes->size = 0;
    CHECK(ftruncate(said, 0) == 0);
    lseek(said, 0, SEEK_SET);
    CHECK(pipe(pair) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        close(parent);
        child(work, job, text, pair[1], said);
    }
    close(pair[1]);
    if (pid > 0) {
        const enum run_ending heard = listen_to(work, pair[0], parent, pid, bytes);
        if (heard != RUN_WHOLE) {
            kill(pid, SIGKILL);
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        const enum run_ending ending = ending_of(heard, status, bytes);
        if (ending != RUN_WHOLE) {
            explain_death(work, ending, status, said, &failed.result);
        }
    } else {
        failed.result.verdict = VERDICT_HARNESS;
        failed.result.ending = RUN_CRASHED;
        snprintf(failed.result.message, sizeof failed.result.message, "no process for it: %s",
                 strerror(errno));
    }
    close(pair[0]);
    const bool good =
        failed.result.verdict == VERDICT_PASS && write_all(parent, bytes->at, bytes->size);
    if (!good && !write_all(parent, &failed, sizeof failed)) {
        _exit(VERDICT_HARNESS);
    }
}

static _Noreturn void lane_main(const struct lane_work *work, int parent)
{
    struct bytes bytes = {0};
    struct order order;
    FILE *said = tmpfile();
    /* Ctrl-C goes to all processes of the terminal; the parent alone decides what it means. */
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    if (said == NULL) {
        fprintf(stderr, "brownout: no temporary file: %s\n", strerror(errno));
        _exit(VERDICT_HARNESS);
    }
    while (read_all(parent, &order, sizeof order)) {
        char *text = order.text_bytes == 0 ? NULL : malloc(order.text_bytes);
        CHECK(order.text_bytes == 0 || text != NULL);
        if (!read_all(parent, text, order.text_bytes)) {
            break;
        }
        run_job(work, order.job, text, parent, fileno(said), &bytes);
        free(text);
    }
    _exit(0);
}

/* ---- the parent's side ----------------------------------------------------------------------- */

bool lane_start(struct lane *lanes, uint32_t count, uint32_t index, const struct lane_work *work)
{
    struct lane *lane = &lanes[index];
    int pair[2];
    memset(lane, 0, sizeof *lane);
    lane->socket = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
        return false;
    }
    fflush(NULL); /* or the child has what is buffered here, too */
    lane->pid = fork();
    if (lane->pid == 0) {
        for (uint32_t i = 0; i < count; i++) {
            if (i != index && lanes[i].socket >= 0) {
                close(lanes[i].socket);
            }
        }
        close(pair[0]);
        lane_main(work, pair[1]);
    }
    close(pair[1]);
    if (lane->pid < 0) {
        close(pair[0]);
        return false;
    }
    lane->socket = pair[0];
    return true;
}

bool lane_give(struct lane *lane, uint64_t job, const char *text)
{
    const struct order order = {job, text == NULL ? 0 : strlen(text) + 1};
    CHECK(!lane->busy);
    if (!write_all(lane->socket, &order, sizeof order) ||
        !write_all(lane->socket, text, order.text_bytes)) {
        lane_stop(lane);
        return false;
    }
    lane->busy = true;
    lane->job = job;
    return true;
}

static bool take_items(struct lane *lane, const struct message *message, struct trace *trace)
{
    if (message->item_count == 0) {
        return true;
    }
    CHECK(trace_open(trace, false));
    trace->count = message->item_first;
    for (uint64_t i = 0; i < message->item_count; i++) {
        struct world_item item;
        if (!read_all(lane->socket, &item, sizeof item)) {
            return false;
        }
        trace_item(trace, &item);
    }
    return true;
}

static bool take_keys(struct lane *lane, struct run_result *result)
{
    for (unsigned i = 0; i < COVERAGE_KIND_COUNT; i++) {
        struct coverage_set *set = &result->coverage[i];
        const size_t size = set->count * sizeof *set->keys;
        set->keys = size == 0 ? NULL : malloc(size);
        CHECK(size == 0 || set->keys != NULL);
        if (!read_all(lane->socket, set->keys, size)) {
            return false;
        }
    }
    return true;
}

static bool take(struct lane *lane, struct witness *witness)
{
    static struct message message;
    if (!read_all(lane->socket, &message, sizeof message)) {
        return false;
    }
    witness->result = message.result;
    if (message.plan_bytes > 0) {
        witness->plan = malloc(message.plan_bytes);
        CHECK(witness->plan != NULL);
        if (!read_all(lane->socket, witness->plan, message.plan_bytes)) {
            return false;
        }
    }
    return take_items(lane, &message, &witness->trace) && take_keys(lane, &witness->result);
}

void lane_take(struct lane *lane, struct witness *witness)
{
    memset(witness, 0, sizeof *witness);
    if (!take(lane, witness)) {
        witness_free(witness);
        memset(witness, 0, sizeof *witness);
        witness->result.verdict = VERDICT_HARNESS;
        witness->result.ending = RUN_KILLED;
        snprintf(witness->result.message, sizeof witness->result.message,
                 "its worker process is gone");
        lane_stop(lane);
    }
    lane->busy = false;
}

void lane_stop(struct lane *lane)
{
    if (lane->socket < 0) {
        return;
    }
    close(lane->socket); /* it sees that, kills its child and ends */
    lane->socket = -1;
    while (waitpid(lane->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}
