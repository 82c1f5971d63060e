#include "realm/apply_internal.h"

bool sl_apply_add_table(sl_applier *ap, const sl_instruction *in) {
    sl_class definition = {.name = ap->cs->strings[in->class_name], .kind = in->table_kind};
    if (in->table_kind != SL_TABLE_EMBEDDED && in->type != SL_TYPE_GLOBALKEY) {
        definition.has_key = true;
        definition.key_name = ap->cs->strings[in->field];
        definition.key_type = in->type;
        definition.key_nullable = in->nullable;
    }
    bool exists;
    if (!sl_check_add_class(ap->realm, &definition, &exists, ap->st)) return false;
    return exists || sl_realm_add_class(ap->realm, &definition, ap->st) != NULL;
}

bool sl_apply_erase_table(sl_applier *ap, const sl_instruction *in) {
    sl_table *table = sl_applier_table(ap, in->class_name);
    if (!table || !sl_check_erase_class(ap->realm, table->cls, ap->st) ||
        !sl_realm_erase_class(ap->realm, table->cls, ap->st))
        return false;
    sl_applier_forget(ap);
    return true;
}

bool sl_apply_add_column(sl_applier *ap, const sl_instruction *in) {
    sl_table *table = sl_applier_table(ap, in->class_name);
    if (!table) return false;
    sl_property definition = {
        .name = ap->cs->strings[in->field],
        .type = in->type,
        .collection = in->collection,
        .nullable = in->nullable,
        .target = in->type == SL_TYPE_LINK ? ap->cs->strings[in->target] : SL_STR(""),
    };
    bool exists;
    if (!sl_check_add_property(ap->realm, table->cls, &definition, in->key_type, &exists, ap->st))
        return false;
    return exists || sl_realm_add_property(ap->realm, table->cls, &definition, ap->st) != NULL;
}

bool sl_apply_erase_column(sl_applier *ap, const sl_instruction *in) {
    sl_table *table = sl_applier_table(ap, in->class_name);
    uint32_t index;
    if (!table ||
        !sl_check_erase_property(table->cls, ap->cs->strings[in->field], &index, ap->st) ||
        !sl_realm_erase_property(ap->realm, table->cls, index, ap->st))
        return false;
    sl_applier_forget(ap);
    return true;
}
