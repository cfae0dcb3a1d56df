#include "core/posix/state_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crc32.h"
#include "core/posix/whole_file.h"

/* retained: magic, boot of the machine, RAM, CRC-32 over all that; then the reason of the next
 * reset, which a handler may write at any time. */
enum {
    MAGIC_BYTES = 4,
    BOOT_AT = MAGIC_BYTES,
    RAM_AT = BOOT_AT + STATE_BOOT_BYTES,
    CRC_AT = RAM_AT + RETAINED_BYTES,
    REASON_AT = CRC_AT + 4,
    RETAINED_FILE_BYTES = REASON_AT + 1,
    COUNTERS_BYTES_MAX = 256,
    MODE_PRIVATE = 0700,
};

static const char magic[MAGIC_BYTES + 1] = "RET1";
static const char boot_path[] = "/proc/sys/kernel/random/boot_id";

static bool read_boot(struct state_folder *state, char *error, size_t error_bytes);
static bool lock(struct state_folder *state, const char *path, char *error, size_t error_bytes);
static bool open_retained(struct state_folder *state);

bool state_open(struct state_folder *state, const char *path, char *error, size_t error_bytes)
{
    *state = (struct state_folder){.folder = -1, .lock = -1, .retained_file = -1};
    if (mkdir(path, MODE_PRIVATE) != 0 && errno != EEXIST) {
        snprintf(error, error_bytes, "%s cannot be made: %s", path, strerror(errno));
        return false;
    }
    state->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state->folder < 0) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    if (!read_boot(state, error, error_bytes) || !lock(state, path, error, error_bytes)) {
        state_close(state);
        return false;
    }
    if (!open_retained(state)) {
        snprintf(error, error_bytes, "%s/retained: %s", path, strerror(errno));
        state_close(state);
        return false;
    }
    return true;
}

void state_close(struct state_folder *state)
{
    int *const files[] = {&state->retained_file, &state->lock, &state->folder};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (*files[i] >= 0) {
            (void)close(*files[i]);
        }
        *files[i] = -1;
    }
}

static int hex(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                          : -1;
}

/* A UUID: 32 digits, with hyphens among them. */
static bool read_boot(struct state_folder *state, char *error, size_t error_bytes)
{
    char text[64];
    uint32_t digits = 0;
    if (!whole_read(AT_FDCWD, boot_path, text, sizeof text, NULL)) {
        snprintf(error, error_bytes, "%s: %s: is /proc mounted?", boot_path, strerror(errno));
        return false;
    }
    for (const char *at = text; *at != '\0' && digits < 2 * STATE_BOOT_BYTES; at++) {
        if (hex(*at) >= 0) {
            uint8_t *byte = &state->machine_boot[digits / 2];
            *byte = (uint8_t)(*byte << 4 | hex(*at));
            digits++;
        }
    }
    if (digits != 2 * STATE_BOOT_BYTES) {
        snprintf(error, error_bytes, "%s holds no identity", boot_path);
        return false;
    }
    return true;
}

static bool lock(struct state_folder *state, const char *path, char *error, size_t error_bytes)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    state->lock = openat(state->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (state->lock < 0) {
        snprintf(error, error_bytes, "%s/lock: %s", path, strerror(errno));
        return false;
    }
    if (fcntl(state->lock, F_SETLK, &whole) != 0) {
        snprintf(error, error_bytes,
                 "%s is in use by another process: a node runs once; stop the other one, or give "
                 "this one a folder of its own (state = ...)",
                 path);
        return false;
    }
    return true;
}

/* ---- Retained RAM ---------------------------------------------------------------------------- */

static bool write_retained(const struct state_folder *state, uint8_t reason)
{
    uint8_t bytes[RETAINED_FILE_BYTES];
    memcpy(bytes, magic, MAGIC_BYTES);
    memcpy(bytes + BOOT_AT, state->machine_boot, STATE_BOOT_BYTES);
    memcpy(bytes + RAM_AT, state->retained, RETAINED_BYTES);
    const uint32_t crc = crc32(0, bytes, CRC_AT);
    for (int i = 0; i < 4; i++) {
        bytes[CRC_AT + i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    bytes[REASON_AT] = reason;
    return whole_pwrite(state->retained_file, bytes, sizeof bytes, 0);
}

/* Of this boot of the machine, and whole? */
static bool is_kept(const struct state_folder *state, const uint8_t bytes[RETAINED_FILE_BYTES])
{
    uint32_t crc = 0;
    for (int i = 0; i < 4; i++) {
        crc = crc << 8 | bytes[CRC_AT + i];
    }
    return memcmp(bytes, magic, MAGIC_BYTES) == 0 && crc == crc32(0, bytes, CRC_AT) &&
           memcmp(bytes + BOOT_AT, state->machine_boot, STATE_BOOT_BYTES) == 0;
}

static bool open_retained(struct state_folder *state)
{
    uint8_t bytes[RETAINED_FILE_BYTES];
    state->retained_file = openat(state->folder, "retained", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (state->retained_file < 0) {
        return false;
    }
    state->reason = RESET_POWER_ON;
    if (whole_pread(state->retained_file, bytes, sizeof bytes, 0) && is_kept(state, bytes)) {
        memcpy(state->retained, bytes + RAM_AT, RETAINED_BYTES);
        state->reason = bytes[REASON_AT] == RESET_SOFTWARE   ? RESET_SOFTWARE
                        : bytes[REASON_AT] == RESET_WATCHDOG ? RESET_WATCHDOG
                                                             : RESET_PROCESS;
    }
    return write_retained(state, RESET_PROCESS);
}

enum err state_retain(struct state_folder *state, const uint8_t bytes[RETAINED_BYTES])
{
    memcpy(state->retained, bytes, RETAINED_BYTES);
    return write_retained(state, RESET_PROCESS) ? ERR_OK : ERR_IO;
}

void state_mark_reset(const struct state_folder *state, enum reset_reason reason)
{
    const uint8_t byte = (uint8_t)reason;
    const ssize_t done = pwrite(state->retained_file, &byte, 1, REASON_AT);
    (void)done; /* then the next life takes it for a killed process */
}

/* ---- Counters -------------------------------------------------------------------------------- */

static int print_counters(const struct state_folder *state, char text[COUNTERS_BYTES_MAX])
{
    const int size = snprintf(text, COUNTERS_BYTES_MAX,
                              "brownout-counters 1\nepoch %" PRIu64 "\nsecurity %" PRIu64 "\n",
                              state->counters[COUNTER_EPOCH], state->counters[COUNTER_SECURITY]);
    return size + snprintf(text + size, (size_t)(COUNTERS_BYTES_MAX - size), "crc %08" PRIx32 "\n",
                           crc32(0, (const uint8_t *)text, (uint32_t)size));
}

static bool save_counters(const struct state_folder *state)
{
    char text[COUNTERS_BYTES_MAX];
    const int size = print_counters(state, text);
    return whole_replace(state->folder, "counters", text, (size_t)size);
}

bool state_counters(struct state_folder *state, bool is_new, char *error, size_t error_bytes)
{
    char text[COUNTERS_BYTES_MAX], again[COUNTERS_BYTES_MAX];
    if (whole_read(state->folder, "counters", text, sizeof text, NULL)) {
        const int fields =
            sscanf(text, "brownout-counters 1\nepoch %" SCNu64 "\nsecurity %" SCNu64,
                   &state->counters[COUNTER_EPOCH], &state->counters[COUNTER_SECURITY]);
        if (fields == 2 && print_counters(state, again) > 0 && strcmp(text, again) == 0) {
            return true;
        }
        snprintf(error, error_bytes,
                 "counters: damaged: bring it back from a backup, each number not below what it "
                 "was; a counter that falls lets the node use a nonce twice");
        return false;
    }
    if (errno != ENOENT) {
        snprintf(error, error_bytes, "counters: %s", strerror(errno));
        return false;
    }
    if (!is_new) {
        snprintf(error, error_bytes,
                 "counters: not there, and the flash is: bring it back from a backup; without it "
                 "the node might use a nonce twice");
        return false;
    }
    memset(state->counters, 0, sizeof state->counters);
    if (!save_counters(state)) {
        snprintf(error, error_bytes, "counters: %s", strerror(errno));
        return false;
    }
    return true;
}

enum err state_increment(struct state_folder *state, enum port_counter counter)
{
    if (state->counters[counter] == UINT64_MAX) {
        return ERR_FULL;
    }
    state->counters[counter]++;
    if (save_counters(state)) {
        return ERR_OK;
    }
    /* Whether the new file is there nobody knows: the next life reads which. */
    return ERR_IO;
}
