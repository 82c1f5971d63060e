/* explain.h - what a merge decided, for people: which rule, who won and why. */
#ifndef SL_TRANSFORM_EXPLAIN_H
#define SL_TRANSFORM_EXPLAIN_H

#include "base/buf.h"
#include "transform/transform.h"

/* What happened to one instruction. Texts live as long as the explanation. */
typedef struct sl_merge_record {
    const char *rule;         /* "F1" .. "F29", "N1" .. "N8" */
    bool local;               /* whose instruction it was */
    bool dropped, added;      /* neither: changed */
    size_t item, other_item;  /* number of its changeset in its side, and of the other one's */
    uint64_t timestamp, file; /* of its changeset */
    uint64_t other_timestamp, other_file;
    sl_str before;   /* printed as by sl_changeset_to_text; "" if added */
    sl_str after;    /* "" if dropped */
    sl_str other;    /* the instruction that it met, before the rule */
    const char *why; /* one sentence; static storage */
    bool by_age;     /* the reason is that the other changeset is younger */
} sl_merge_record;

/* A list of decisions, in the order in which they were taken. `failed`: a record is missing because
 * there was no memory. */
typedef struct sl_explanation {
    sl_arena arena;
    const sl_merge_item *local, *incoming; /* borrowed, while the merge runs */
    sl_merge_record *records;
    uint32_t count, capacity;
    bool failed;
} sl_explanation;

/* `alloc` borrowed (NULL = heap). `local` and `incoming`: the arguments of sl_transform. */
void sl_explanation_init(sl_explanation *e, const sl_alloc *alloc, const sl_merge_item *local,
                         const sl_merge_item *incoming);
void sl_explanation_free(sl_explanation *e);

/* For sl_merge_options.explain, with the explanation as `explain_ctx`. */
void sl_explanation_event(void *explanation, const sl_merge_event *event);

/* Appends one paragraph per record, or a line that says that nothing met. Fails only when memory
 * runs out. */
bool sl_explanation_text(const sl_explanation *e, sl_buf *out, sl_status *st);

#endif
