#include "sim/spec_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_config(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".cfg") == 0;
}

static bool place(struct spec_folder *folder, const char *source, char *error, size_t error_bytes)
{
    char here[SPEC_PATH_BYTES / 2] = "";
    const bool relative = source[0] != '/' && getcwd(here, sizeof here) != NULL;
    const int length = snprintf(folder->path, sizeof folder->path, "%s%s%s/specs/%s", here,
                                relative ? "/" : "", source, folder->model->name);
    const int module = snprintf(folder->module, sizeof folder->module, "%s/%s.tla", folder->path,
                                folder->model->name);
    if (length < 0 || module < 0 || (size_t)module >= sizeof folder->module) {
        snprintf(error, error_bytes, "%.80s...: this path is too long", source);
        return false;
    }
    if (access(folder->module, R_OK) != 0) {
        snprintf(error, error_bytes,
                 "%s: %s; run in the root of the tree, or name it with --source", folder->module,
                 strerror(errno));
        return false;
    }
    return true;
}

bool spec_folder_read(struct spec_folder *folder, const struct spec_model *model,
                      const char *source, char *error, size_t error_bytes)
{
    char path[2 * SPEC_PATH_BYTES];
    struct dirent **entries = NULL;
    memset(folder, 0, sizeof *folder);
    folder->model = model;
    if (!place(folder, source, error, error_bytes)) {
        return false;
    }
    bool good = true;
    const int found = scandir(folder->path, &entries, is_config, alphasort);
    for (int i = 0; i < found; i++) {
        snprintf(path, sizeof path, "%s/%s", folder->path, entries[i]->d_name);
        if (good && (folder->config_count == SPEC_CONFIGS_MAX || strlen(path) >= SPEC_PATH_BYTES)) {
            snprintf(error, error_bytes, "%s: more than %d configurations, or too long a path",
                     folder->path, SPEC_CONFIGS_MAX);
            good = false;
        }
        good = good &&
               spec_config_read(&folder->configs[folder->config_count++], path, error, error_bytes);
        free(entries[i]);
    }
    free(entries);
    if (good && found <= 0) {
        snprintf(error, error_bytes, "%s: no configuration; it needs MC.cfg", folder->path);
    }
    return good && found > 0;
}
