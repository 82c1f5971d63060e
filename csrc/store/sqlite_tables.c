#include "store/sqlite_internal.h"

/* Version 1: metadata, history, client files, catalogue, links. Rowid tables where a row can be
 * large, WITHOUT ROWID where rows are small and found by their key. */
static const char version_1[] =
    "CREATE TABLE _sl_meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE _sl_history("
    " version INTEGER PRIMARY KEY, peer_version INTEGER NOT NULL, origin_file INTEGER NOT NULL,"
    " origin_timestamp INTEGER NOT NULL, salt INTEGER NOT NULL, cumulative_size INTEGER NOT NULL,"
    " changeset BLOB NOT NULL, original BLOB NOT NULL);"
    "CREATE TABLE _sl_reciprocal("
    " peer INTEGER NOT NULL, version INTEGER NOT NULL, changeset BLOB NOT NULL,"
    " PRIMARY KEY(peer, version));"
    "CREATE TABLE _sl_client_files("
    " ident INTEGER PRIMARY KEY, salt INTEGER NOT NULL, type INTEGER NOT NULL,"
    " proxy INTEGER NOT NULL, client_version INTEGER NOT NULL, reciprocal_base INTEGER NOT NULL,"
    " locked_version INTEGER NOT NULL, feature_level INTEGER NOT NULL,"
    " last_seen INTEGER NOT NULL, user TEXT NOT NULL);"
    "CREATE TABLE _sl_classes("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, table_name TEXT UNIQUE,"
    " kind TEXT NOT NULL, key_name TEXT, key_type TEXT NOT NULL, key_nullable INTEGER NOT NULL,"
    " key_column TEXT, objects_made INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE _sl_properties("
    " class INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
    " column_name TEXT NOT NULL, type TEXT NOT NULL, collection TEXT NOT NULL,"
    " nullable INTEGER NOT NULL, target TEXT, target_key TEXT, retired INTEGER NOT NULL,"
    " PRIMARY KEY(class, number)) WITHOUT ROWID;"
    "CREATE TABLE _sl_links("
    " class INTEGER NOT NULL, key NOT NULL, target TEXT NOT NULL, target_key NOT NULL,"
    " PRIMARY KEY(class, key, target, target_key)) WITHOUT ROWID;"
    "CREATE INDEX _sl_links_target ON _sl_links(target, target_key);";

/* Version 2: views for people. */
static const char version_2[] =
    "CREATE VIEW _sl_log AS SELECT version, peer_version,"
    " CASE origin_file WHEN 0 THEN NULL ELSE origin_file END AS author,"
    " strftime('%Y-%m-%dT%H:%M:%fZ', origin_timestamp / 1000.0 + 1420070400, 'unixepoch')"
    " AS made_at, length(changeset) AS bytes, length(original) AS original_bytes"
    " FROM _sl_history;"
    "CREATE VIEW _sl_schema AS SELECT c.name AS class, c.table_name, c.kind, c.key_name,"
    " p.name AS property, p.column_name, p.type, p.collection, p.nullable, p.target"
    " FROM _sl_classes c LEFT JOIN _sl_properties p ON p.class = c.id AND p.retired = 0"
    " ORDER BY c.name, p.number;";

static const char *const steps[] = {version_1, version_2};
_Static_assert(sizeof steps / sizeof *steps == SL_SQLITE_VERSION, "one step for each version");

static bool run_steps(sl_sqlite_store *store, int from, sl_status *st) {
    for (int version = from; version < SL_SQLITE_VERSION; version++) {
        if (!sl_sqlite_exec(store, steps[version], "bringing the tables up to date", st)) {
            return false;
        }
    }
    char stamp[96];
    sqlite3_snprintf(sizeof stamp, stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                     SL_SQLITE_APPLICATION_ID, SL_SQLITE_VERSION);
    return sl_sqlite_exec(store, stamp, "stamping the file", st);
}

bool sl_sqlite_migrate(sl_sqlite_store *store, int from, sl_status *st) {
    if (!sl_sqlite_exec(store, "BEGIN IMMEDIATE", "beginning a transaction", st)) return false;
    if (run_steps(store, from, st) && sl_sqlite_exec(store, "COMMIT", "committing", st)) {
        return true;
    }
    if (!sqlite3_get_autocommit(store->db)) sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}
