#include "store/node_links.h"

#include "realm/dict.h"
#include "realm/list.h"

static bool list_links(const sl_list *list, sl_link_visitor visit, void *ctx) {
    uint32_t count = sl_list_count(list);
    for (uint32_t i = 0; i < count; i++) {
        if (!sl_store_node_links(sl_list_at(list, i), visit, ctx)) return false;
    }
    return true;
}

static bool dict_links(const sl_dict *dict, sl_link_visitor visit, void *ctx) {
    uint32_t count = sl_dict_count(dict);
    for (uint32_t i = 0; i < count; i++) {
        if (!sl_store_node_links(&sl_dict_at(dict, i)->node, visit, ctx)) return false;
    }
    return true;
}

bool sl_store_node_links(const sl_node *node, sl_link_visitor visit, void *ctx) {
    switch (node->kind) {
    case SL_NODE_VALUE:
        return node->value.type != SL_TYPE_LINK || visit(ctx, node->value.link);
    case SL_NODE_LIST:
    case SL_NODE_SET:
        return list_links(node->list, visit, ctx);
    case SL_NODE_DICT:
        return dict_links(node->dict, visit, ctx);
    case SL_NODE_OBJECT:
        return sl_store_object_links(node->object, visit, ctx);
    default:
        return true;
    }
}

bool sl_store_object_links(const sl_object *object, sl_link_visitor visit, void *ctx) {
    for (uint32_t i = 0; i < object->value_count; i++) {
        if (object->cls->properties[i].erased) continue;
        if (!sl_store_node_links(&object->values[i], visit, ctx)) return false;
    }
    return true;
}
