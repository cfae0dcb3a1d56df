#include "sim/mutant.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/process.h"

enum { LINE_BYTES = 512, OUTPUT_BYTES = 4096 };

/* ---- the header ------------------------------------------------------------------------------ */

struct reader {
    struct mutant *mutant;
    uint32_t line;
    bool has_law, in_why;
    uint32_t files;
    char *error;
    size_t error_bytes;
};

static bool refuse(const struct reader *reader, const char *what, const char *word)
{
    snprintf(reader->error, reader->error_bytes, "%s:%u: %s%s", reader->mutant->patch,
             (unsigned)reader->line, what, word);
    return false;
}

static uint32_t find_law(const char *name)
{
    uint32_t law = 0;
    while (law < LAW_COUNT && strcmp(law_name((enum law)law), name) != 0) {
        law++;
    }
    return law;
}

uint32_t mutant_law(const char *name)
{
    return find_law(name);
}

void mutant_judge(struct mutant *mutant, uint32_t law)
{
    char setting[OPTION_KEY_BYTES], error[64];
    if (mutant->needs != MUTANT_NEEDS_RUN || mutant->law == MUTANT_DETERMINISM) {
        return;
    }
    if (law < LAW_COUNT) {
        memset(mutant->also, 0, sizeof mutant->also);
        mutant->law = law;
        snprintf(setting, sizeof setting, "run.laws=%s", law_name((enum law)law));
    } else if (mutant->law == LAW_SPEC_TELEMETRY || mutant->also[LAW_SPEC_TELEMETRY] ||
               mutant->law == LAW_SPEC_SESSION || mutant->also[LAW_SPEC_SESSION]) {
        return;
    } else {
        snprintf(setting, sizeof setting, "run.laws=-%s,-%s", law_name(LAW_SPEC_TELEMETRY),
                 law_name(LAW_SPEC_SESSION));
    }
    (void)option_settings_add(&mutant->settings, setting, error, sizeof error);
}

const char *mutant_law_name(uint32_t law)
{
    return law == MUTANT_DETERMINISM ? "determinism" : law_name((enum law)law);
}

static bool read_needs(struct reader *reader, const char *value)
{
    static const char *const names[MUTANT_NEEDS_COUNT] = {
        [MUTANT_NEEDS_RUN] = "",
        [MUTANT_NEEDS_NONE] = "none",
        [MUTANT_NEEDS_CUT] = "cut",
        [MUTANT_NEEDS_TORN] = "torn",
        [MUTANT_NEEDS_UNCERTAIN] = "uncertain",
    };
    for (uint32_t i = MUTANT_NEEDS_NONE; i < MUTANT_NEEDS_COUNT; i++) {
        if (strcmp(names[i], value) == 0) {
            reader->mutant->needs = (enum mutant_needs)i;
            return true;
        }
    }
    return refuse(reader, "a bug needs none, cut, torn or uncertain, and not ", value);
}

/* core.check is no law of a model: a planted bug that only trips over a CHECK teaches nothing. */
static bool read_law(struct reader *reader, const char *value, bool also)
{
    struct mutant *mutant = reader->mutant;
    const uint32_t law = find_law(value);
    const bool determinism = strcmp(value, "determinism") == 0 && !also;
    if ((law == LAW_COUNT && !determinism) || law == LAW_CORE_CHECK) {
        return refuse(reader, "no law that a planted bug may name: ", value);
    }
    if (also) {
        mutant->also[law] = true;
        return true;
    }
    if (reader->has_law) {
        return refuse(reader, "a second law; write `also:` before ", value);
    }
    reader->has_law = true;
    mutant->law = determinism ? MUTANT_DETERMINISM : law;
    return true;
}

static bool read_key(struct reader *reader, const char *key, const char *value)
{
    struct mutant *mutant = reader->mutant;
    char error[LINE_BYTES];
    if (strcmp(key, "law") == 0 || strcmp(key, "also") == 0) {
        return read_law(reader, value, key[0] == 'a');
    }
    if (strcmp(key, "scenario") == 0) {
        snprintf(mutant->scenario, sizeof mutant->scenario, "%s", value);
        return true;
    }
    if (strcmp(key, "set") == 0) {
        return option_settings_add(&mutant->settings, value, error, sizeof error) ||
               refuse(reader, error, "");
    }
    if (strcmp(key, "needs") == 0) {
        return read_needs(reader, value);
    }
    return refuse(reader, "a header has law, also, scenario, set and needs, and no ", key);
}

static bool read_header(struct reader *reader, char *line)
{
    struct mutant *mutant = reader->mutant;
    char *colon = strstr(line, ": ");
    if (line[0] == '\0') {
        reader->in_why = true;
        return true;
    }
    if (!reader->in_why) {
        if (colon == NULL) {
            return refuse(reader, "write `key: value`; an empty line ends the header: ", line);
        }
        *colon = '\0';
        return read_key(reader, line, colon + 2);
    }
    const size_t length = strlen(mutant->why);
    const size_t room = sizeof mutant->why - length;
    const int written = snprintf(mutant->why + length, room, "%s%s", length > 0 ? " " : "", line);
    return (written >= 0 && (size_t)written < room) ||
           refuse(reader, "too long an explanation", "");
}

static bool check(const struct reader *reader)
{
    const struct mutant *mutant = reader->mutant;
    if (!reader->has_law || mutant->scenario[0] == '\0') {
        return refuse(reader, "the header lacks ", reader->has_law ? "`scenario:`" : "`law:`");
    }
    bool also = mutant->law == MUTANT_DETERMINISM || mutant->settings.count > 0;
    for (uint32_t law = 0; law < LAW_COUNT; law++) {
        also = also || mutant->also[law];
    }
    if (mutant->needs != MUTANT_NEEDS_RUN && also) {
        return refuse(reader, "a life has one law, and no `also:` or `set:`", "");
    }
    if (strlen(mutant->why) < 20) {
        return refuse(reader, "it does not say what is wrong and why it matters", "");
    }
    if (reader->files != 1 || mutant->file[0] == '\0') {
        return refuse(reader, "not a diff of exactly one file", "");
    }
    if (mutant->file[0] == '/' || strstr(mutant->file, "..") != NULL ||
        strchr(mutant->file, '/') == NULL) {
        return refuse(reader, "no file of the tree: ", mutant->file);
    }
    return true;
}

static bool read_lines(struct reader *reader, FILE *file)
{
    char line[LINE_BYTES];
    bool in_diff = false;
    while (fgets(line, sizeof line, file) != NULL) {
        reader->line++;
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "--- ", 4) == 0) {
            in_diff = true;
            reader->files++;
            if (strncmp(line, "--- a/", 6) == 0) {
                snprintf(reader->mutant->file, sizeof reader->mutant->file, "%.300s", line + 6);
            }
        } else if (!in_diff && !read_header(reader, line)) {
            return false;
        }
    }
    return check(reader);
}

bool mutant_read(struct mutant *mutant, const char *patch, char *error, size_t error_bytes)
{
    struct reader reader = {.mutant = mutant, .error = error, .error_bytes = error_bytes};
    const char *slash = strrchr(patch, '/');
    const char *name = slash == NULL ? patch : slash + 1;
    const size_t length = strlen(name), suffix = strlen(MUTANT_SUFFIX);
    memset(mutant, 0, sizeof *mutant);
    snprintf(mutant->patch, sizeof mutant->patch, "%s", patch);
    if (length <= suffix || strcmp(name + length - suffix, MUTANT_SUFFIX) != 0 ||
        length - suffix >= sizeof mutant->name || strlen(patch) >= sizeof mutant->patch) {
        snprintf(error, error_bytes, "%s: not the name of a patch", patch);
        return false;
    }
    memcpy(mutant->name, name, length - suffix);
    FILE *file = fopen(patch, "r");
    if (file == NULL) {
        snprintf(error, error_bytes, "%s: %s", patch, strerror(errno));
        return false;
    }
    const bool good = read_lines(&reader, file);
    fclose(file);
    return good;
}

/* ---- the folder ------------------------------------------------------------------------------ */

bool mutant_shop_open(struct mutant_shop *shop, const struct mutant *mutant, char *error,
                      size_t error_bytes)
{
    const char *parent = getenv("TMPDIR");
    const char *base = strrchr(mutant->file, '/') + 1;
    parent = parent == NULL || parent[0] == '\0' ? "/tmp" : parent;
    const int length =
        snprintf(shop->folder, sizeof shop->folder, "%s/brownout-%s-XXXXXX", parent, mutant->name);
    if (length < 0 || (size_t)length >= sizeof shop->folder || mkdtemp(shop->folder) == NULL) {
        snprintf(error, error_bytes, "no folder can be made in %.200s; set TMPDIR", parent);
        return false;
    }
    snprintf(shop->source, sizeof shop->source, "%s/%s", shop->folder, base);
    snprintf(shop->object, sizeof shop->object, "%s/patched.o", shop->folder);
    snprintf(shop->program, sizeof shop->program, "%s/brownout", shop->folder);
    return true;
}

void mutant_shop_close(struct mutant_shop *shop)
{
    char path[2 * MUTANT_PATH_BYTES];
    struct dirent *entry;
    DIR *folder = opendir(shop->folder);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        const int length = snprintf(path, sizeof path, "%s/%s", shop->folder, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            (size_t)length < sizeof path) {
            (void)unlink(path);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    (void)rmdir(shop->folder);
}

static bool copy(const char *from, const char *to)
{
    FILE *source = fopen(from, "rb"), *target = fopen(to, "wb");
    bool good = source != NULL && target != NULL;
    char bytes[4096];
    size_t count;
    while (good && (count = fread(bytes, 1, sizeof bytes, source)) > 0) {
        good = fwrite(bytes, 1, count, target) == count;
    }
    if (source != NULL) {
        good = ferror(source) == 0 && good;
        fclose(source);
    }
    if (target != NULL) {
        good = fclose(target) == 0 && good;
    }
    return good;
}

bool mutant_apply(const struct mutant *mutant, const struct mutant_shop *shop, const char *source,
                  char *error, size_t error_bytes)
{
    char original[2 * MUTANT_PATH_BYTES], output[OUTPUT_BYTES];
    struct process process;
    snprintf(original, sizeof original, "%s/%s", source, mutant->file);
    if (!copy(original, shop->source)) {
        snprintf(error, error_bytes, "%s cannot be copied", original);
        return false;
    }
    /* No fuzz: what is around the change has to be what it was. */
    const char *const words[] = {
        "patch",           "--silent",   "--fuzz=0",    "--no-backup-if-mismatch",
        "--reject-file=-", shop->source, mutant->patch, NULL};
    if (!process_start(&process, words, PROCESS_MEMORY_DRAWN, true)) {
        snprintf(error, error_bytes, "patch cannot be started: %s", strerror(errno));
        return false;
    }
    const int code = process_finish(&process, output, sizeof output);
    if (code != 0) {
        snprintf(error, error_bytes, "%s does not apply to %s any more:\n%.600s", mutant->patch,
                 mutant->file, code == 127 ? "there is no program `patch`" : output);
    }
    return code == 0;
}
