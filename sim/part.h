/* Flash parts as files: `key = value` lines, `#` begins a comment that says where figures come
 * from. What the keys mean is in the table of part.c and in struct flash_profile. */
#ifndef BROWNOUT_SIM_PART_H
#define BROWNOUT_SIM_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/flash.h"

enum { PART_NAME_BYTES = 32, PART_ABOUT_BYTES = 128, PARTS_MAX = 32 };

struct part {
    char name[PART_NAME_BYTES];   /* the file's, without folder and ending */
    char about[PART_ABOUT_BYTES]; /* one line for people */
    uint32_t endurance;           /* erases that the data sheet promises; 0: not said */
    struct flash_profile profile;
};

#define PART_FOLDER "sim/parts"

enum { PART_TEXT_BYTES = 512 }; /* of a part on one line */

/* Read "nor-8", which is PART_FOLDER/nor-8.part, or a file by its path (with a / or ending in
 * .part). False: error says file, line and what to do. */
bool part_load(const char *spec, struct part *part, char *error, size_t error_bytes);

/* A part on one line, without its file: "nor-8: sectors=128x4096; unit=8; ...". The keys are those
 * of a file, in one order; what has its default is left out. It says the same profile, and no more
 * than that and the endurance. False: it has no room in text_bytes. */
bool part_print(const struct part *part, char *text, size_t text_bytes);

/* What part_load takes, or a line of part_print: that is what has a `=`. Any bytes may come. False:
 * error says what is wrong. */
bool part_read(const char *spec, struct part *part, char *error, size_t error_bytes);

/* The names of the parts in a folder, sorted. False: error says why. */
bool part_list(const char *folder, char names[PARTS_MAX][PART_NAME_BYTES], uint32_t *count,
               char *error, size_t error_bytes);

/* The same part with smaller sectors, if it can have them, and no more of them than so many: size,
 * times and rules stay. For searches, whose space is as large as the sectors are. */
void part_fit(struct flash_profile *profile, uint32_t sector_bytes_max, uint32_t sector_count);

/* What the profile says, canonically: for keys and certificates. Name and text do not count. */
void part_digest(const struct flash_profile *profile, uint64_t digest[2]);

#endif
