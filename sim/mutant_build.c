/* Compile one patched file and link the command with it, as the build did with the others. */
#include <cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/check.h"
#include "sim/mutant.h"
#include "sim/process.h"

enum { FILE_BYTES_MAX = 1 << 20, WORDS_MAX = 250, OUTPUT_BYTES = 4096 };

struct mutant_build {
    cJSON *json;
};

/* Words of a command line; those that are made here stand in `text`. */
struct words {
    const char *list[WORDS_MAX + 1];
    uint32_t count;
    char text[WORDS_MAX * 64];
    size_t text_bytes;
};

static const char *text_of(const struct mutant_build *build, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(build->json, name));
    return text == NULL ? "" : text;
}

struct mutant_build *mutant_build_open(const char *folder, char *error, size_t error_bytes)
{
    char path[2 * MUTANT_PATH_BYTES];
    snprintf(path, sizeof path, "%s/mutants.json", folder);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s; name the folder of the build with --build", path,
                 strerror(errno));
        return NULL;
    }
    struct mutant_build *build = calloc(1, sizeof *build);
    char *text = malloc(FILE_BYTES_MAX);
    CHECK(build != NULL && text != NULL);
    const size_t length = fread(text, 1, FILE_BYTES_MAX, file);
    fclose(file);
    build->json = cJSON_ParseWithLength(text, length);
    free(text);
    if (build->json == NULL || text_of(build, "compiler")[0] == '\0' ||
        text_of(build, "source_dir")[0] == '\0') {
        snprintf(error, error_bytes, "%s: not what a build writes; run cmake again", path);
        mutant_build_close(build);
        return NULL;
    }
    return build;
}

void mutant_build_close(struct mutant_build *build)
{
    if (build != NULL) {
        cJSON_Delete(build->json);
        free(build);
    }
}

const char *mutant_build_source(const struct mutant_build *build)
{
    return text_of(build, "source_dir");
}

const char *mutant_build_compiler(const struct mutant_build *build)
{
    return text_of(build, "compiler");
}

static void add(struct words *words, const char *word)
{
    CHECK(words->count < WORDS_MAX);
    words->list[words->count++] = word;
    words->list[words->count] = NULL;
}

static void add_made(struct words *words, const char *name, const char *value)
{
    char *word = words->text + words->text_bytes;
    const size_t room = sizeof words->text - words->text_bytes;
    const int length = snprintf(word, room, "%s%s", name, value);
    CHECK(length >= 0 && (size_t)length < room);
    words->text_bytes += (size_t)length + 1;
    add(words, word);
}

static void add_list(struct words *words, const cJSON *list)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        const char *word = cJSON_GetStringValue(item);
        if (word != NULL && word[0] != '\0') {
            add(words, word);
        }
    }
}

static bool execute(const struct words *words, const char *what, char *error, size_t error_bytes)
{
    char output[OUTPUT_BYTES];
    struct process process;
    if (!process_start(&process, words->list, PROCESS_MEMORY_DRAWN, true)) {
        snprintf(error, error_bytes, "%s cannot be started: %s", words->list[0], strerror(errno));
        return false;
    }
    if (process_finish(&process, output, sizeof output) != 0) {
        snprintf(error, error_bytes, "%s does not %s:\n%.800s", words->list[0], what, output);
        return false;
    }
    return true;
}

static bool compile(const struct mutant *mutant, const struct mutant_shop *shop,
                    const struct mutant_build *build, const char *source, char *error,
                    size_t error_bytes)
{
    char folder[MUTANT_PATH_BYTES], map[2 * MUTANT_PATH_BYTES + 2];
    struct words *words = calloc(1, sizeof *words);
    const cJSON *item;
    CHECK(words != NULL);
    snprintf(folder, sizeof folder, "%s", mutant->file);
    *strrchr(folder, '/') = '\0';
    add(words, text_of(build, "compiler"));
    add_list(words, cJSON_GetObjectItem(build->json, "flags"));
    add_list(words, cJSON_GetObjectItem(cJSON_GetObjectItem(build->json, "flags_of"), folder));
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(build->json, "includes"))
    {
        const char *include = cJSON_GetStringValue(item);
        if (include != NULL && include[0] != '\0') {
            /* The tree at hand stands for the one that was built. */
            const bool tree = strcmp(include, mutant_build_source(build)) == 0;
            add_made(words, "-I", tree ? source : include);
        }
    }
    /* __FILE__ is what it was. */
    snprintf(map, sizeof map, "%s=%s", shop->folder, folder);
    add_made(words, "-ffile-prefix-map=", map);
    add(words, "-c");
    add(words, shop->source);
    add(words, "-o");
    add(words, shop->object);
    const bool good = execute(words, "compile the patched file", error, error_bytes);
    free(words);
    return good;
}

static bool link_command(const struct mutant_shop *shop, const struct mutant_build *build,
                         char *error, size_t error_bytes)
{
    struct words *words = calloc(1, sizeof *words);
    CHECK(words != NULL);
    add(words, text_of(build, "compiler"));
    add_list(words, cJSON_GetObjectItem(build->json, "link_flags"));
    add_list(words, cJSON_GetObjectItem(build->json, "objects"));
    add(words, shop->object);
    add_list(words, cJSON_GetObjectItem(build->json, "archives"));
    add_list(words, cJSON_GetObjectItem(build->json, "libraries"));
    add(words, "-o");
    add(words, shop->program);
    const bool good = execute(words, "link the command with it", error, error_bytes);
    free(words);
    return good;
}

/* The other objects are of the tree as it was built: a struct that changed since would not fit. */
static bool is_built(const struct mutant *mutant, const struct mutant_build *build,
                     const char *source, char *error, size_t error_bytes)
{
    char path[2 * MUTANT_PATH_BYTES], program[2 * MUTANT_PATH_BYTES];
    struct stat file, built;
    snprintf(path, sizeof path, "%s/%s", source, mutant->file);
    snprintf(program, sizeof program, "%s", text_of(build, "program"));
    if (stat(path, &file) != 0 || stat(program, &built) != 0 || file.st_mtime <= built.st_mtime) {
        return true;
    }
    snprintf(error, error_bytes, "%s is newer than the build; build first", mutant->file);
    return false;
}

bool mutant_make(const struct mutant *mutant, const struct mutant_shop *shop,
                 const struct mutant_build *build, const char *source, char *error,
                 size_t error_bytes)
{
    return is_built(mutant, build, source, error, error_bytes) &&
           compile(mutant, shop, build, source, error, error_bytes) &&
           link_command(shop, build, error, error_bytes);
}
