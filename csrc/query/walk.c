#include "query/walk.h"

#include <string.h>

#include "query/binder.h"
#include "realm/dict.h"
#include "realm/list.h"
#include "realm/read.h"

typedef struct walker {
    sl_evaluation *ev;
    const sl_query_path *path;
    sl_found *found;
    sl_object_seen seen;
    void *ctx;
} walker;

bool sl_evaluation_spend(sl_evaluation *ev, uint64_t steps) {
    if (ev->budget >= steps) {
        ev->budget -= steps;
        return true;
    }
    ev->budget = 0;
    return sl_fail(ev->st, SL_ERR_USAGE, "QUERY-COST",
                   "the query needs more steps than its budget admits");
}

bool sl_found_add(sl_evaluation *ev, sl_found *found, const sl_value *value) {
    if (!sl_evaluation_spend(ev, 1)) return false;
    if (found->count == found->capacity) {
        uint32_t capacity = found->capacity ? found->capacity * 2 : 8;
        sl_value *list = sl_arena_alloc(&ev->arena, capacity * sizeof *list);
        if (!list) return sl_fail_memory(ev->st);
        if (found->count) memcpy(list, found->list, found->count * sizeof *list);
        found->list = list;
        found->capacity = capacity;
    }
    found->list[found->count++] = *value;
    return true;
}

static bool walk_object(walker *w, uint32_t i, const sl_object *object);

/* --- links --- */

/* *object = NULL: the link dangles. */
static bool load(walker *w, const sl_link *link, const sl_object **object) {
    *object = NULL;
    if (!sl_evaluation_spend(w->ev, 1)) return false;
    if (!sl_realm_class(w->ev->realm, link->class_name)) return true;
    return sl_realm_object(w->ev->realm, link->class_name, &link->key, object, w->ev->st);
}

/* A single link that leads nowhere makes the rest of the path null; in a collection it is passed
 * over. */
static bool nowhere(walker *w, bool element) {
    if (element || w->seen) return true;
    if (w->path->suffix == SL_SUFFIX_SIZE && w->path->type == SL_TYPE_INT) return true;
    sl_value null = {.type = SL_TYPE_NULL};
    return sl_found_add(w->ev, w->found, &null);
}

static bool follow(walker *w, uint32_t i, const sl_node *node, bool element) {
    const sl_object *object;
    if (node->kind == SL_NODE_OBJECT) return walk_object(w, i, node->object);
    if (node->kind != SL_NODE_VALUE || node->value.type != SL_TYPE_LINK) return nowhere(w, element);
    if (!load(w, node->value.link, &object)) return false;
    return object ? walk_object(w, i, object) : nowhere(w, element);
}

/* --- leaves --- */

static int64_t type_bits(const sl_value *value) {
    switch (value->type) {
    case SL_TYPE_NULL:
        return SL_TYPE_BIT_NULL;
    case SL_TYPE_LIST:
        return SL_TYPE_BIT_LIST;
    case SL_TYPE_DICTIONARY:
        return SL_TYPE_BIT_DICT;
    default:
        return value->type > 0 ? INT64_C(1) << value->type : 0;
    }
}

static bool leaf(walker *w, const sl_node *node, bool element) {
    sl_value value;
    switch (node->kind) {
    case SL_NODE_VALUE:
        value = node->value;
        break;
    case SL_NODE_OBJECT:
        if (w->seen) return w->seen(w->ctx, node->object);
        value = (sl_value){.type = SL_TYPE_OBJECT};
        break;
    case SL_NODE_DICT:
        value = (sl_value){.type = SL_TYPE_DICTIONARY};
        break;
    default:
        value = (sl_value){.type = SL_TYPE_LIST};
    }
    if (w->seen) return true;
    if (value.type == SL_TYPE_LINK) {
        const sl_object *object;
        if (!load(w, value.link, &object)) return false;
        if (!object && element && w->path->type == SL_TYPE_LINK) return true;
        if (!object) value = (sl_value){.type = SL_TYPE_NULL};
    }
    if (w->path->suffix == SL_SUFFIX_TYPE)
        value = (sl_value){.type = SL_TYPE_INT, .integer = type_bits(&value)};
    return sl_found_add(w->ev, w->found, &value);
}

/* --- sizes --- */

static bool add_size(walker *w, uint64_t size) {
    sl_value value = {.type = SL_TYPE_INT, .integer = (int64_t)size};
    return sl_found_add(w->ev, w->found, &value);
}

/* Links that lead nowhere are not counted. */
static bool count_links(walker *w, const sl_list *list, uint64_t *count) {
    for (uint32_t i = 0; i < sl_list_count(list); i++) {
        const sl_node *node = sl_list_at(list, i);
        const sl_object *object = NULL;
        if (node->kind == SL_NODE_VALUE && node->value.type == SL_TYPE_LINK &&
            !load(w, node->value.link, &object))
            return false;
        bool link = node->kind == SL_NODE_VALUE && node->value.type == SL_TYPE_LINK;
        if (!link || object) ++*count;
    }
    return true;
}

static bool size_of(walker *w, const sl_node *node) {
    uint64_t count = 0;
    const sl_object *object = NULL;
    switch (node->kind) {
    case SL_NODE_LIST:
    case SL_NODE_SET:
        return count_links(w, node->list, &count) && add_size(w, count);
    case SL_NODE_DICT:
        return add_size(w, sl_dict_count(node->dict));
    case SL_NODE_OBJECT:
        return add_size(w, 1);
    default:
        break;
    }
    switch (node->value.type) {
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        return add_size(w, node->value.string.size);
    case SL_TYPE_LINK:
        return load(w, node->value.link, &object) && add_size(w, object != NULL);
    default: /* a value without a size: there is none */
        return true;
    }
}

/* --- steps --- */

static bool after_step(walker *w, uint32_t i, const sl_node *node, bool typed, bool element);

static bool each(walker *w, uint32_t i, const sl_node *node) {
    if (node->kind == SL_NODE_DICT) {
        for (uint32_t k = 0; k < sl_dict_count(node->dict); k++)
            if (!after_step(w, i, &sl_dict_at(node->dict, k)->node, false, true)) return false;
        return true;
    }
    for (uint32_t k = 0; k < sl_list_count(node->list); k++)
        if (!after_step(w, i, sl_list_at(node->list, k), false, true)) return false;
    return true;
}

static bool is_collection(const sl_node *node) {
    return node->kind == SL_NODE_LIST || node->kind == SL_NODE_SET || node->kind == SL_NODE_DICT;
}

static bool entry(walker *w, uint32_t i, const sl_node *node, const sl_query_step *step) {
    static const sl_node null = {.kind = SL_NODE_VALUE};
    if (node->kind != SL_NODE_DICT) return true;
    const sl_node *value = sl_dict_find(node->dict, step->name);
    if (value) return after_step(w, i, value, false, false);
    /* A missing key is null, but there is nothing in an empty dictionary. */
    bool nothing = step->of_mixed || !sl_dict_count(node->dict);
    return nothing || after_step(w, i, &null, false, false);
}

static bool element(walker *w, uint32_t i, const sl_node *node, const sl_query_step *step) {
    uint32_t count = node->kind == SL_NODE_LIST ? sl_list_count(node->list) : 0;
    if (!count) return true;
    uint32_t at = step->kind == SL_STEP_FIRST  ? 0
                  : step->kind == SL_STEP_LAST ? count - 1
                                               : step->index;
    return at >= count || after_step(w, i, sl_list_at(node->list, at), false, false);
}

static bool keys(walker *w, const sl_node *node) {
    if (node->kind != SL_NODE_DICT) return true;
    for (uint32_t k = 0; k < sl_dict_count(node->dict); k++) {
        sl_value key = {.type = SL_TYPE_STRING, .string = sl_dict_at(node->dict, k)->key};
        if (!sl_found_add(w->ev, w->found, &key)) return false;
    }
    return true;
}

/* `node` is what step i - 1 gave. `typed`: it is a whole property, whose collection the path goes
 * into; a collection in a Mixed is a value of its own until a step enters it. */
static bool after_step(walker *w, uint32_t i, const sl_node *node, bool typed, bool is_element) {
    if (!sl_evaluation_spend(w->ev, 1)) return false;
    const sl_query_step *step = i < w->path->count ? &w->path->steps[i] : NULL;
    if (step && step->kind == SL_STEP_KEYS) return keys(w, node);
    if (step && step->kind == SL_STEP_EACH) return !is_collection(node) || each(w, i + 1, node);
    if (step && step->kind == SL_STEP_ENTRY) return entry(w, i + 1, node, step);
    if (step &&
        (step->kind == SL_STEP_INDEX || step->kind == SL_STEP_FIRST || step->kind == SL_STEP_LAST))
        return element(w, i + 1, node, step);
    bool followed = w->path->steps[i - 1].follow;
    if (!followed && w->path->suffix == SL_SUFFIX_SIZE) return size_of(w, node);
    if (typed && is_collection(node)) return each(w, i, node);
    return followed ? follow(w, i, node, is_element) : leaf(w, node, is_element);
}

/* --- backlinks --- */

typedef struct backlinks {
    walker *w;
    uint32_t i;
    const sl_query_step *step;
    uint64_t count;
    bool ok;
    sl_key *keys;
    uint32_t *times, known, capacity;
} backlinks;

/* Keys are gathered first: objects may not be loaded while the realm looks for them. */
static bool note_backlink(void *ctx, const sl_key *key, uint32_t count) {
    backlinks *b = ctx;
    sl_evaluation *ev = b->w->ev;
    b->count += count;
    b->ok = sl_evaluation_spend(ev, 1);
    if (!b->ok) return false;
    if (b->known == b->capacity) {
        uint32_t capacity = b->capacity ? b->capacity * 2 : 8;
        sl_key *list = sl_arena_alloc(&ev->arena, capacity * sizeof *list);
        uint32_t *times = sl_arena_alloc(&ev->arena, capacity * sizeof *times);
        b->ok = (list && times) || sl_fail_memory(ev->st);
        if (!b->ok) return false;
        if (b->known) memcpy(list, b->keys, b->known * sizeof *list);
        if (b->known) memcpy(times, b->times, b->known * sizeof *times);
        b->keys = list;
        b->times = times;
        b->capacity = capacity;
    }
    b->times[b->known] = count;
    sl_key *copy = &b->keys[b->known++];
    *copy = *key;
    if (key->type == SL_TYPE_STRING) copy->string = sl_arena_str(&ev->arena, key->string);
    b->ok = key->type != SL_TYPE_STRING || copy->string.data || !copy->string.size ||
            sl_fail_memory(ev->st);
    return b->ok;
}

static bool gather_backlinks(backlinks *b, const sl_object *object, sl_str origin,
                             sl_str property) {
    sl_evaluation *ev = b->w->ev;
    b->ok = true;
    return sl_realm_backlinks(ev->realm, object->cls->name, &object->key, origin, property,
                              note_backlink, b, ev->st) &&
           b->ok;
}

static bool links_to(const sl_property *property, const sl_class *cls) {
    return !property->erased && property->type == SL_TYPE_LINK &&
           sl_str_eq(property->target, cls->name);
}

/* @links.@count: everything that links to the object. */
static bool count_all(walker *w, const sl_object *object) {
    const sl_schema *schema = sl_realm_schema(w->ev->realm);
    backlinks b = {.w = w};
    for (uint32_t c = 0; c < schema->count; c++)
        for (uint32_t p = 0; p < schema->classes[c]->property_count; p++) {
            const sl_property *property = &schema->classes[c]->properties[p];
            if (links_to(property, object->cls) && schema->classes[c]->kind != SL_TABLE_EMBEDDED &&
                !gather_backlinks(&b, object, schema->classes[c]->name, property->name))
                return false;
        }
    return add_size(w, b.count);
}

static bool walk_backlinks(walker *w, uint32_t i, const sl_object *object) {
    const sl_query_step *step = &w->path->steps[i];
    if (!step->cls) return count_all(w, object);
    backlinks b = {.w = w};
    if (!gather_backlinks(&b, object, step->cls->name, step->name)) return false;
    if (!step->follow && w->path->suffix == SL_SUFFIX_SIZE) return add_size(w, b.count);
    for (uint32_t k = 0; k < b.known; k++) {
        sl_link *link = sl_arena_alloc(&w->ev->arena, sizeof *link);
        if (!link) return sl_fail_memory(w->ev->st);
        *link = (sl_link){step->cls->name, b.keys[k]};
        sl_node node = {.kind = SL_NODE_VALUE, .value = {.type = SL_TYPE_LINK, .link = link}};
        for (uint32_t t = 0; t < b.times[k]; t++)
            if (!after_step(w, i + 1, &node, false, true)) return false;
    }
    return true;
}

/* --- objects --- */

static bool walk_object(walker *w, uint32_t i, const sl_object *object) {
    if (i == w->path->count) return !w->seen || w->seen(w->ctx, object);
    const sl_query_step *step = &w->path->steps[i];
    if (step->kind == SL_STEP_LINKS) return walk_backlinks(w, i, object);
    if (step->kind == SL_STEP_KEY) {
        sl_node node = {.kind = SL_NODE_VALUE};
        sl_key_value(&object->key, &node.value);
        return after_step(w, i + 1, &node, false, false);
    }
    return after_step(w, i + 1, sl_object_at(object, step->index), step->collection, false);
}

bool sl_walk(sl_evaluation *ev, const sl_query_path *path, const sl_object *object, sl_found *found,
             sl_object_seen seen, void *ctx) {
    walker w = {ev, path, found, seen, ctx};
    return walk_object(&w, 0, object);
}
