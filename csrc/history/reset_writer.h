/* reset_writer.h - instructions made from what realms hold, for client resets
 * (protocol/4-history-and-sessions.md, 12.4 and 12.6). Private to the client side. */
#ifndef SL_HISTORY_RESET_WRITER_H
#define SL_HISTORY_RESET_WRITER_H

#include "changeset/changeset.h"
#include "realm/object.h"
#include "realm/realm.h"

/* Appends to `cs`; everything is copied into it. The place of the instructions is `path` below
 * property `field` of an object. `failed` is set when memory runs out; look once at the end. */
typedef struct sl_reset_writer {
    sl_changeset *cs; /* borrowed */
    uint32_t class_name, field;
    sl_key key; /* string keys carry the symbol in `cs` */
    sl_path_elem path[SL_MAX_PATH];
    uint16_t path_size;
    bool failed;
    /* Whether a link may be written; NULL = all may. Links that may not become null, or are left
     * out of lists, sets and dictionaries. */
    bool (*link_allowed)(void *ctx, const sl_link *link);
    /* Gives the target of a link another key; NULL = keys stay. */
    void (*rename)(void *ctx, sl_str class_name, sl_key *key);
    void *ctx;
} sl_reset_writer;

void sl_reset_writer_init(sl_reset_writer *writer, sl_changeset *cs);
/* The object and property that follow (names and key copied). Empties the path. */
void sl_reset_writer_at(sl_reset_writer *writer, sl_str class_name, const sl_key *key,
                        sl_str field);

void sl_reset_write_class(sl_reset_writer *writer, const sl_class *cls);
void sl_reset_write_property(sl_reset_writer *writer, sl_str class_name, const sl_property *prop);
void sl_reset_write_create(sl_reset_writer *writer, sl_str class_name, const sl_key *key);
void sl_reset_write_erase(sl_reset_writer *writer, sl_str class_name, const sl_key *key);
/* Gives the place the content of `node`, whatever it held before. */
void sl_reset_write_node(sl_reset_writer *writer, const sl_node *node);
/* A copy of instruction `in` of `from`, with names, strings and path of its own; NULL without
 * memory (and `failed`). */
sl_instruction *sl_reset_write_copy(sl_reset_writer *writer, const sl_changeset *from,
                                    const sl_instruction *in);

/* Same content; embedded objects are compared by the names of their properties, so the nodes may
 * belong to different realms. */
bool sl_reset_node_eq(const sl_node *a, const sl_node *b);
/* Whether `there` is what sl_reset_write_node would make of `node`; links by their new keys. */
bool sl_reset_is_written(const sl_reset_writer *writer, const sl_node *node, const sl_node *there);

#endif
