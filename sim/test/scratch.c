#include "sim/test/scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "core/test/test.h"

void scratch_remove(const char *folder)
{
    char path[400];
    struct dirent *entry;
    DIR *files = opendir(folder);
    EXPECT(files != NULL);
    while ((entry = readdir(files)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path); /* "." and ".." stay */
    }
    closedir(files);
    EXPECT_EQUAL(rmdir(folder), 0);
}
