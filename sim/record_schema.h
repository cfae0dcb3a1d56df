/* The run database as SQL. */
#ifndef BROWNOUT_SIM_RECORD_SCHEMA_H
#define BROWNOUT_SIM_RECORD_SCHEMA_H

/* One statement each; ends with NULL. */
extern const char *const record_schema[];

#endif
