/* lying_store.h - a store between the real one and its user that does not do all it says. */
#ifndef SL_SPEC_SIM_LYING_STORE_H
#define SL_SPEC_SIM_LYING_STORE_H

#include "history/client_history.h"
#include "store/store.h"

typedef struct lies {
    bool commits_not_flushed;
    bool idents_not_flushed;
    bool rows_put_later;  /* the client table is written by the next transaction */
    bool facts_put_later; /* so are the named facts */
    bool empty_forms_vanish;
    bool forms_not_kept;
    bool forms_dropped_early;
    bool entries_dropped_early;
    bool forms_never_dropped;
    bool entries_never_dropped;
} lies;

typedef struct lying_store {
    sl_store base;
    sl_store *inner; /* owned */
    int who;
    lies lies;
    bool row_waits, fact_waits, ident_made, entry_made, fresh;
    sl_client_file row;
    char fact_name[80];
    char fact[2000];
    uint32_t fact_size;
    bool hide_progress;       /* client rows read as if nothing was integrated */
    sl_upload_cursor scanned; /* for mutation.c: how far uploads were ever scanned */
} lying_store;

/* Takes `inner` over. */
sl_store *lying_store_new(sl_store *inner, int who, const lies *what);
/* NULL if it is not one. */
lying_store *lying_store_of(sl_store *store);

#endif
