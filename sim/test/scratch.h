/* A folder that a test made for its files. */
#ifndef BROWNOUT_TEST_SCRATCH_H
#define BROWNOUT_TEST_SCRATCH_H

/* The folder and the files in it; it has no folders of its own. */
void scratch_remove(const char *folder);

#endif
