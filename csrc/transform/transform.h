/* transform.h - merging two concurrent sequences of changesets (protocol/3-transform.md). */
#ifndef SL_TRANSFORM_TRANSFORM_H
#define SL_TRANSFORM_TRANSFORM_H

#include "base/steps.h"
#include "changeset/changeset.h"

/* One changeset of a side. `changeset` is borrowed and changed in place, paths included (so no two
 * instructions may share a path array); instructions that the merge adds get their memory from the
 * changeset's own arena. Instructions of different changesets never share memory. */
typedef struct sl_merge_item {
    sl_changeset *changeset;
    uint64_t origin_timestamp; /* ms since 2015-01-01Z */
    uint64_t origin_file;      /* never 0: 0 has been replaced by the real ident */
    bool modified; /* out: an instruction was dropped, added or changed (2.5). If one was
                    * dropped or added, all strings are now said to stand first */
} sl_merge_item;

/* What to do with SetErase / SetErase (rule F29). */
typedef enum sl_set_erase_policy {
    SL_SET_ERASE_BOTH,    /* same position and equal values; the production setting */
    SL_SET_ERASE_CONTENT, /* equal values */
    SL_SET_ERASE_LITERAL  /* same position, as the reference does; for oracle tests */
} sl_set_erase_policy;

/* One decision of the merge, for the explanation mode. All pointers borrowed, valid during the
 * call. `rule` is "F1".."F29" or "N1".."N8". An instruction that the merge adds (F4) is reported
 * with `before` NULL; `after` is the new one. */
typedef struct sl_merge_event {
    const char *rule;
    bool local;              /* the instruction belongs to the local side */
    bool dropped;            /* else changed */
    size_t item, other_item; /* index of its changeset, and of the other instruction's changeset */
    const sl_changeset *changeset, *other_changeset;
    const sl_instruction *before, *after; /* `after` NULL if dropped, `before` NULL if added */
    const sl_instruction *other;
} sl_merge_event;

typedef struct sl_merge_options {
    const sl_alloc *alloc; /* scratch memory; NULL = heap */
    sl_set_erase_policy set_erase;
    bool no_index;     /* visit every pair; same result, for tests */
    bool keep_created; /* an incoming creation of an embedded object where `local` has just made one
                        * is dropped also when it is the younger (G4): the two are one object, and
                        * creating it again would empty it under what both sides have put into it */
    bool
        allow_equal; /* decide equal discriminants by the tie notes of the rules instead of failing;
                      * the result then depends on which side is called local. For oracle tests */
    void (*explain)(void *ctx, const sl_merge_event *event); /* NULL = off */
    void *explain_ctx;
    sl_steps *steps; /* counts what was looked at; NULL = nobody wants to know. One step is some
                      * nanoseconds */
} sl_merge_options;

/* The id of the failure of a merge that takes more steps than it may. */
#define SL_MERGE_TOO_LONG "STEPS"

/* Merges `local` (major side: window entries in version order) with `incoming` (minor side, in the
 * order received), both based on the same state. On success both sides are transformed in place:
 * the incoming ones may be applied after the local ones, and the other way round. `options` may be
 * NULL. Fails with SL_ERR_CHANGESET and the id of 3-transform.md section 7 (S1-S9, V1-V9), with
 * SL_ERR_CHANGESET "EQUAL" when two changesets of different sides have equal discriminants, with
 * SL_ERR_CHANGESET SL_MERGE_TOO_LONG beyond the limit of `steps`, or with SL_ERR_MEMORY; both sides
 * are then undefined and must be thrown away. */
bool sl_transform(sl_merge_item *local, size_t local_count, sl_merge_item *incoming,
                  size_t incoming_count, const sl_merge_options *options, sl_status *st);

#endif
