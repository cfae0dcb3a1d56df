#include "sim/spec_known.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"

enum { FILE_BYTES_MAX = SHA256_TEXT_BYTES + SPEC_LINE_BYTES + 2 };

static void place(const struct spec_folder *folder, const struct spec_instance *instance,
                  char path[SPEC_PATH_BYTES])
{
    char cache[SPEC_PATH_BYTES];
    tlc_cache(cache);
    snprintf(path, SPEC_PATH_BYTES, "%.300s/graph-%.60s-%.60s", cache, folder->model->name,
             instance->name);
}

/* One text of all that the line depends on. */
static bool name_graph(const struct tlc *tlc, const struct spec_folder *folder,
                       const struct spec_instance *instance, char key[SHA256_TEXT_BYTES])
{
    char module[SHA256_TEXT_BYTES], error[1024], *text = NULL;
    size_t text_bytes = 0;
    if (!sha256_file(folder->module, module, error, sizeof error)) {
        return false;
    }
    FILE *file = open_memstream(&text, &text_bytes);
    CHECK(file != NULL);
    fprintf(file, "%s %s\n", tlc->hash, module);
    for (uint32_t i = 0; i < instance->model->constant_count; i++) {
        fprintf(file, "%s %" PRId32 "\n", instance->model->constants[i].name, instance->k[i]);
    }
    for (uint32_t i = 0; i < instance->model->action_count; i++) {
        fprintf(file, "%s\n", instance->actions[i].name);
    }
    for (uint32_t i = 0; i < instance->cell_count; i++) {
        const struct spec_domain *domain = &instance->cells[i].domain;
        char name[SPEC_VALUE_BYTES];
        spec_print_cell(instance, i, name, sizeof name);
        fprintf(file, "%s %d %" PRId32 " %" PRId32, name, (int)domain->kind, domain->low,
                domain->high);
        for (int32_t word = 0; domain->words != NULL && word <= domain->high; word++) {
            fprintf(file, " %s", domain->words[word]);
        }
        fputs("\n", file);
    }
    CHECK(fclose(file) == 0);
    sha256_text(text, text_bytes, key);
    free(text);
    return true;
}

bool spec_known_find(const struct tlc *tlc, const struct spec_folder *folder,
                     const struct spec_instance *instance, char line[SPEC_LINE_BYTES])
{
    char path[SPEC_PATH_BYTES], key[SHA256_TEXT_BYTES], error[1024];
    size_t size_bytes;
    place(folder, instance, path);
    if (access(path, R_OK) != 0 || !name_graph(tlc, folder, instance, key)) {
        return false;
    }
    char *text = spec_read_file(path, FILE_BYTES_MAX, &size_bytes, error, sizeof error);
    if (text == NULL) {
        return false;
    }
    const size_t key_bytes = SHA256_TEXT_BYTES - 1;
    const bool found = strncmp(text, key, key_bytes) == 0 && text[key_bytes] == ' ';
    if (found) {
        const char *begin = text + key_bytes + 1;
        snprintf(line, SPEC_LINE_BYTES, "%.*s", (int)strcspn(begin, "\n"), begin);
    }
    free(text);
    return found;
}

void spec_known_keep(const struct tlc *tlc, const struct spec_folder *folder,
                     const struct spec_instance *instance, const char *line)
{
    char cache[SPEC_PATH_BYTES], path[SPEC_PATH_BYTES], fresh[SPEC_PATH_BYTES + 32];
    char key[SHA256_TEXT_BYTES];
    if (!name_graph(tlc, folder, instance, key)) {
        return;
    }
    tlc_cache(cache);
    (void)mkdir(cache, 0777); /* it is there, or what follows fails */
    place(folder, instance, path);
    snprintf(fresh, sizeof fresh, "%s.%ld", path, (long)getpid());
    FILE *file = fopen(fresh, "wb");
    if (file == NULL) {
        return;
    }
    fprintf(file, "%s %s\n", key, line);
    if (fclose(file) != 0 || rename(fresh, path) != 0) {
        (void)unlink(fresh);
    }
}
