/* What the fuzz targets share: the entry that libFuzzer calls, a requirement that stops the process
 * where it does not hold, small draws out of an input, and a scratch folder for the readers that
 * take a path.
 *
 * A target is fuzz_<noun>.c. With libFuzzer (preset fuzz) it searches; linked with replay.c it
 * reads the files of fuzz/corpus/<noun> and fuzz/regress/<noun>, in every build. Whatever an input
 * is, a target ends by returning 0: anything else is a finding.
 */
#ifndef BROWNOUT_FUZZ_H
#define BROWNOUT_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* What must hold for every input. On in every build. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fuzz_failed(__FILE__, __LINE__, #condition);                                           \
        }                                                                                          \
    } while (0)
_Noreturn void fuzz_failed(const char *file, int line, const char *what);

/* What is left of an input. Behind its end there are zeros. */
struct fuzz_input {
    const uint8_t *bytes; /* borrowed */
    size_t size_bytes;
};
uint8_t fuzz_byte(struct fuzz_input *input);
uint16_t fuzz_short(struct fuzz_input *input);
/* 0..bound - 1, of one byte; bound: 1..256. */
uint32_t fuzz_below(struct fuzz_input *input, uint32_t bound);
/* The next size_bytes bytes, or as many as there are; *size_bytes: in wanted, out taken. */
const uint8_t *fuzz_take(struct fuzz_input *input, size_t *size_bytes);

/* The input as a text with a NUL behind it; owned by the caller. NULL: there is a NUL in it. */
char *fuzz_text(const uint8_t *data, size_t size_bytes);

/* Write a file of this name, mode 0600, into the process's scratch folder, which goes when the
 * process ends in order. The path is good until the next call with the same slot (0..3). */
const char *fuzz_file(unsigned slot, const char *name, const void *bytes, size_t size_bytes);

#endif
