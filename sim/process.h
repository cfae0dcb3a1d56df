/* Another process: started, read, waited for. A tool's, never a simulation's. */
#ifndef BROWNOUT_SIM_PROCESS_H
#define BROWNOUT_SIM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum process_memory {
    PROCESS_MEMORY_DRAWN, /* addresses are drawn anew, as the system does */
    PROCESS_MEMORY_OTHER, /* they stand still, the heap is filled, the environment is larger */
};

struct process {
    pid_t pid;
    int output;
};

/* argv[0] is looked up in PATH unless it has a slash; NULL ends it. Its standard input is empty;
 * what it says on standard output, and with `errors` on standard error as well, is for
 * process_finish. False: no process could be made (errno). */
bool process_start(struct process *process, const char *const *argv, enum process_memory memory,
                   bool errors);

/* Read all of it (what does not fit is dropped; text ends with NUL), then wait. The exit code;
 * 128 + signal if a signal ended it. */
int process_finish(struct process *process, char *text, size_t text_bytes);

#endif
