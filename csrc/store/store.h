/* store.h - durable storage of one realm file behind a vtable (protocol/4-history-and-sessions.md,
 * sections 4, 9 and 18). One file holds schema, objects, history, reciprocal forms, client files
 * and metadata, so that one commit covers them all. No type of a storage engine appears above this
 * line. */
#ifndef SL_STORE_STORE_H
#define SL_STORE_STORE_H

#include "base/status.h"
#include "base/str.h"
#include "realm/source.h"
#include "store/state.h"

/* One entry of a history, on either side.
 *                    client file                        server file
 * version            client version it produced         server version it produced
 * peer_version       server version it was based on     author's client version (0: server's own)
 * origin_file        0 = made here                      author (0 = the server itself)
 * salt               made for another file: its ident   salt of the version
 * changeset          as recorded; "" if received        transformed form; "" if nothing is left
 * original           ""                                 as uploaded, while retention keeps it; else
 * "" */
typedef struct sl_history_entry {
    uint64_t version;
    uint64_t peer_version;
    uint64_t origin_file;
    uint64_t origin_timestamp; /* ms since 2015-01-01Z, never altered */
    int64_t salt;
    uint64_t cumulative_size; /* sum of changeset sizes up to and including this entry */
    sl_str changeset;
    sl_str original;
} sl_history_entry;

/* One row of the client table of a server file (4.2). */
typedef struct sl_client_file {
    uint64_t ident;           /* 2, 3, ... never reused */
    int64_t salt;             /* 1 .. 2^63-1 */
    uint8_t type;             /* 1 indirect, 2 regular, 4 subserver, 5 legacy, 6 self */
    uint64_t proxy;           /* indirect clients: who speaks for it; else 0 */
    uint64_t client_version;  /* upload progress */
    uint64_t reciprocal_base; /* upload progress: server version at client_version */
    uint64_t locked_version;  /* newest promise */
    uint64_t feature_level;   /* raised by its own uploads (7.6); 0 */
    int64_t last_seen;        /* Unix seconds; 0 = expired */
    sl_str user;              /* who it was issued to; "" without users */
} sl_client_file;

/* Entries and rows handed to a visitor are borrowed and valid during the call. Return false to stop
 * early (not an error). */
typedef bool (*sl_entry_visitor)(void *ctx, const sl_history_entry *entry);
typedef bool (*sl_client_visitor)(void *ctx, const sl_client_file *row);

/* All functions return false with `st` filled on failure: SL_ERR_STORAGE with an id (LOCKED, FULL,
 * DAMAGED, READONLY, IO, SYNC, or LIMIT: what is to be stored is beyond what this kind of store can
 * hold, now and at every later try), SL_ERR_MEMORY, or SL_ERR_USAGE where the caller is wrong.
 * After a failed change the transaction can only be rolled back. Calls that change something are
 * legal only between begin and commit/rollback (SL_ERR_USAGE otherwise). A store is used by one
 * thread at a time and has at most one open transaction. Numbers of all kinds fit 63 bits. A
 * visitor may call the store. */
typedef struct sl_store_vtbl {
    /* Closes; an open transaction is rolled back. `store` may not be used afterwards. */
    void (*close)(sl_store *store);

    bool (*begin)(sl_store *store, sl_status *st);
    /* `durable`: returns only after the commit would survive power loss. Otherwise it survives a
     * crash of the process, and the next durable commit or sync makes it survive power loss too.
     * On failure the transaction has been rolled back. One exception: with the id "SYNC" it is
     * complete but could not be flushed, nobody knows what power loss would leave, and every later
     * call but close fails; open again and go on from what is there. */
    bool (*commit)(sl_store *store, bool durable, sl_status *st);
    void (*rollback)(sl_store *store);
    /* Makes every earlier commit durable. Cheap when nothing is pending. */
    bool (*sync)(sl_store *store, sl_status *st);

    /* Schema and objects. Borrowed, lives as long as the store. */
    const sl_realm_source *(*source)(sl_store *store);

    /* What it can do to hand its content to new clients, or to receive it; NULL: nothing. Borrowed,
     * lives as long as the store. */
    const sl_state_store *(*states)(sl_store *store);

    /* Versions strictly increase (gaps are legal). */
    bool (*entry_append)(sl_store *store, const sl_history_entry *entry, sl_status *st);
    /* *found = false if there is none. The entry's bytes are borrowed until the next call. */
    bool (*entry_get)(sl_store *store, uint64_t version, sl_history_entry *entry, bool *found,
                      sl_status *st);
    /* Entries with after < version <= last, ascending. `bytes` false: changeset and original are
     * handed out with their size but data NULL. */
    bool (*entry_scan)(sl_store *store, uint64_t after, uint64_t last, bool bytes,
                       sl_entry_visitor visit, void *ctx, sl_status *st);
    /* Replaces changeset, original, peer_version and cumulative_size of an existing entry;
     * SL_ERR_USAGE if there is none. */
    bool (*entry_replace)(sl_store *store, const sl_history_entry *entry, sl_status *st);
    /* Removes entries with version <= last. */
    bool (*entry_drop)(sl_store *store, uint64_t last, sl_status *st);
    /* First and last version held; both 0 when there is none. */
    bool (*entry_range)(sl_store *store, uint64_t *first, uint64_t *last, sl_status *st);

    /* Reciprocal form of entry `version` for peer `peer` (client: 1 = the server). "No form stored"
     * and "empty form" are different: *found. `bytes` borrowed until the next call. */
    bool (*reciprocal_put)(sl_store *store, uint64_t peer, uint64_t version, sl_str bytes,
                           sl_status *st);
    bool (*reciprocal_get)(sl_store *store, uint64_t peer, uint64_t version, sl_str *bytes,
                           bool *found, sl_status *st);
    bool (*reciprocal_drop)(sl_store *store, uint64_t peer, uint64_t last, sl_status *st);

    /* Client table. `client_put` adds or replaces by ident. */
    bool (*client_put)(sl_store *store, const sl_client_file *row, sl_status *st);
    bool (*client_get)(sl_store *store, uint64_t ident, sl_client_file *row, bool *found,
                       sl_status *st);
    bool (*client_scan)(sl_store *store, sl_client_visitor visit, void *ctx, sl_status *st);

    /* Small named facts. A number that was never put reads as 0, bytes as "" (borrowed until the
     * next call). Names are printable ASCII without spaces, 1 to 64 bytes. Number and bytes of one
     * name replace one another; reading the other kind is as if it was never put. */
    bool (*meta_put_int)(sl_store *store, const char *name, int64_t value, sl_status *st);
    bool (*meta_get_int)(sl_store *store, const char *name, int64_t *value, sl_status *st);
    bool (*meta_put_bytes)(sl_store *store, const char *name, sl_str value, sl_status *st);
    bool (*meta_get_bytes)(sl_store *store, const char *name, sl_str *value, sl_status *st);
} sl_store_vtbl;

/* First member of every implementation. */
struct sl_store {
    const sl_store_vtbl *vtbl;
};

#endif
