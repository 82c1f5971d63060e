/* sqlite_internal.h - what the files of the SQLite store share. Not for other rooms. */
#ifndef SL_STORE_SQLITE_INTERNAL_H
#define SL_STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/catalogue.h"
#include "store/sqlite_lock.h"
#include "store/sqlite_state.h"
#include "store/sqlite_store.h"

/* "SLRM" in the header of the file, and the version of the tables. */
enum { SL_SQLITE_APPLICATION_ID = 0x534c524d, SL_SQLITE_VERSION = 2 };

/* Statements kept prepared; texts in sqlite_statement.c. */
typedef enum sl_sqlite_query {
    SL_Q_BEGIN,
    SL_Q_COMMIT,
    SL_Q_ROLLBACK,
    SL_Q_ENTRY_APPEND,
    SL_Q_ENTRY_GET,
    SL_Q_ENTRY_SCAN,
    SL_Q_ENTRY_SCAN_SIZES,
    SL_Q_ENTRY_REPLACE,
    SL_Q_ENTRY_DROP,
    SL_Q_ENTRY_RANGE,
    SL_Q_RECIPROCAL_PUT,
    SL_Q_RECIPROCAL_GET,
    SL_Q_RECIPROCAL_DROP,
    SL_Q_CLIENT_PUT,
    SL_Q_CLIENT_GET,
    SL_Q_CLIENT_SCAN,
    SL_Q_META_PUT,
    SL_Q_META_GET,
    SL_Q_CLASS_PUT,
    SL_Q_CLASS_DROP,
    SL_Q_CLASS_DROP_PROPERTIES,
    SL_Q_CLASS_DROP_LINKS,
    SL_Q_PROPERTY_PUT,
    SL_Q_PROPERTY_DROP,
    SL_Q_PROPERTY_RETIRE,
    SL_Q_SEQUENCE_GET,
    SL_Q_SEQUENCE_PUT,
    SL_Q_LINK_PUT,
    SL_Q_LINK_CLEAR,
    SL_Q_LINK_LIST,
    SL_Q_LINK_DROP,
    SL_Q_LINK_FIND,
    SL_Q_COUNT
} sl_sqlite_query;

/* Invariants: `writing` from begin to commit or rollback. `unsynced`: something committed is not
 * flushed yet. `failed`: a flush failed, only close is legal. `last_version` is valid if
 * `last_known`. The catalogue mirrors the class and property tables unless `catalogue_stale`. */
struct sl_sqlite_store {
    sl_store base;
    sl_alloc alloc;
    sqlite3 *db;
    char *path; /* as given, owned */
    sl_sqlite_lock lock;
    int busy_ms;
    bool in_memory, read_only, unlogged, untrusted;
    bool writing, wrote, unsynced, failed;
    bool last_known;
    uint64_t last_version;
    sqlite3_stmt *statements[SL_Q_COUNT];
    sl_buf bytes;    /* what the caller borrows until the next call */
    sl_buf scratch;  /* of one call */
    sl_arena arena;  /* of one object read or saved */
    sl_strmap links; /* of one object saved */
    sl_arena bound;  /* while `saving`: what is bound, so that SQLite need not copy it */
    bool saving;
    sl_realm_source source;
    sl_catalogue catalogue;
    bool catalogue_stale, schema_changed;
    sl_schema *schema; /* the realm's, from the last schema_load */
    sl_sqlite_states states;
};

static inline sl_sqlite_store *sl_sqlite_self(sl_store *store) {
    return (sl_sqlite_store *)store;
}

/* --- sqlite_error.c --- */

/* Fills `st` from the last failure of store->db, `rc` being its result; `what` was to be done. */
bool sl_sqlite_fail(sl_sqlite_store *store, int rc, const char *what, sl_status *st);
/* The same for a connection of its own on `path`. */
bool sl_sqlite_fail_db(sqlite3 *db, const char *path, int rc, const char *what, sl_status *st);

/* --- sqlite_statement.c --- */

/* Runs SQL without parameters and results. */
bool sl_sqlite_exec(sl_sqlite_store *store, const char *sql, const char *what, sl_status *st);
/* A statement ready to be bound; given back by sl_sqlite_release. When the kept one is in use
 * further up (a visitor called the store), a new one is made. NULL with `st` on failure. */
sqlite3_stmt *sl_sqlite_query_take(sl_sqlite_store *store, sl_sqlite_query query, sl_status *st);
void sl_sqlite_query_release(sl_sqlite_store *store, sl_sqlite_query query, sqlite3_stmt *stmt);
/* Prepares any text; the caller finalizes it. */
sqlite3_stmt *sl_sqlite_prepare(sl_sqlite_store *store, sl_str sql, sl_status *st);
/* Steps a statement that changes something and releases it. False with `st` on failure. */
bool sl_sqlite_query_run(sl_sqlite_store *store, sl_sqlite_query query, sqlite3_stmt *stmt,
                         const char *what, sl_status *st);
void sl_sqlite_finalize_all(sl_sqlite_store *store);

/* Binds text, or a BLOB when the bytes are not UTF-8 or contain a NUL; static: the bytes stay until
 * the statement is reset. */
int sl_sqlite_bind_str(sqlite3_stmt *stmt, int at, sl_str s);
int sl_sqlite_bind_blob(sqlite3_stmt *stmt, int at, sl_str s);
/* The bytes of a TEXT or BLOB; borrowed until the statement is stepped or reset. */
sl_str sl_sqlite_column_str(sqlite3_stmt *stmt, int at);

/* First line of every function that reads, and of every one that changes. */
bool sl_sqlite_reading(sl_sqlite_store *store, sl_status *st);
bool sl_sqlite_changing(sl_sqlite_store *store, sl_status *st);

/* --- sqlite_tables.c --- */

/* Makes the tables in an empty file, or brings the tables of an older one up to date. Inside one
 * transaction of its own. */
bool sl_sqlite_migrate(sl_sqlite_store *store, int from, sl_status *st);

/* --- sqlite_history.c: the functions of the vtable --- */

extern const sl_store_vtbl sl_sqlite_vtable;
/* The number `name` of the metadata, without the rules for names. */
bool sl_sqlite_meta_int(sl_sqlite_store *store, const char *name, int64_t *value, sl_status *st);
bool sl_sqlite_meta_put_int(sl_sqlite_store *store, const char *name, int64_t value, sl_status *st);

/* --- sqlite_transaction.c --- */

bool sl_sqlite_begin(sl_store *store, sl_status *st);
bool sl_sqlite_commit(sl_store *store, bool durable, sl_status *st);
void sl_sqlite_rollback(sl_store *store);
bool sl_sqlite_sync(sl_store *store, sl_status *st);

/* --- sqlite_open.c --- */

void sl_sqlite_close(sl_store *store);

/* --- sqlite_source.c and the files it uses --- */

/* Fills store->source but for `alloc`. */
void sl_sqlite_source_init(sl_sqlite_store *store);
/* Reads the catalogue if it is stale. */
bool sl_sqlite_catalogue_need(sl_sqlite_store *store, sl_status *st);
/* Forgets the catalogue with all statements of classes. */
void sl_sqlite_catalogue_drop(sl_sqlite_store *store);
/* Makes the tables that are still pending; before a commit. */
bool sl_sqlite_catalogue_build(sl_sqlite_store *store, sl_status *st);
/* SL_ERR_STORAGE "DAMAGED" unless every class has its table with its columns. */
bool sl_sqlite_catalogue_verify(sl_sqlite_store *store, sl_status *st);

#endif
