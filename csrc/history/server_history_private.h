/* server_history_private.h - what the server-side files of this room share. */
#ifndef SL_HISTORY_SERVER_HISTORY_PRIVATE_H
#define SL_HISTORY_SERVER_HISTORY_PRIVATE_H

#include "history/entry_cache.h"
#include "history/feature_level.h"
#include "history/gaps.h"
#include "history/merge_budget.h"
#include "history/schema_part.h"
#include "history/server_history.h"

/* Named facts in the store. */
#define SL_META_LEVEL      "server.feature_level"
#define SL_META_NEXT_IDENT "server.next_ident"
#define SL_META_INDIRECT   "server.indirect_clients"
#define SL_META_SCHEMA     "server.schema_version"
#define SL_META_COMPACTED  "server.compacted_until"
#define SL_META_GAPS       "server.empty_entries"
/* The first entry whose size the sums do not follow yet; 0 = all is right. */
#define SL_META_SUMS_FROM "server.sums_from"

/* The numbers of a file at one moment. */
typedef struct sl_server_numbers {
    uint64_t version;
    int64_t salt; /* of `version` */
    uint64_t size;
    uint64_t next_ident;
    uint64_t schema; /* no later version touches the schema */
    int level;
} sl_server_numbers;

/* A client for which another one speaks (4.2). */
typedef struct sl_indirect {
    uint64_t ident, proxy;
} sl_indirect;

/* Invariants: `now` is what the last commit stored; `unit` equals `now` outside a unit; the cache
 * may hold entries of the open unit, which a rollback cuts off again. */
struct sl_server_history {
    const sl_alloc *alloc;
    const sl_env *env;
    sl_store *store;
    sl_realm *realm;
    bool keep_originals;
    uint64_t max_merge_steps;
    sl_merge_budget merged;
    uint32_t max_classes;
    bool in_unit, recording;
    bool unsynced; /* the last commit was not durable */
    sl_server_numbers now, unit;
    sl_entry_cache cache;
    uint64_t compacted; /* see server_care.h */
    sl_gaps gaps;
    sl_indirect *indirect;
    size_t indirect_count, indirect_before; /* before the unit */
    sl_changeset recorded;                  /* a write of the server itself */
    sl_buf encoded;
};

/* Remembers an indirect client; false without memory. */
bool sl_server_history_note_indirect(sl_server_history *history, uint64_t ident, uint64_t proxy);
/* True if `origin` is `client` itself or a client for which it speaks. */
bool sl_server_history_speaks_for(const sl_server_history *history, uint64_t client,
                                  uint64_t origin);
/* Entries from memory where possible; `ctx` is the history. As store->entry_scan with bytes. */
bool sl_server_history_scan_entries(void *ctx, uint64_t after, uint64_t last,
                                    sl_entry_visitor visit, void *visit_ctx, sl_status *st);
/* As sl_server_history_scan_entries, but long runs of empty entries are left out. */
bool sl_server_history_scan_full(void *ctx, uint64_t after, uint64_t last, sl_entry_visitor visit,
                                 void *visit_ctx, sl_status *st);
/* A failure of changeset, transform or realm as one of this room: the client is to blame for what
 * does not parse, merge or apply (code 212 or 225), takes too long to merge (222), or is more than
 * realm or store can hold (201). False. */
bool sl_server_history_blame(sl_status *st, const sl_status *inner, uint64_t client_version);
/* Whether a changeset of a client that was just applied to a file of `before` classes leaves no
 * more than there may be; else it is to blame (code 225). */
bool sl_server_history_allows_classes(const sl_server_history *history, uint32_t before,
                                      uint64_t client_version, sl_status *st);
/* Whether a changeset that is about to be applied keeps to its author's right; else the author is
 * to blame (code 225). */
bool sl_server_history_allows_schema(const sl_server_history *history, const sl_changeset *cs,
                                     sl_schema_right right, uint64_t client_version, sl_status *st);
/* Notes that the file holds data of `cs`'s feature level, and that *level_of_author reads it. */
bool sl_server_history_note_level(sl_server_history *history, const sl_changeset *cs,
                                  uint64_t *level_of_author, sl_status *st);
/* Milliseconds since 2015; SL_ERR_USAGE "CLOCK" if the wall clock stands before that. */
bool sl_server_history_now(const sl_server_history *history, uint64_t *now, sl_status *st);
/* Appends a history entry to the unit: version, salt and cumulative size are filled in. `cs` is its
 * changeset. */
bool sl_server_history_append(sl_server_history *history, sl_history_entry *entry,
                              const sl_changeset *cs, sl_status *st);

#endif
