/* Who may change the schema: a right of the author, checked before a changeset is applied. */
#include "history/server_history_private.h"

static bool is_new(const sl_schema *schema, const sl_changeset *cs, const sl_instruction *in) {
    const sl_class *cls = sl_schema_find(schema, cs->strings[in->class_name]);
    if (!cls) return true;
    if (in->op == SL_OP_ADD_TABLE) return false;
    sl_str name = cs->strings[in->field];
    return !sl_class_find(cls, name) && !(cls->has_key && sl_str_eq(cls->key_name, name));
}

static bool refuse(const sl_changeset *cs, const sl_instruction *in, const char *what,
                   uint64_t client_version, sl_status *st) {
    sl_str cls = cs->strings[in->class_name];
    bool is_class = in->op == SL_OP_ADD_TABLE || in->op == SL_OP_ERASE_TABLE;
    sl_str name = is_class ? cls : cs->strings[in->field];
    return sl_fail_code(st, SL_ERR_SESSION, 225,
                        "changeset of client version %llu: the user may not %s %s \"%.*s\" here",
                        (unsigned long long)client_version, what, is_class ? "class" : "property",
                        name.size < 64 ? (int)name.size : 64, name.data);
}

bool sl_server_history_allows_schema(const sl_server_history *h, const sl_changeset *cs,
                                     sl_schema_right right, uint64_t client_version,
                                     sl_status *st) {
    const sl_schema *schema = sl_realm_schema(h->realm);
    if (right == SL_SCHEMA_OWNER) return true;
    for (uint32_t i = 0; i < cs->count; i++) {
        const sl_instruction *in = &cs->instructions[i];
        if (in->op == SL_OP_ERASE_TABLE || in->op == SL_OP_ERASE_COLUMN)
            return refuse(cs, in, "erase", client_version, st);
        if (right == SL_SCHEMA_LOCKED &&
            (in->op == SL_OP_ADD_TABLE || in->op == SL_OP_ADD_COLUMN) && is_new(schema, cs, in))
            return refuse(cs, in, "add", client_version, st);
    }
    return true;
}
