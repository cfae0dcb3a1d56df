#include "sim/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"

enum {
    PADDING_BYTES = 3217,    /* of environment: moves the stack by no round number */
    EXIT_CANNOT_START = 127, /* as a shell says it */
    PERSONALITY_ASK = -1,
};

/* Where it is not permitted, the runs differ a little less. */
static void choose_memory(enum process_memory memory)
{
    const int now = personality((unsigned long)PERSONALITY_ASK);
    if (now >= 0) {
        const unsigned long rest = (unsigned long)now & ~(unsigned long)ADDR_NO_RANDOMIZE;
        (void)personality(memory == PROCESS_MEMORY_OTHER ? rest | ADDR_NO_RANDOMIZE : rest);
    }
    if (memory == PROCESS_MEMORY_OTHER) {
        char padding[PADDING_BYTES];
        memset(padding, '.', sizeof padding - 1);
        padding[sizeof padding - 1] = '\0';
        (void)setenv("BROWNOUT_PADDING", padding, 1);
        (void)setenv("MALLOC_PERTURB_", "165", 1);
        (void)setenv("GLIBC_TUNABLES", "glibc.malloc.perturb=165", 1);
    }
}

static void become(const char *const *argv, int output, enum process_memory memory, bool errors)
{
    const int nothing = open("/dev/null", O_RDWR);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        (errors && dup2(output, STDERR_FILENO) < 0)) {
        _exit(EXIT_CANNOT_START);
    }
    choose_memory(memory);
    /* exec takes the strings as they are, and says so of none of them. */
    char *words[256];
    size_t count = 0;
    while (argv[count] != NULL && count + 1 < sizeof words / sizeof words[0]) {
        memcpy(&words[count], &argv[count], sizeof words[count]);
        count++;
    }
    words[count] = NULL;
    if (argv[count] == NULL) {
        (void)execvp(words[0], words);
    }
    _exit(EXIT_CANNOT_START);
}

bool process_start(struct process *process, const char *const *argv, enum process_memory memory,
                   bool errors)
{
    int ends[2];
    CHECK(argv[0] != NULL);
    if (pipe(ends) != 0) {
        return false;
    }
    /* Only the child's standard output is to hold the pipe open. */
    if (fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0 || fcntl(ends[1], F_SETFD, FD_CLOEXEC) != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return false;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        become(argv, ends[1], memory, errors);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return false;
    }
    *process = (struct process){pid, ends[0]};
    return true;
}

int process_finish(struct process *process, char *text, size_t text_bytes)
{
    size_t count = 0;
    ssize_t got;
    CHECK(text_bytes >= 1);
    do {
        char rest[4096];
        got = read(process->output, rest, sizeof rest);
        for (ssize_t i = 0; i < got && count + 1 < text_bytes; i++) {
            text[count++] = rest[i];
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    text[count] = '\0';
    (void)close(process->output);
    int status = 0;
    while (waitpid(process->pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return EXIT_CANNOT_START;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
