/* The main of a target without libFuzzer: each file that is named, and each in a folder that is
 * named, is an input. Words that begin with '-' are libFuzzer's, and passed over. Fails when there
 * was no input at all: what replays nothing shows nothing. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

enum { FILE_BYTES_MAX = 1 << 20, FILES_MAX = 4096, PATH_BYTES = 1024 };

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(FILE_BYTES_MAX);
    if (file == NULL || bytes == NULL) {
        perror(path);
        exit(4);
    }
    const size_t size_bytes = fread(bytes, 1, FILE_BYTES_MAX, file);
    if (ferror(file) || fgetc(file) != EOF) {
        fprintf(stderr, "%s: cannot be read, or is larger than %d bytes\n", path, FILE_BYTES_MAX);
        exit(4);
    }
    fclose(file);
    /* Its own block, so that a sanitizer sees each step behind the end. */
    uint8_t *exact = malloc(size_bytes > 0 ? size_bytes : 1);
    REQUIRE(exact != NULL);
    memcpy(exact, bytes, size_bytes);
    free(bytes);
    fprintf(stderr, "replay %s\n", path); /* before it runs: the last line names what broke */
    const int result = LLVMFuzzerTestOneInput(exact, size_bytes);
    free(exact);
    REQUIRE(result == 0);
    return 1;
}

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_folder(const char *folder)
{
    struct dirent **entries;
    char path[PATH_BYTES];
    const int count = scandir(folder, &entries, is_file, alphasort);
    if (count < 0 || count > FILES_MAX) {
        fprintf(stderr, "%s: cannot be read, or holds more than %d files\n", folder, FILES_MAX);
        exit(4);
    }
    int replayed = 0;
    for (int i = 0; i < count; i++) {
        struct stat status;
        REQUIRE(snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) <
                (int)sizeof path);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
            replayed += replay(path);
        }
        free(entries[i]);
    }
    free(entries);
    return replayed;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (argv[i][0] == '-') {
            continue;
        }
        if (stat(argv[i], &status) != 0) {
            perror(argv[i]);
            return 4;
        }
        count += S_ISDIR(status.st_mode) ? replay_folder(argv[i]) : replay(argv[i]);
    }
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 4;
}
