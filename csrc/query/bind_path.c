#include "query/bind_path.h"

#include <stdarg.h>
#include <stdio.h>

#include "realm/source.h"

bool sl_bind_fail(sl_binder *b, size_t offset, const char *format, ...) {
    char what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return sl_fail_at(b->st, SL_ERR_USAGE, "QUERY-TYPE", offset, "%s", what);
}

/* Where a path has come to. */
typedef struct place {
    const sl_class *object; /* class of the object that the next name is looked up in, or NULL */
    const sl_class *target; /* of a link or an embedded object */
    int8_t type;
    uint8_t collection; /* not gone into yet */
    bool embedded;
    sl_query_step *last; /* that gave the value */
} place;

static int width(sl_str s) {
    return s.size > 60 ? 60 : (int)s.size;
}

static bool no_property(sl_binder *b, const sl_class *cls, const sl_query_step *step) {
    return sl_bind_fail(b, step->offset, "class %.*s has no property '%.*s'", width(cls->name),
                        cls->name.data, width(step->name), step->name.data);
}

static bool property_step(sl_binder *b, place *at, sl_query_step *step) {
    const sl_class *cls = at->object;
    *at = (place){.last = step};
    step->kind = SL_STEP_PROPERTY;
    if (cls->has_key && sl_str_eq(cls->key_name, step->name)) {
        step->kind = SL_STEP_KEY;
        at->type = cls->key_type;
        return true;
    }
    const sl_property *property = sl_class_find(cls, step->name);
    if (!property) return no_property(b, cls, step);
    step->index = property->index;
    step->collection = property->collection != SL_SINGLE;
    at->type = property->type;
    at->collection = property->collection;
    at->embedded = property->embedded;
    if (property->type == SL_TYPE_LINK) at->target = sl_schema_find(b->schema, property->target);
    return true;
}

/* A name comes behind links: their objects are next. */
static bool follow(place *at, sl_query_path *path) {
    if (at->object) return true;
    if (at->type != SL_TYPE_LINK || !at->target) return false;
    at->last->follow = true;
    if (at->collection != SL_SINGLE) path->many = true;
    path->through_links = true;
    at->object = at->target;
    return true;
}

static bool entry_step(sl_binder *b, place *at, sl_query_step *step) {
    if (at->collection == SL_DICTIONARY) {
        at->collection = SL_SINGLE;
    } else if (at->collection == SL_SINGLE && at->type == SL_TYPE_MIXED) {
        step->of_mixed = true;
    } else {
        return sl_bind_fail(b, step->offset,
                            "'%.*s' stands behind what is neither an object nor a dictionary",
                            width(step->name), step->name.data);
    }
    step->kind = SL_STEP_ENTRY;
    at->last = step;
    return true;
}

static bool name_step(sl_binder *b, sl_query_path *path, place *at, sl_query_step *step) {
    bool dictionary = !at->object && at->collection == SL_DICTIONARY;
    bool mixed = !at->object && at->collection == SL_SINGLE && at->type == SL_TYPE_MIXED;
    if (dictionary || mixed || !follow(at, path)) return entry_step(b, at, step);
    return property_step(b, at, step);
}

static bool index_step(sl_binder *b, place *at, sl_query_step *step) {
    if (!at->object && at->collection == SL_LIST)
        at->collection = SL_SINGLE;
    else if (!at->object && at->collection == SL_SINGLE && at->type == SL_TYPE_MIXED)
        step->of_mixed = true;
    else
        return sl_bind_fail(b, step->offset, "an index stands behind what is not a list");
    at->last = step;
    return true;
}

static bool each_step(sl_binder *b, sl_query_path *path, place *at, sl_query_step *step) {
    if (at->object || (at->collection == SL_SINGLE && at->type != SL_TYPE_MIXED))
        return sl_bind_fail(b, step->offset, "[*] stands behind what is not a collection");
    if (at->collection == SL_SINGLE) step->of_mixed = true;
    step->of_list = at->collection == SL_LIST || at->collection == SL_SET;
    at->collection = SL_SINGLE;
    path->many = true;
    at->last = step;
    return true;
}

static bool keys_step(sl_binder *b, sl_query_path *path, place *at, sl_query_step *step) {
    if (at->object || at->collection != SL_DICTIONARY)
        return sl_bind_fail(b, step->offset, "@keys stands behind what is not a dictionary");
    *at = (place){.type = SL_TYPE_STRING, .last = step};
    path->many = path->whole_keys = true;
    return true;
}

/* @links.Class.property, or @links alone; *used = steps behind it that belong to it. */
static bool links_step(sl_binder *b, sl_query_path *path, place *at, sl_query_step *step,
                       uint32_t behind, uint32_t *used) {
    if (!at->object && !follow(at, path))
        return sl_bind_fail(b, step->offset, "@links stands behind what is not an object");
    const sl_class *target = at->object;
    *used = 0;
    *at = (place){.type = SL_TYPE_LINK, .collection = SL_LIST, .last = step};
    if (!behind) return true;
    const sl_class *origin = sl_schema_find(b->schema, step[1].name);
    if (!origin)
        return sl_bind_fail(b, step[1].offset, "there is no class '%.*s'", width(step[1].name),
                            step[1].name.data);
    const sl_property *property = behind > 1 ? sl_class_find(origin, step[2].name) : NULL;
    if (!property || property->type != SL_TYPE_LINK || !sl_str_eq(property->target, target->name))
        return sl_bind_fail(
            b, step[1].offset, "@links.%.*s goes on with a property of it that links to %.*s",
            width(origin->name), origin->name.data, width(target->name), target->name.data);
    step->cls = origin;
    step->name = step[2].name;
    at->target = origin;
    *used = 2;
    return true;
}

static bool one_step(sl_binder *b, sl_query_path *path, place *at, uint32_t *i) {
    sl_query_step *step = &path->steps[*i];
    uint32_t used = 0;
    bool ok;
    switch (step->kind) {
    case SL_STEP_LINKS:
        ok = links_step(b, path, at, step, path->count - *i - 1, &used);
        break;
    case SL_STEP_KEYS:
        ok = keys_step(b, path, at, step);
        break;
    case SL_STEP_EACH:
        ok = each_step(b, path, at, step);
        break;
    case SL_STEP_ENTRY:
        ok = at->object ? no_property(b, at->object, step) : entry_step(b, at, step);
        break;
    case SL_STEP_NAME:
        ok = name_step(b, path, at, step);
        break;
    default:
        ok = index_step(b, at, step);
    }
    *i += used;
    return ok;
}

/* Takes out the names that @links has eaten. */
static void close_gaps(sl_query_path *path) {
    uint32_t to = 0;
    for (uint32_t i = 0; i < path->count; i++) {
        path->steps[to++] = path->steps[i];
        if (path->steps[i].kind == SL_STEP_LINKS && path->steps[i].cls) i += 2;
    }
    path->count = to;
}

/* --- what stands at the end --- */

static bool size_suffix(sl_binder *b, sl_query_path *path, place *at) {
    size_t offset = at->last->offset;
    bool collection = at->collection != SL_SINGLE;
    /* The reference prints the size of a dictionary as that of all its values. */
    if (at->last->kind == SL_STEP_EACH && !at->last->of_mixed) {
        path->all_entries = !at->last->of_list;
        path->count--;
        path->many = false;
        collection = true;
    }
    if (at->collection == SL_DICTIONARY) path->all_entries = true;
    path->counts_links = at->type == SL_TYPE_LINK;
    bool sized =
        at->type == SL_TYPE_STRING || at->type == SL_TYPE_BINARY || at->type == SL_TYPE_MIXED;
    if (!collection && at->type == SL_TYPE_LINK && at->embedded)
        return sl_bind_fail(b, offset, "an embedded object has no size");
    if (!collection && !sized && at->type != SL_TYPE_LINK)
        return sl_bind_fail(b, offset, "@size stands behind what has no size");
    if (at->type == SL_TYPE_LINK) path->many = false; /* all objects that are reached */
    path->type = SL_TYPE_INT;
    return true;
}

static bool member_of(sl_binder *b, sl_query_path *path, const place *at, int8_t *type) {
    size_t offset = at->last->offset;
    if (at->type != SL_TYPE_LINK || !at->target)
        return sl_bind_fail(b, offset, "a property is named of what are not objects");
    at->last->follow = true;
    const sl_class *cls = at->target;
    if (cls->has_key && sl_str_eq(cls->key_name, path->member)) {
        path->member_slot = SL_KEY_SLOT;
        *type = cls->key_type;
        return true;
    }
    const sl_property *property = sl_class_find(cls, path->member);
    if (!property || property->collection != SL_SINGLE)
        return sl_bind_fail(b, offset, "class %.*s has no single property '%.*s'", width(cls->name),
                            cls->name.data, width(path->member), path->member.data);
    path->member_slot = property->index;
    *type = property->type;
    return true;
}

static bool aggregate_suffix(sl_binder *b, sl_query_path *path, place *at) {
    size_t offset = at->last->offset;
    int8_t type = at->type;
    if (at->collection == SL_SINGLE && !path->many)
        return sl_bind_fail(b, offset, "an aggregate stands behind what is not a collection");
    if (path->member.size && !member_of(b, path, at, &type)) return false;
    bool order = path->suffix == SL_SUFFIX_MAX || path->suffix == SL_SUFFIX_MIN;
    if (!sl_type_is_number(type) && type != SL_TYPE_MIXED && !(order && type == SL_TYPE_TIMESTAMP))
        return sl_bind_fail(b, offset, "there is no such aggregate of values of this type");
    path->many = false;
    if (path->suffix == SL_SUFFIX_AVG && type != SL_TYPE_DECIMAL) type = SL_TYPE_DOUBLE;
    if (path->suffix == SL_SUFFIX_SUM && type == SL_TYPE_FLOAT) type = SL_TYPE_DOUBLE;
    path->type = type;
    return true;
}

static bool finish(sl_binder *b, sl_query_path *path, place *at) {
    if (path->suffix == SL_SUFFIX_SIZE) return size_suffix(b, path, at);
    if (path->suffix >= SL_SUFFIX_MAX) return aggregate_suffix(b, path, at);
    if (at->last->kind == SL_STEP_LINKS && !at->last->cls)
        return sl_bind_fail(b, at->last->offset,
                            "@links goes on with a class and a property, or @count");
    if (at->collection != SL_SINGLE) path->many = true;
    path->all_entries = at->collection == SL_DICTIONARY;
    path->type = at->type;
    path->target = at->target;
    path->embedded = at->embedded;
    if (path->suffix == SL_SUFFIX_TYPE && at->type != SL_TYPE_MIXED)
        return sl_bind_fail(b, at->last->offset, "@type is asked of mixed values only");
    return true;
}

static bool walk(sl_binder *b, sl_query_path *path, const sl_class *cls, place *at) {
    *at = (place){.object = cls};
    for (uint32_t i = 0; i < path->count; i++)
        if (!one_step(b, path, at, &i)) return false;
    close_gaps(path);
    at->last = &path->steps[path->count - 1];
    return true;
}

bool sl_bind_path(sl_binder *b, sl_query_path *path, const sl_class *cls) {
    place at;
    return walk(b, path, cls, &at) && finish(b, path, &at);
}

bool sl_bind_path_to_objects(sl_binder *b, sl_query_path *path, const sl_class *cls) {
    place at;
    if (!walk(b, path, cls, &at)) return false;
    if (at.object || at.type != SL_TYPE_LINK || !at.target)
        return sl_bind_fail(b, path->steps[0].offset, "SUBQUERY is asked of what are not objects");
    at.last->follow = true;
    path->target = at.target;
    return true;
}
