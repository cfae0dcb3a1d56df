#include "core/posix/user_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/posix/whole_file.h"

static struct mqtt_slice slice_of(const char *text)
{
    return (struct mqtt_slice){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static bool is_there(const struct user_file *file, const char *name)
{
    for (uint32_t i = 0; i < file->count; i++) {
        if (mqtt_slice_equal(file->users[i].name, slice_of(name))) {
            return true;
        }
    }
    return false;
}

/* What is wrong with the line, or NULL. */
static const char *take_line(struct user_file *file, char *line)
{
    line += strspn(line, " \t");
    line[strcspn(line, "\r")] = '\0';
    if (line[0] == '\0' || line[0] == '#') {
        return NULL;
    }
    char *password = line + strcspn(line, " \t");
    if (*password != '\0') {
        *password++ = '\0';
        password += strspn(password, " \t");
    }
    if (*password == '\0') {
        return "write a name, a blank and a password";
    }
    if (is_there(file, line)) {
        return "the name is there a second time: take one of them out";
    }
    if (file->count == USERS_MAX) {
        return "more users than a broker takes: take some out";
    }
    file->users[file->count++] = (struct broker_user){slice_of(line), slice_of(password)};
    return NULL;
}

bool user_file_read(const char *path, struct user_file *file, char *error, size_t error_bytes)
{
    struct stat stat_of;
    *file = (struct user_file){.text = malloc(USER_FILE_BYTES_MAX),
                               .users = calloc(USERS_MAX, sizeof *file->users)};
    if (file->text == NULL || file->users == NULL) {
        snprintf(error, error_bytes, "%s: no memory", path);
        return false;
    }
    if (stat(path, &stat_of) != 0 ||
        !whole_read(AT_FDCWD, path, file->text, USER_FILE_BYTES_MAX, NULL)) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return false;
    }
    if ((stat_of.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        snprintf(error, error_bytes, "%s holds secrets, and others may read it: chmod 600 %s", path,
                 path);
        return false;
    }
    unsigned number = 1;
    for (char *line = file->text; *line != '\0'; number++) {
        char *end = line + strcspn(line, "\n");
        char *next = *end == '\0' ? end : end + 1;
        *end = '\0';
        const char *wrong = take_line(file, line);
        if (wrong != NULL) {
            snprintf(error, error_bytes, "%s:%u: %s", path, number, wrong);
            return false;
        }
        line = next;
    }
    if (file->count == 0) { /* to the broker, no users are: anyone may connect */
        snprintf(error, error_bytes, "%s: nobody is in it: write a user, or leave the file out",
                 path);
        return false;
    }
    return true;
}

void user_file_free(struct user_file *file)
{
    free(file->users);
    free(file->text);
    *file = (struct user_file){0};
}
