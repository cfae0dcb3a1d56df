/* Files that hold keys: a node's own, and a server's registries. */
#ifndef BROWNOUT_CORE_POSIX_KEY_FILE_H
#define BROWNOUT_CORE_POSIX_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/server/registry.h"

enum { KEY_LINE_BYTES_MAX = 256 };

/* 64 hexadecimal digits, in either case, and nothing behind them. */
bool key_parse(const char *text, uint8_t key[KEY_BYTES]);

/* Lines `seed = ...` and `secret = ...`; secret NULL: the file has none. The file may be read by
 * its owner alone. False: `error` says where and what to do. */
bool key_file_read(const char *path, uint8_t seed[KEY_BYTES], uint8_t *secret, char *error,
                   size_t error_bytes);

/* A registry of 1..count_max entries; secrets: each line has a third field, and the file is
 * private. *entries: to be freed by the caller. */
bool registry_file_read(const char *path, bool secrets, uint32_t count_max,
                        struct registry_entry **entries, uint32_t *count, char *error,
                        size_t error_bytes);

#endif
