/* The page of the report: HTML, style and script in one, made by report/build.mjs when the command
 * is built. What it shows is put where REPORT_PAGE_MARK stands. */
#ifndef BROWNOUT_SIM_REPORT_PAGE_H
#define BROWNOUT_SIM_REPORT_PAGE_H

#include <stddef.h>

#define REPORT_PAGE_MARK "<!--data-->"

extern const unsigned char report_page[];
extern const size_t report_page_bytes; /* 0: built where there was no npm; the verb refuses */

#endif
