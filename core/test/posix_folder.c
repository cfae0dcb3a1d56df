#include "core/test/posix_folder.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/test/test.h"

static char made[FOLDER_PATH_BYTES];

const char *folder_path(void)
{
    const char *under = getenv("TMPDIR");
    if (made[0] == '\0') {
        snprintf(made, sizeof made, "%s/brownout_posix_XXXXXX", under == NULL ? "/tmp" : under);
        EXPECT(mkdtemp(made) != NULL);
    }
    return made;
}

const char *folder_file(const char *name)
{
    static char paths[8][2 * FOLDER_PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder_path(), name);
    return path;
}

void folder_write(const char *name, const char *text)
{
    FILE *file = fopen(folder_file(name), "w");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT_EQUAL(fclose(file), 0);
    EXPECT_EQUAL(chmod(folder_file(name), 0600), 0);
}

char *folder_read(const char *name, size_t *size_bytes)
{
    FILE *file = fopen(folder_file(name), "r");
    EXPECT(file != NULL);
    EXPECT_EQUAL(fseek(file, 0, SEEK_END), 0);
    const long size = ftell(file);
    EXPECT(size >= 0);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    EXPECT(text != NULL);
    EXPECT_EQUAL(fread(text, 1, (size_t)size, file), size);
    text[size] = '\0';
    EXPECT_EQUAL(fclose(file), 0);
    if (size_bytes != NULL) {
        *size_bytes = (size_t)size;
    }
    return text;
}

static void remove_all(const char *path)
{
    char inside[2 * FOLDER_PATH_BYTES + 300];
    struct dirent *entry;
    struct stat stat;
    DIR *folder = opendir(path);
    EXPECT(folder != NULL);
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (lstat(inside, &stat) == 0 && S_ISDIR(stat.st_mode)) {
            remove_all(inside);
        } else {
            EXPECT_EQUAL(unlink(inside), 0);
        }
    }
    EXPECT_EQUAL(closedir(folder), 0);
    EXPECT_EQUAL(rmdir(path), 0);
}

void folder_remove(void)
{
    remove_all(folder_path());
    made[0] = '\0';
}
