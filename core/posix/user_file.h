/* Who may connect to the broker: a file of lines `name password`. */
#ifndef BROWNOUT_CORE_POSIX_USER_FILE_H
#define BROWNOUT_CORE_POSIX_USER_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/server/broker.h"

enum { USERS_MAX = 1024, USER_FILE_BYTES_MAX = 262144 };

struct user_file {
    char *text; /* owned; the users' slices are of it */
    struct broker_user *users;
    uint32_t count;
};

/* A line for each user: the name, blanks, and the password, which is the rest of the line; # begins
 * a comment. The file may be read by its owner alone. False: `error` says where and what to do. To
 * be freed in any case. */
bool user_file_read(const char *path, struct user_file *file, char *error, size_t error_bytes);
void user_file_free(struct user_file *file);

#endif
