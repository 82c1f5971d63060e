#include "realm/record_internal.h"

bool sl_realm_begin_write(sl_realm *realm, sl_changeset *cs, uint64_t file_ident, sl_status *st) {
    if (!sl_realm_begin(realm, st)) return false;
    realm->recording = cs;
    realm->file_ident = file_ident;
    return true;
}

bool sl_record_ready(const sl_realm *realm, sl_status *st) {
    return realm->open || sl_fail(st, SL_ERR_USAGE, "",
                                  "nothing can be changed outside of a write: do it inside "
                                  "realm:write(function() ... end)");
}

static bool too_deep(sl_status *st) {
    return sl_fail(st, SL_ERR_USAGE, "A-DEPTH", "the path has more than %d elements", SL_MAX_PATH);
}

bool sl_spot_open(sl_realm *realm, const sl_place *place, sl_spot *spot, sl_status *st) {
    sl_cell *cell;
    if (!sl_record_ready(realm, st) ||
        !sl_place_cell(realm, place->class_name, &place->key, &cell, st))
        return false;
    if (!cell->object)
        return sl_fail(st, SL_ERR_USAGE, "A-NOOBJECT",
                       "the object of class \"%.*s\" does not exist (any more)",
                       sl_shown(place->class_name), place->class_name.data);
    /* One element may be added for a list index. */
    if (place->step_count >= SL_MAX_PATH) return too_deep(st);
    if (!sl_place_follow(realm, cell, place, true, &spot->target, st)) return false;
    spot->count = place->step_count;
    for (uint32_t i = 0; i < spot->count; i++)
        spot->steps[i] = place->steps[i];
    if (spot->target.at == SL_AT_ELEMENT) spot->steps[spot->count - 1].index = spot->target.index;
    return true;
}

bool sl_spot_refresh(sl_realm *realm, sl_spot *spot, sl_status *st) {
    sl_cell *cell = spot->target.cell;
    return sl_path_follow(realm, cell, spot->target.top, spot->steps, spot->count, true,
                          &spot->target, st);
}

bool sl_spot_element(sl_realm *realm, sl_spot *spot, uint32_t index, sl_status *st) {
    if (spot->count == SL_MAX_PATH) return too_deep(st);
    spot->steps[spot->count++] = (sl_step){.is_index = true, .index = index};
    return sl_spot_refresh(realm, spot, st);
}

static bool check_link(sl_realm *realm, const sl_target *target, const sl_value *value,
                       sl_status *st) {
    const sl_class *cls = sl_schema_find(&realm->schema, value->link->class_name);
    if (cls && cls->kind == SL_TABLE_ASYMMETRIC)
        return sl_fail(st, SL_ERR_USAGE, "A-TARGET",
                       "nothing can link to the asymmetric class \"%.*s\"", sl_shown(cls->name),
                       cls->name.data);
    if (target->property->type == SL_TYPE_MIXED &&
        target->cell->table->cls->kind == SL_TABLE_ASYMMETRIC)
        return sl_fail(st, SL_ERR_USAGE, "A-TYPE",
                       "a Mixed of an asymmetric class cannot hold a link");
    bool alive;
    if (!sl_link_alive(realm, value->link, &alive, st)) return false;
    return alive || sl_fail(st, SL_ERR_USAGE, "A-NOOBJECT",
                            "the object of class \"%.*s\" to link to does not exist",
                            sl_shown(value->link->class_name), value->link->class_name.data);
}

bool sl_record_check_value(sl_realm *realm, const sl_target *target, const sl_value *value,
                           sl_status *st) {
    sl_status cause = SL_STATUS_INIT;
    if (!sl_check_value(realm, target->property, value, &cause)) return sl_usage(st, &cause);
    uint32_t limit = value->type == SL_TYPE_STRING ? SL_MAX_STRING : SL_MAX_BINARY;
    if ((value->type == SL_TYPE_STRING || value->type == SL_TYPE_BINARY) &&
        value->string.size > limit)
        return sl_fail(st, SL_ERR_USAGE, "", "a %s has at most %u bytes, not %u",
                       value->type == SL_TYPE_STRING ? "string" : "binary value", limit,
                       value->string.size);
    return value->type != SL_TYPE_LINK || check_link(realm, target, value, st);
}
