/* A run for the tools that people have: written while its plan is lived again, so that its length
 * costs no memory. Nothing of it changes the run: its hash is the same.
 *   pcapng     the links (sim/pcapng.h): Wireshark, tshark
 *   perfetto   a timeline (sim/perfetto.h): ui.perfetto.dev, chrome://tracing
 *   CSV        all items, a row each, under a row of names (RFC 4180): spreadsheets, databases
 */
#ifndef BROWNOUT_SIM_EXPORT_H
#define BROWNOUT_SIM_EXPORT_H

#include "sim/pcapng.h"
#include "sim/perfetto.h"
#include "sim/run.h"

enum export_format { EXPORT_PCAPNG, EXPORT_PERFETTO, EXPORT_CSV, EXPORT_FORMAT_COUNT };

enum { EXPORT_TITLE_BYTES = 500 };

struct export
{
    enum export_format format;
    const char *path;                /* borrowed */
    const struct settings *settings; /* borrowed */
    FILE *file;
    uint64_t items;   /* told */
    uint64_t records; /* written: frames, trace events, or rows */
    struct pcapng pcapng;
    struct perfetto perfetto;
};

/* Make the file, and hear what request->plan lives. Path, request and its plan outlive the export.
 * title: what it is, for people. False: error says what cannot be written, and why. */
bool export_begin(struct export *export, enum export_format format, const char *path,
                  const char *title, struct run_request *request, char *error, size_t error_bytes);
/* The run has ended. False: error says what is not whole; the file is removed. */
bool export_end(struct export *export, char *error, size_t error_bytes);

#endif
