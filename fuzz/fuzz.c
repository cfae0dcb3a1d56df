#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS = 4, PATH_BYTES = 512 };

static char scratch_folder[PATH_BYTES / 2];
static char scratch_paths[SLOTS][PATH_BYTES];

_Noreturn void fuzz_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: required: %s\n", file, line, what);
    abort();
}

uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (input->size_bytes == 0) {
        return 0;
    }
    input->size_bytes--;
    return *input->bytes++;
}

uint16_t fuzz_short(struct fuzz_input *input)
{
    const uint16_t high = fuzz_byte(input);
    return (uint16_t)(high << 8 | fuzz_byte(input));
}

uint32_t fuzz_below(struct fuzz_input *input, uint32_t bound)
{
    REQUIRE(bound >= 1 && bound <= 256);
    return fuzz_byte(input) % bound;
}

const uint8_t *fuzz_take(struct fuzz_input *input, size_t *size_bytes)
{
    const uint8_t *bytes = input->bytes;
    if (*size_bytes > input->size_bytes) {
        *size_bytes = input->size_bytes;
    }
    if (*size_bytes > 0) {
        input->bytes += *size_bytes;
        input->size_bytes -= *size_bytes;
    }
    return bytes;
}

char *fuzz_text(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes > 0 && memchr(data, '\0', size_bytes) != NULL) {
        return NULL;
    }
    char *text = malloc(size_bytes + 1);
    REQUIRE(text != NULL);
    if (size_bytes > 0) {
        memcpy(text, data, size_bytes);
    }
    text[size_bytes] = '\0';
    return text;
}

static void remove_scratch(void)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        if (scratch_paths[slot][0] != '\0') {
            (void)unlink(scratch_paths[slot]);
        }
    }
    (void)rmdir(scratch_folder);
}

static void make_scratch(void)
{
    const char *parent = getenv("TMPDIR");
    const int length = snprintf(scratch_folder, sizeof scratch_folder, "%s/brownout_fuzz_XXXXXX",
                                parent != NULL ? parent : "/tmp");
    REQUIRE(length > 0 && (size_t)length < sizeof scratch_folder);
    REQUIRE(mkdtemp(scratch_folder) != NULL);
    REQUIRE(atexit(remove_scratch) == 0);
}

const char *fuzz_file(unsigned slot, const char *name, const void *bytes, size_t size_bytes)
{
    REQUIRE(slot < SLOTS);
    if (scratch_folder[0] == '\0') {
        make_scratch();
    }
    char *path = scratch_paths[slot];
    const int length = snprintf(path, PATH_BYTES, "%s/%s", scratch_folder, name);
    REQUIRE(length > 0 && length < PATH_BYTES);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    REQUIRE(write(file, bytes, size_bytes) == (ssize_t)size_bytes);
    REQUIRE(close(file) == 0);
    return path;
}
