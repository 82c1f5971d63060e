#include "realm/record_internal.h"
#include "realm/scan.h"

/* Loads the number of the next keyless object, about to change, and notes it for undoing. */
static bool open_sequence(sl_realm *realm, sl_table *table, sl_status *st) {
    const sl_realm_source *source = realm->source;
    if (source && !table->sequence_known &&
        !source->sequence_get(source->ctx, table->cls, &table->next_sequence, st))
        return false;
    table->sequence_known = true;
    sl_undo *undo = sl_undo_next(realm);
    if (!undo) return sl_fail_memory(st);
    undo->op = SL_UNDO_SEQUENCE;
    undo->target = table;
    undo->number = table->next_sequence;
    sl_undo_push(realm);
    return true;
}

bool sl_realm_skip_numbers(sl_realm *realm, sl_str class_name, uint64_t next, sl_status *st) {
    sl_table *table;
    if (!sl_realm_check_open(realm, st) || !sl_realm_find_table(realm, class_name, &table, st) ||
        !open_sequence(realm, table, st))
        return false;
    if (table->next_sequence >= next) return true;
    table->next_sequence = next;
    table->sequence_dirty = true;
    return true;
}

/* The next free GlobalKey of a keyless class (13.2). */
static sl_cell *allocate(sl_realm *realm, sl_table *table, sl_status *st) {
    if (!open_sequence(realm, table, st)) return NULL;
    for (;;) {
        sl_key key = {.type = SL_TYPE_GLOBALKEY};
        key.global.hi = realm->file_ident;
        key.global.lo = table->next_sequence++;
        table->sequence_dirty = true;
        sl_status cause = SL_STATUS_INIT;
        if (!sl_check_key(table->cls, &key, &cause)) {
            sl_usage(st, &cause);
            return NULL;
        }
        sl_cell *cell = sl_table_cell(realm, table, &key);
        if (!cell) {
            sl_fail_memory(st);
            return NULL;
        }
        if (!sl_cell_load(realm, cell, st)) return NULL;
        if (!cell->object) return cell;
    }
}

static sl_cell *cell_for(sl_realm *realm, sl_str class_name, const sl_key *key, sl_status *st) {
    sl_table *table;
    sl_cell *cell;
    if (!sl_realm_find_table(realm, class_name, &table, st)) return NULL;
    if (!key && !table->cls->has_key && table->cls->kind != SL_TABLE_EMBEDDED)
        return allocate(realm, table, st);
    static const sl_key none = {.type = SL_TYPE_NULL};
    return sl_place_cell(realm, class_name, key ? key : &none, &cell, st) ? cell : NULL;
}

bool sl_record_create(sl_realm *realm, sl_str class_name, const sl_key *key, sl_key *new_key,
                      bool *created, sl_status *st) {
    if (created) *created = false;
    if (!sl_record_ready(realm, st)) return false;
    if (key && key->type == SL_TYPE_STRING && key->string.size > SL_MAX_STRING)
        return sl_fail(st, SL_ERR_USAGE, "A-KEY", "a string key has at most %d bytes",
                       SL_MAX_STRING);
    sl_cell *cell = cell_for(realm, class_name, key, st);
    if (!cell) return false;
    if (new_key) *new_key = cell->key;
    if (cell->object) return true;
    if (!sl_emit_object(realm, SL_OP_CREATE_OBJECT, cell, st)) return false;
    if (!sl_cell_create(realm, cell)) return sl_fail_memory(st);
    if (created) *created = true;
    return sl_record_relink(realm, cell, st);
}

static bool erase_cell(sl_realm *realm, sl_cell *cell, sl_status *st) {
    /* Objects of asymmetric classes leave no trace (12.2). */
    bool silent = cell->table->cls->kind == SL_TABLE_ASYMMETRIC;
    if (!silent && !sl_emit_object(realm, SL_OP_ERASE_OBJECT, cell, st)) return false;
    return sl_cell_erase(realm, cell) || sl_fail_memory(st);
}

bool sl_record_erase(sl_realm *realm, sl_str class_name, const sl_key *key, sl_status *st) {
    sl_cell *cell;
    if (!sl_record_ready(realm, st) || !sl_place_cell(realm, class_name, key, &cell, st))
        return false;
    if (!cell->object)
        return sl_fail(st, SL_ERR_USAGE, "A-NOOBJECT",
                       "the object of class \"%.*s\" does not exist (any more)",
                       sl_shown(class_name), class_name.data);
    return sl_record_unlink(realm, cell, NULL, st) && erase_cell(realm, cell, st);
}

static bool erase_keys(sl_realm *realm, sl_table *table, const sl_key *keys, size_t count,
                       sl_status *st) {
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            sl_cell *cell = sl_table_cell(realm, table, &keys[i]);
            if (!cell) return sl_fail_memory(st);
            if (!sl_cell_load(realm, cell, st)) return false;
            if (!cell->object) continue;
            bool ok = round == 0 ? sl_record_unlink(realm, cell, table->cls, st)
                                 : erase_cell(realm, cell, st);
            if (!ok) return false;
        }
    }
    return true;
}

bool sl_record_erase_all(sl_realm *realm, sl_str class_name, sl_status *st) {
    sl_table *table;
    if (!sl_record_ready(realm, st) || !sl_realm_find_table(realm, class_name, &table, st))
        return false;
    sl_arena arena;
    sl_arena_init(&arena, realm->alloc);
    sl_key *keys = NULL;
    size_t count = 0;
    bool ok = sl_realm_sorted_keys(realm, class_name, &arena, &keys, &count, st) &&
              erase_keys(realm, table, keys, count, st);
    sl_delete(realm->alloc, keys);
    sl_arena_free(&arena);
    return ok;
}
