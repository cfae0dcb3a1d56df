/* A server's state in SQLite: one connection, prepared statements, one transaction a step.
 *
 * A transaction begins with the first write of a step and is over before the step lets anybody see
 * its effect. Errors are three: ERR_OK; ERR_FULL, the disk has no room, and database_abandon()
 * brings back the state of the last commit; ERR_IO for all else, after which RAM and disk may
 * disagree and only a restart tells what is durable.
 */
#ifndef BROWNOUT_CORE_SERVER_DATABASE_H
#define BROWNOUT_CORE_SERVER_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/port.h"

struct database {
    sqlite3 *sqlite; /* NULL: not open */
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    bool writing; /* a transaction is open */
};

/* Open port->disk_path, recover what the last life left, create what the schema lacks.
 * On error database_close() is still to be called. */
enum err database_open(struct database *database, const struct port *port,
                       const char *schema) MUST_USE;

/* Prepare a statement that lives until database_close(). */
enum err database_prepare(struct database *database, const char *sql,
                          sqlite3_stmt **statement) MUST_USE;

/* Run a bound statement of no rows inside the step's transaction, which begins here if it has not.
 */
enum err database_write(struct database *database, sqlite3_stmt *statement) MUST_USE;

/* The next row of a query: ERR_OK, ERR_NOT_FOUND after the last, or an error. Unless it is ERR_OK
 * the statement has been reset; a caller who stops earlier calls sqlite3_reset. */
enum err database_row(sqlite3_stmt *statement) MUST_USE;

/* Durable once this returns ERR_OK. Does nothing when no transaction is open. */
enum err database_commit(struct database *database) MUST_USE;

/* After ERR_FULL: back to the last commit. ERR_OK | ERR_IO. */
enum err database_abandon(struct database *database) MUST_USE;

/* Did the last call find that the file is no database any more? An error of the disk is none: what
 * a check of all pages says cannot tell the two apart, so none is made. */
bool database_is_corrupt(const struct database *database);

/* Empty port->disk_path, whatever is in it; no connection is open. ERR_OK | ERR_FULL | ERR_IO. */
enum err database_reset(const struct port *port) MUST_USE;

/* Finalise and close. The file is left as the last commit left it: no checkpoint. */
void database_close(struct database *database);

#endif
