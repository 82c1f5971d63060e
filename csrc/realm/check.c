#include "realm/path.h"

#include <stdio.h>

enum { MAX_NESTING = 100 };

static bool key_range(const sl_key *key) {
    return key->global.hi < UINT64_C(1) << 30 && key->global.lo < UINT64_C(1) << 32;
}

bool sl_check_key(const sl_class *cls, const sl_key *key, sl_status *st) {
    if (cls->kind == SL_TABLE_EMBEDDED)
        return sl_fail(st, SL_ERR_CHANGESET, "A-KEY",
                       "class \"%.*s\" is embedded: its objects have no keys", sl_shown(cls->name),
                       cls->name.data);
    bool fits = key->type == SL_TYPE_NULL ? cls->key_nullable
                                          : key->type == cls->key_type &&
                                                (key->type != SL_TYPE_GLOBALKEY || key_range(key));
    if (fits) return true;
    return sl_fail(st, SL_ERR_CHANGESET, "A-KEY", "class \"%.*s\" has keys of type %s%s, not %s%s",
                   sl_shown(cls->name), cls->name.data, sl_type_name(cls->key_type),
                   cls->key_nullable ? " or null" : "",
                   key->type == SL_TYPE_NULL ? "null" : sl_type_name(key->type),
                   key->type == cls->key_type ? " of this size" : "");
}

static bool type_error(const sl_property *property, const sl_value *value, sl_status *st) {
    const char *name = value->type == SL_TYPE_NULL ? "null" : sl_type_name(value->type);
    return sl_fail(st, SL_ERR_CHANGESET, "A-TYPE",
                   "property \"%.*s\" holds %s, a value of type %s does not fit",
                   sl_shown(property->name), property->name.data, sl_type_name(property->type),
                   name ? name : "\"create or erase\"");
}

static bool check_link(const sl_realm *realm, const sl_property *property, const sl_value *value,
                       sl_status *st) {
    const sl_link *link = value->link;
    const sl_class *target = sl_schema_find(&realm->schema, link->class_name);
    if (!target || target->kind == SL_TABLE_EMBEDDED)
        return sl_fail(st, SL_ERR_CHANGESET, "A-TARGET",
                       "a link in property \"%.*s\" names class \"%.*s\", which %s",
                       sl_shown(property->name), property->name.data, sl_shown(link->class_name),
                       link->class_name.data, target ? "is embedded" : "does not exist");
    if (!sl_check_key(target, &link->key, st)) return false;
    if (property->type == SL_TYPE_MIXED) return true;
    if (property->type != SL_TYPE_LINK) return type_error(property, value, st);
    if (sl_str_eq(property->target, link->class_name)) return true;
    return sl_fail(st, SL_ERR_CHANGESET, "A-TARGET",
                   "property \"%.*s\" links to class \"%.*s\", not to \"%.*s\"",
                   sl_shown(property->name), property->name.data, sl_shown(property->target),
                   property->target.data, sl_shown(link->class_name), link->class_name.data);
}

bool sl_check_value(const sl_realm *realm, const sl_property *property, const sl_value *value,
                    sl_status *st) {
    if (value->type == property->type && value->type != SL_TYPE_LINK && value->type > 0 &&
        (value->type < SL_TYPE_FLOAT || value->type > SL_TYPE_DECIMAL))
        return true; /* the common case */
    if (value->type == SL_TYPE_LINK) return check_link(realm, property, value, st);
    if (value->type == SL_TYPE_NULL || sl_value_is_null_pattern(value)) {
        if (property->nullable) return true;
        return sl_fail(st, SL_ERR_CHANGESET, "A-NULL", "property \"%.*s\" cannot hold null",
                       sl_shown(property->name), property->name.data);
    }
    if (value->type > 0 && (property->type == SL_TYPE_MIXED || property->type == value->type))
        return true;
    return type_error(property, value, st);
}

bool sl_check_key_size(const sl_realm *realm, const sl_key *key, sl_status *st) {
    uint32_t most = realm->limits.key_bytes;
    if (most == 0 || key->type != SL_TYPE_STRING || key->string.size <= most) return true;
    return sl_fail(st, SL_ERR_CHANGESET, "A-LIMIT",
                   "the key of an object has %u bytes, at most %u "
                   "are taken",
                   key->string.size, most);
}

bool sl_check_dict_key(sl_str key, sl_status *st) {
    bool fine = key.size == 0 || (key.data[0] != '$' && !memchr(key.data, '.', key.size));
    return fine || sl_fail(st, SL_ERR_CHANGESET, "A-DICTKEY",
                           "dictionary key \"%.*s\" starts with $ or contains a point",
                           sl_shown(key), key.data);
}

bool sl_check_depth(const sl_realm *realm, const sl_target *target, sl_status *st) {
    uint32_t most = realm->limits.nesting;
    if (most == 0 || most > MAX_NESTING) most = MAX_NESTING;
    return target->depth < most ||
           sl_fail(st, SL_ERR_CHANGESET, "A-DEPTH",
                   "collections in property \"%.*s\" would be nested deeper than %u",
                   sl_shown(target->property->name), target->property->name.data, most);
}

static bool check_name(sl_str name, uint32_t limit, const char *what, sl_status *st) {
    if (name.size >= 1 && name.size <= limit) return true;
    return sl_fail(st, SL_ERR_CHANGESET, "A-NAME", "a %s name has 1 to %u bytes, not %u: \"%.*s\"",
                   what, limit, name.size, sl_shown(name), name.data);
}

bool sl_check_class_name(sl_str name, sl_status *st) {
    return check_name(name, SL_MAX_CLASS_NAME, "class", st);
}

bool sl_check_property_name(sl_str name, sl_status *st) {
    return check_name(name, SL_MAX_PROPERTY_NAME, "property", st);
}

static bool same_class(const sl_class *a, const sl_class *b) {
    if (a->kind != b->kind || a->has_key != b->has_key) return false;
    return !a->has_key || (a->key_type == b->key_type && a->key_nullable == b->key_nullable &&
                           sl_str_eq(a->key_name, b->key_name));
}

static const char *kind_name(const sl_class *cls) {
    return cls->kind == SL_TABLE_EMBEDDED     ? "embedded class"
           : cls->kind == SL_TABLE_ASYMMETRIC ? "asymmetric class"
                                              : "class";
}

static void describe_key(const sl_class *cls, char *out, size_t size) {
    if (!cls->has_key)
        snprintf(out, size, "without key property");
    else
        snprintf(out, size, "with key %.*s:%s%s", sl_shown(cls->key_name), cls->key_name.data,
                 sl_type_name(cls->key_type), cls->key_nullable ? "?" : "");
}

static bool class_clash(const sl_class *present, const sl_class *wanted, sl_status *st) {
    char there[80], here[80];
    describe_key(present, there, sizeof there);
    describe_key(wanted, here, sizeof here);
    return sl_fail(st, SL_ERR_CHANGESET, "A-SCHEMA", "\"%.*s\" exists as %s %s, not as %s %s",
                   sl_shown(wanted->name), wanted->name.data, kind_name(present), there,
                   kind_name(wanted), here);
}

bool sl_check_add_class(const sl_realm *realm, const sl_class *definition, bool *exists,
                        sl_status *st) {
    if (!sl_check_class_name(definition->name, st)) return false;
    if (definition->has_key && !sl_check_property_name(definition->key_name, st)) return false;
    const sl_class *present = sl_schema_find(&realm->schema, definition->name);
    *exists = present != NULL;
    if (!present || same_class(present, definition)) return true;
    return class_clash(present, definition, st);
}

static bool schema_error(const sl_class *cls, const sl_property *property, const char *what,
                         sl_status *st) {
    return sl_fail(st, SL_ERR_CHANGESET, "A-SCHEMA", "property \"%.*s\" of class \"%.*s\" %s",
                   sl_shown(property->name), property->name.data, sl_shown(cls->name),
                   cls->name.data, what);
}

static const char *collection_suffix(const sl_property *property) {
    static const char *const suffixes[] = {"", "[]", "{}", "<>"};
    return property->collection <= SL_SET ? suffixes[property->collection] : "";
}

static bool property_clash(const sl_class *cls, const sl_property *present,
                           const sl_property *wanted, sl_status *st) {
    sl_str there =
        present->type == SL_TYPE_LINK ? present->target : sl_str_c(sl_type_name(present->type));
    sl_str here =
        wanted->type == SL_TYPE_LINK ? wanted->target : sl_str_c(sl_type_name(wanted->type));
    char what[160];
    snprintf(what, sizeof what, "exists as %.*s%s, not as %.*s%s", sl_shown(there), there.data,
             collection_suffix(present), sl_shown(here), here.data, collection_suffix(wanted));
    return schema_error(cls, wanted, what, st);
}

static bool check_present(const sl_class *cls, const sl_property *present,
                          const sl_property *definition, sl_status *st) {
    if (present->type == definition->type && present->collection == definition->collection &&
        (present->type != SL_TYPE_LINK || sl_str_eq(present->target, definition->target)))
        return true;
    return property_clash(cls, present, definition, st);
}

static bool check_target(const sl_realm *realm, const sl_class *cls, const sl_property *definition,
                         sl_status *st) {
    const sl_class *target = sl_schema_find(&realm->schema, definition->target);
    if (!target)
        return sl_fail(st, SL_ERR_CHANGESET, "A-TARGET",
                       "property \"%.*s\" links to class \"%.*s\", which does not exist",
                       sl_shown(definition->name), definition->name.data,
                       sl_shown(definition->target), definition->target.data);
    if (target->kind == SL_TABLE_ASYMMETRIC)
        return schema_error(cls, definition, "would link to an asymmetric class", st);
    if (target->kind == SL_TABLE_EMBEDDED && definition->collection == SL_SET)
        return schema_error(cls, definition, "would be a set of embedded objects", st);
    return true;
}

static bool has_room(const sl_realm *realm, const sl_class *cls) {
    uint32_t most = realm->limits.properties, count = 0;
    if (cls->property_count >= SL_MAX_PROPERTIES) return false;
    if (most == 0 || cls->property_count < most) return true;
    for (uint32_t i = 0; i < cls->property_count; i++)
        if (!cls->properties[i].erased) count++;
    return count < most;
}

bool sl_check_add_property(const sl_realm *realm, const sl_class *cls, sl_property *definition,
                           int key_type, bool *exists, sl_status *st) {
    if (!sl_check_property_name(definition->name, st)) return false;
    const sl_property *present = sl_class_find(cls, definition->name);
    *exists = present != NULL;
    if (present) return check_present(cls, present, definition, st);
    if (cls->has_key && sl_str_eq(cls->key_name, definition->name)) {
        *exists = true;
        return (definition->type == cls->key_type && definition->collection == SL_SINGLE) ||
               schema_error(cls, definition, "is the key and has another type", st);
    }
    if (definition->collection == SL_DICTIONARY && key_type != SL_TYPE_STRING)
        return schema_error(cls, definition, "is a dictionary whose keys are not strings", st);
    if (definition->type == SL_TYPE_MIXED) definition->nullable = true;
    if (definition->type == SL_TYPE_LINK) {
        if (!check_target(realm, cls, definition, st)) return false;
        definition->nullable =
            definition->collection == SL_SINGLE || definition->collection == SL_DICTIONARY;
    }
    return has_room(realm, cls) ||
           schema_error(cls, definition, "would be one property too many", st);
}

bool sl_check_erase_class(const sl_realm *realm, const sl_class *cls, sl_status *st) {
    for (uint32_t i = 0; i < realm->schema.count; i++) {
        const sl_class *other = realm->schema.classes[i];
        if (other == cls) continue;
        for (uint32_t k = 0; k < other->property_count; k++) {
            const sl_property *property = &other->properties[k];
            if (property->erased || property->type != SL_TYPE_LINK ||
                !sl_str_eq(property->target, cls->name))
                continue;
            return schema_error(other, property, "links to the class that would be erased", st);
        }
    }
    return true;
}

bool sl_check_erase_property(const sl_class *cls, sl_str name, uint32_t *index, sl_status *st) {
    if (cls->has_key && sl_str_eq(cls->key_name, name))
        return sl_fail(st, SL_ERR_CHANGESET, "A-SCHEMA",
                       "the key property \"%.*s\" of class \"%.*s\" cannot be erased",
                       sl_shown(name), name.data, sl_shown(cls->name), cls->name.data);
    return sl_path_property(cls, name, index, st);
}
