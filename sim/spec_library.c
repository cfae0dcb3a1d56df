#include "sim/spec_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "core/check.h"

enum { SAID_BYTES = 2048 };

bool spec_library_begin(struct spec_library *library, const struct spec_library_source *source,
                        char *error, size_t error_bytes)
{
    char path[4 * SPEC_PATH_BYTES];
    const char *name = source->model->name;
    library->source = *source;
    snprintf(path, sizeof path, "%s/%s.c", source->shop, name);
    snprintf(library->path, sizeof library->path, "%s/%s.so", source->shop, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        snprintf(error, error_bytes, "%.700s: %.200s", path, strerror(errno));
        return false;
    }
    spec_mutants_write(source->mutants, file);
    if (fclose(file) != 0) {
        snprintf(error, error_bytes, "%.700s: %.200s", path, strerror(errno));
        return false;
    }
    const char *const words[] = {source->compiler, "-std=c11", "-O1",        "-w", "-fPIC",
                                 "-shared",        "-I",       source->root, path, "-o",
                                 library->path,    NULL};
    library->compiles = process_start(&library->process, words, PROCESS_MEMORY_DRAWN, true);
    if (!library->compiles) {
        snprintf(error, error_bytes, "%s cannot be started: %s", source->compiler, strerror(errno));
    }
    return library->compiles;
}

/* The model's symbol is the name of its file. */
static bool load(struct spec_library *library, char *error, size_t error_bytes)
{
    char symbol[SPEC_TOKEN_BYTES];
    const char *name = strrchr(library->source.model->source, '/') + 1;
    snprintf(symbol, sizeof symbol, "%.*s", (int)strcspn(name, "."), name);
    void *handle = dlopen(library->path, RTLD_NOW | RTLD_LOCAL);
    void *choose = handle == NULL ? NULL : dlsym(handle, "spec_mutant_choose");
    library->model = choose == NULL ? NULL : dlsym(handle, symbol);
    if (library->model == NULL) {
        snprintf(error, error_bytes, "%.700s: %.800s", library->path, dlerror());
        return false;
    }
    /* POSIX lets an object pointer of dlsym be a function's; C has no cast for it. */
    memcpy(&library->choose, &choose, sizeof choose);
    return true;
}

bool spec_library_end(struct spec_library *library, char *error, size_t error_bytes)
{
    char said[SAID_BYTES];
    CHECK(library->compiles);
    library->compiles = false;
    if (process_finish(&library->process, said, sizeof said) != 0) {
        snprintf(error, error_bytes, "%s does not compile the mutants: %.1500s",
                 library->source.compiler, said);
        return false;
    }
    return load(library, error, error_bytes);
}
