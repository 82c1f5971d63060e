#include "query/match.h"

#include "realm/read.h"

static void node_value(const sl_node *node, sl_value *value) {
    static const int8_t types[] = {[SL_NODE_LIST] = SL_TYPE_LIST,
                                   [SL_NODE_DICT] = SL_TYPE_DICTIONARY,
                                   [SL_NODE_SET] = SL_TYPE_SET,
                                   [SL_NODE_OBJECT] = SL_TYPE_OBJECT};
    if (node->kind == SL_NODE_VALUE)
        *value = node->value;
    else
        *value = (sl_value){.type = types[node->kind]};
}

void sl_match_value(const sl_key *key, const sl_node *const *nodes, uint32_t column,
                    sl_value *value) {
    if (column == SL_KEY_SLOT)
        sl_key_value(key, value);
    else
        node_value(nodes[column], value);
}

static bool holds(const sl_match *match, const sl_condition *condition, const sl_value *value,
                  bool *yes, sl_status *st) {
    *yes = sl_condition_holds(condition, value);
    if (value->type != SL_TYPE_LINK) return true;
    sl_value null = {.type = SL_TYPE_NULL};
    bool if_gone = sl_condition_holds(condition, &null), exists;
    if (*yes == if_gone) return true;
    const sl_link *link = value->link;
    if (!sl_realm_class(match->realm, link->class_name))
        exists = false;
    else if (!sl_realm_exists(match->realm, link->class_name, &link->key, &exists, st))
        return false;
    if (!exists) *yes = if_gone;
    return true;
}

bool sl_match_holds(const sl_match *match, const sl_key *key, const sl_node *const *nodes,
                    bool *yes, sl_status *st) {
    *yes = true;
    for (uint32_t i = 0; *yes && i < match->query->condition_count; i++) {
        sl_value value;
        sl_match_value(key, nodes, match->plan->condition_columns[i], &value);
        if (!holds(match, &match->query->conditions[i], &value, yes, st)) return false;
    }
    return true;
}
