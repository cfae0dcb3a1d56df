#include "sim/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "sim/status.h"

enum { EXIT_REFUSED = 2, EXIT_CANNOT_START = 127, NAP_US = 20000 };

void supervise_init(struct supervise *supervise, const struct provision *provision,
                    const char *daemons)
{
    *supervise = (struct supervise){
        .provision = provision, .daemons = daemons, .count = provision_nodes(provision)};
    supervise->children = calloc(supervise->count, sizeof *supervise->children);
    CHECK(supervise->children != NULL);
    for (uint32_t i = 0; i < supervise->count; i++) {
        supervise->children[i].node = i + 1;
        provision_name(i + 1, supervise->children[i].name);
    }
}

static const char *program_of(uint32_t node)
{
    return node == PROVISION_CLOUD     ? "brownout-cloud"
           : node == PROVISION_GATEWAY ? "brownout-gateway"
                                       : "brownout-device";
}

/* In the child. It dies with us, and what a terminal sends is ours to deal with. */
static void become(const struct supervise *supervise, const struct supervise_child *child,
                   pid_t parent)
{
    char program[SUPERVISE_PATH_BYTES], config[SUPERVISE_PATH_BYTES], log[SUPERVISE_PATH_BYTES];
    const char *folder = supervise->provision->folder;
    snprintf(program, sizeof program, "%s/%s", supervise->daemons, program_of(child->node));
    snprintf(config, sizeof config, "%s/%s.conf", folder, child->name);
    snprintf(log, sizeof log, "%s/%s.log", folder, child->name);
    const int nothing = open("/dev/null", O_RDWR);
    const int errors = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    sigset_t none;
    (void)sigemptyset(&none);
    if (nothing >= 0 && errors >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
        dup2(nothing, STDOUT_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0 &&
        setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0) {
        char *words[] = {program, config, NULL};
        (void)execv(program, words);
        fprintf(stderr, "%s: %s\n", program, strerror(errno));
    }
    _exit(EXIT_CANNOT_START);
}

static bool start(struct supervise *supervise, struct supervise_child *child)
{
    const pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0) {
        become(supervise, child, parent);
    }
    if (child->pid < 0) {
        child->pid = 0;
        return false;
    }
    child->lives++;
    return true;
}

static enum supervise_end end_of(int status)
{
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status) == SIGKILL ? SUPERVISE_KILLED : SUPERVISE_FAILED;
    }
    switch (WEXITSTATUS(status)) {
    case 0:
        return SUPERVISE_STOPPED;
    case EXIT_REFUSED:
    case EXIT_CANNOT_START:
        return SUPERVISE_REFUSED;
    default:
        return SUPERVISE_FAILED;
    }
}

static void reap(struct supervise_child *child)
{
    int status;
    if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid) {
        return;
    }
    child->pid = 0;
    child->last = end_of(status);
    child->again_us = status_wall_us() + SUPERVISE_AGAIN_US;
    child->kills += child->last == SUPERVISE_KILLED;
    child->failures += child->last == SUPERVISE_FAILED;
}

/* The last line that a daemon has written. */
static void last_words(const struct supervise *supervise, const struct supervise_child *child,
                       char *text, size_t text_bytes)
{
    char path[SUPERVISE_PATH_BYTES], line[512];
    snprintf(path, sizeof path, "%s/%s.log", supervise->provision->folder, child->name);
    snprintf(text, text_bytes, "it left no word");
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(text, text_bytes, "%s", line);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

bool supervise_turn(struct supervise *supervise, char *error, size_t error_bytes)
{
    for (uint32_t i = 0; i < supervise->count; i++) {
        struct supervise_child *child = &supervise->children[i];
        reap(child);
        if (child->pid == 0 && child->lives > 0 && child->last == SUPERVISE_REFUSED) {
            char words[512];
            last_words(supervise, child, words, sizeof words);
            snprintf(error, error_bytes, "%s does not start: %s", child->name, words);
            return false;
        }
        if (child->pid == 0 && status_wall_us() >= child->again_us && !start(supervise, child)) {
            snprintf(error, error_bytes, "%s: no process can be made: %s", child->name,
                     strerror(errno));
            return false;
        }
    }
    return true;
}

void supervise_kill(struct supervise *supervise, uint32_t node)
{
    const struct supervise_child *child = &supervise->children[node - 1];
    if (child->pid != 0) {
        (void)kill(child->pid, SIGKILL);
    }
}

static void nap(void)
{
    const struct timespec time = {0, NAP_US * 1000L};
    (void)nanosleep(&time, NULL);
}

/* Children first..last by index: all are told, then all are waited for. */
static bool stop_range(struct supervise *supervise, uint32_t first, uint32_t last)
{
    const uint64_t until_us = status_wall_us() + SUPERVISE_STOP_US;
    bool good = true;
    for (uint32_t i = first; i <= last; i++) {
        if (supervise->children[i].pid != 0) {
            (void)kill(supervise->children[i].pid, SIGTERM);
        }
    }
    for (uint32_t i = first; i <= last; i++) {
        struct supervise_child *child = &supervise->children[i];
        for (reap(child); child->pid != 0; reap(child)) {
            if (status_wall_us() >= until_us) {
                (void)kill(child->pid, SIGKILL);
                good = false;
            }
            nap();
        }
    }
    return good;
}

bool supervise_stop(struct supervise *supervise)
{
    const uint32_t devices = PROVISION_DEVICE_FIRST - 1;
    bool good = stop_range(supervise, devices, supervise->count - 1);
    good = stop_range(supervise, PROVISION_GATEWAY - 1, PROVISION_GATEWAY - 1) && good;
    good = stop_range(supervise, PROVISION_CLOUD - 1, PROVISION_CLOUD - 1) && good;
    free(supervise->children);
    supervise->children = NULL;
    return good;
}
