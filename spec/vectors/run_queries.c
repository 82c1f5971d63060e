/* Golden vectors of the query language: queries*.jsonl, in the directory or in its folder queries.
 * Each text, and the text that an SDK sends for it, has to find the objects that the reference
 * found; what the reference refuses has to be refused; what we print has to find the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/predicate.h"
#include "realm/record.h"
#include "value/ejson.h"
#include "vectors.h"

typedef struct runner {
    vec_count count;
    unsigned printed, same_text;
    sl_realm *realm;
    sl_arena arena;
    sl_status st;
} runner;

static sl_str json_str(const json_t *json) {
    return sl_str_of(json_string_value(json), json_string_length(json));
}

/* --- schema --- */

static int type_of(sl_str name) {
    static const char *const names[][2] = {{"objectId", "objectid"},
                                           {"date", "timestamp"},
                                           {"data", "binary"},
                                           {"decimal128", "decimal"}};
    int type;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sl_str_eq(name, sl_str_c(names[i][0]))) name = sl_str_c(names[i][1]);
    return sl_type_from_name(name, &type) ? type : SL_TYPE_LINK;
}

/* "int?[]": type, nullable, collection. */
static void read_property(const char *name, const char *text, sl_property *p) {
    size_t size = strlen(text);
    *p = (sl_property){.name = sl_str_c(name), .target = sl_str_c("")};
    if (size > 2 && strchr("]>}", text[size - 1])) {
        p->collection = text[size - 1] == ']'   ? SL_LIST
                        : text[size - 1] == '>' ? SL_SET
                                                : SL_DICTIONARY;
        size -= 2;
    }
    if (text[size - 1] == '?') {
        p->nullable = true;
        size--;
    }
    p->type = (int8_t)type_of(sl_str_of(text, size));
    if (p->type == SL_TYPE_MIXED) p->nullable = true;
    if (p->type != SL_TYPE_LINK) return;
    p->target = sl_str_of(text, size);
    p->nullable = p->collection == SL_SINGLE || p->collection == SL_DICTIONARY;
}

static bool add_schema(runner *r, const json_t *schemas) {
    size_t i;
    json_t *schema, *text;
    const char *name;
    json_array_foreach(schemas, i, schema) {
        const char *key = vec_text(schema, "primaryKey");
        sl_class cls = {.name = sl_str_c(vec_text(schema, "name")), .key_name = sl_str_c("")};
        cls.kind = json_is_true(json_object_get(schema, "embedded")) ? SL_TABLE_EMBEDDED
                                                                     : SL_TABLE_TOPLEVEL;
        cls.key_type = SL_TYPE_GLOBALKEY;
        sl_property p;
        if (key) {
            read_property(key, vec_text(json_object_get(schema, "properties"), key), &p);
            cls.has_key = true;
            cls.key_name = p.name;
            cls.key_type = p.type;
            cls.key_nullable = p.nullable;
        }
        if (!sl_record_add_class(r->realm, &cls, &r->st)) return false;
    }
    json_array_foreach(schemas, i, schema) {
        const char *key = vec_text(schema, "primaryKey");
        json_object_foreach(json_object_get(schema, "properties"), name, text) {
            sl_property p;
            if (key && strcmp(name, key) == 0) continue;
            read_property(name, json_string_value(text), &p);
            if (!sl_record_add_property(r->realm, sl_str_c(vec_text(schema, "name")), &p, &r->st))
                return false;
        }
    }
    return true;
}

/* --- objects --- */

static bool read_scalar(runner *r, const json_t *json, int type, const sl_property *p,
                        sl_value *value) {
    json_t *date = json_object_get(json, "$date"), *nanos = json_object_get(json, "$nanos");
    if (type == SL_TYPE_LINK && !json_is_null(json)) {
        sl_link *link = sl_arena_zero(&r->arena, 1, sizeof *link);
        link->class_name = p->target;
        *value = (sl_value){.type = SL_TYPE_LINK, .link = link};
        return sl_ejson_read_key(json, &r->arena, &link->key, &r->st);
    }
    if (date && nanos) {
        json_t *plain = json_pack("{s:O}", "$date", date);
        bool ok = sl_ejson_read_value(plain, &r->arena, value, &r->st);
        json_decref(plain);
        value->timestamp.nanoseconds +=
            (int32_t)(json_is_object(nanos) ? atoll(vec_text(nanos, "$numberLong"))
                                            : json_integer_value(nanos));
        return ok;
    }
    if (!sl_ejson_read_value(json, &r->arena, value, &r->st)) return false;
    if (type == SL_TYPE_FLOAT && value->type == SL_TYPE_DOUBLE)
        *value = (sl_value){.type = SL_TYPE_FLOAT, .single = (float)value->real};
    return true;
}

static bool write_at(runner *r, sl_place *place, const json_t *json, const sl_property *p,
                     bool insert);
static bool write_property(runner *r, sl_place *place, const json_t *json, const sl_property *p);

static bool write_members(runner *r, sl_place *place, const json_t *json, const sl_property *p,
                          const sl_class *cls) {
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)json, name, member) {
        sl_step steps[16];
        if (place->step_count) memcpy(steps, place->steps, place->step_count * sizeof *steps);
        steps[place->step_count] = (sl_step){.name = sl_str_c(name)};
        sl_place below = *place;
        below.steps = steps;
        below.step_count++;
        const sl_property *inner = cls ? sl_class_find(cls, sl_str_c(name)) : p;
        if (cls ? !write_property(r, &below, member, inner)
                : !write_at(r, &below, member, inner, false))
            return false;
    }
    return true;
}

static bool write_elements(runner *r, sl_place *place, const json_t *json, const sl_property *p) {
    size_t i;
    json_t *element;
    json_array_foreach(json, i, element) {
        sl_step steps[16];
        if (place->step_count) memcpy(steps, place->steps, place->step_count * sizeof *steps);
        steps[place->step_count] = (sl_step){.is_index = true, .index = (uint32_t)i};
        sl_place below = *place;
        below.steps = steps;
        below.step_count++;
        if (!write_at(r, &below, element, p, true)) return false;
    }
    return true;
}

/* Puts a value where `place` leads: `insert` = a new element of the list above it. */
static bool put(runner *r, sl_place *place, const sl_value *value, bool insert) {
    if (!insert) return sl_record_set(r->realm, place, value, false, &r->st);
    sl_place list = *place;
    list.step_count--;
    return sl_record_list_insert(r->realm, &list, place->steps[list.step_count].index, value,
                                 &r->st);
}

static bool write_at(runner *r, sl_place *place, const json_t *json, const sl_property *p,
                     bool insert) {
    sl_value value;
    const sl_class *target = p && p->embedded ? sl_realm_class(r->realm, p->target) : NULL;
    if (target && json_is_object(json)) {
        value = (sl_value){.type = SL_TYPE_OBJECT};
        return put(r, place, &value, insert) && write_members(r, place, json, NULL, target);
    }
    if (p->type == SL_TYPE_MIXED && (json_is_array(json) || !sl_ejson_is_scalar(json))) {
        value = (sl_value){.type = json_is_array(json) ? SL_TYPE_LIST : SL_TYPE_DICTIONARY};
        if (!put(r, place, &value, insert)) return false;
        return json_is_array(json) ? write_elements(r, place, json, p)
                                   : write_members(r, place, json, p, NULL);
    }
    return read_scalar(r, json, p->type, p, &value) && put(r, place, &value, insert);
}

static bool write_set(runner *r, sl_place *place, const json_t *json, const sl_property *p) {
    size_t i;
    json_t *element;
    sl_value value;
    json_array_foreach(json, i, element) if (!read_scalar(r, element, p->type, p, &value) ||
                                             !sl_record_set_insert(r->realm, place, &value, NULL,
                                                                   &r->st)) return false;
    return true;
}

static bool write_property(runner *r, sl_place *place, const json_t *json, const sl_property *p) {
    switch (p->collection) {
    case SL_LIST:
        return write_elements(r, place, json, p);
    case SL_SET:
        return write_set(r, place, json, p);
    case SL_DICTIONARY:
        return write_members(r, place, json, p, NULL);
    default:
        return write_at(r, place, json, p, false);
    }
}

static bool add_objects(runner *r, const char *class_name, const json_t *objects) {
    size_t i;
    json_t *object, *member;
    const char *name;
    const sl_class *cls = sl_realm_class(r->realm, sl_str_c(class_name));
    json_array_foreach(objects, i, object) {
        sl_place place = {.class_name = cls->name};
        char key_name[80];
        snprintf(key_name, sizeof key_name, "%.*s", (int)cls->key_name.size, cls->key_name.data);
        json_t *key = json_object_get(object, key_name);
        if (!sl_ejson_read_key(key, &r->arena, &place.key, &r->st) ||
            !sl_record_create(r->realm, cls->name, &place.key, NULL, NULL, &r->st))
            return false;
        json_object_foreach(object, name, member) {
            const sl_property *p = sl_class_find(cls, sl_str_c(name));
            if (!p) continue;
            place.property = p->name;
            if (!write_property(r, &place, member, p)) return false;
        }
    }
    return true;
}

/* --- answers --- */

static bool note_match(void *ctx, const sl_key *key) {
    sl_ejson *out = ctx;
    sl_ejson_key(out, key);
    return true;
}

/* The keys, ascending, as text. */
static bool ask(runner *r, const char *class_name, sl_str text, sl_buf *keys, sl_buf *printed) {
    sl_predicate *p;
    uint64_t budget = 1000000;
    sl_ejson out = {.out = keys};
    r->st = (sl_status)SL_STATUS_INIT;
    if (!sl_predicate_parse(sl_realm_schema(r->realm), sl_str_c(class_name), text, NULL, 0, NULL,
                            &p, &r->st))
        return false;
    sl_buf_clear(keys);
    sl_ejson_begin_array(&out);
    bool ok = sl_predicate_run(p, r->realm, &budget, note_match, &out, &r->st);
    sl_ejson_end_array(&out);
    if (printed) {
        sl_buf_clear(printed);
        ok = ok && sl_predicate_print(p, printed);
    }
    sl_predicate_free(p);
    return ok;
}

static bool includes(const json_t *all, const json_t *one) {
    size_t i;
    json_t *member;
    json_array_foreach(all, i, member) if (json_equal(member, one)) return true;
    return false;
}

/* The same keys, whatever the order: SORT may give another one. */
static bool keys_are(const sl_buf *keys, const json_t *expected) {
    json_t *got = json_loadb(keys->data, keys->size, 0, NULL), *key;
    size_t i;
    bool same = json_array_size(got) == json_array_size(expected);
    json_array_foreach(expected, i, key) same = same && includes(got, key);
    json_decref(got);
    return same;
}

static bool matches(const sl_buf *keys, const json_t *row, const char *other) {
    json_t *tolerated = other ? json_object_get(row, other) : NULL;
    return keys_are(keys, json_object_get(row, "matches")) ||
           (tolerated && keys_are(keys, tolerated));
}

static void check_error(runner *r, const json_t *row, const char *class_name, sl_buf *keys) {
    const char *want = vec_text(row, "error"), *name = vec_text(row, "id");
    sl_str query = json_str(json_object_get(row, "query"));
    if (ask(r, class_name, query, keys, NULL)) {
        vec_check(&r->count, name, false, "%s: is taken", query.data);
        return;
    }
    const char *id = strcmp(want, "syntax") == 0 ? "QUERY-SYNTAX" : "QUERY-TYPE";
    vec_check(&r->count, name, strcmp(r->st.id, id) == 0, "%s: %s instead of %s: %s", query.data,
              r->st.id, id, r->st.message);
}

static void check_text(runner *r, const json_t *row, const char *class_name, sl_str text,
                       const char *tolerate, sl_buf *keys, sl_buf *printed) {
    const char *name = vec_text(row, "id");
    if (!ask(r, class_name, text, keys, printed))
        vec_check(&r->count, name, false, "%.*s: %s", (int)text.size, text.data, r->st.message);
    else
        vec_check(&r->count, name, matches(keys, row, tolerate), "%.*s: found %.*s", (int)text.size,
                  text.data, (int)keys->size, keys->data);
}

static void check_row(runner *r, const json_t *row, const char *class_name) {
    sl_buf keys, printed;
    sl_buf_init(&keys, NULL);
    sl_buf_init(&printed, NULL);
    json_t *wire = json_object_get(row, "wire");
    if (json_object_get(row, "error")) {
        check_error(r, row, class_name, &keys);
    } else {
        check_text(r, row, class_name, json_str(json_object_get(row, "query")), NULL, &keys,
                   &printed);
        if (json_is_string(wire)) {
            sl_str sent = json_str(wire);
            r->printed++;
            bool same = sl_str_eq(sent, sl_str_of(printed.data, printed.size));
            r->same_text += same;
            if (!same && getenv("SHOW_PRINTED"))
                fprintf(stderr, "%s: sent %s\n      ours %.*s\n", vec_text(row, "id"), sent.data,
                        (int)printed.size, printed.data);
            check_text(r, row, class_name, sent, "wire_matches", &keys, NULL);
            sl_buf copy;
            sl_buf_init(&copy, NULL);
            sl_buf_add(&copy, printed.data, printed.size);
            check_text(r, row, class_name, sl_str_of(copy.data, copy.size), "wire_matches", &keys,
                       NULL);
            sl_buf_free(&copy);
        }
    }
    sl_buf_free(&keys);
    sl_buf_free(&printed);
}

static bool query_row(void *ctx, const char *file, unsigned line, const json_t *row) {
    (void)file, (void)line;
    runner *r = ctx;
    sl_realm_options options = {0};
    const char *class_name = vec_text(row, "class");
    r->st = (sl_status)SL_STATUS_INIT;
    sl_arena_init(&r->arena, NULL);
    if (!sl_realm_open(&r->realm, &options, &r->st)) return false;
    bool ok = sl_realm_begin(r->realm, &r->st) && add_schema(r, json_object_get(row, "schemas")) &&
              add_objects(r, class_name, json_object_get(row, "objects"));
    if (ok)
        check_row(r, row, class_name);
    else
        vec_check(&r->count, vec_text(row, "id"), false, "setting up: %s", r->st.message);
    sl_realm_commit(r->realm);
    sl_realm_close(r->realm);
    sl_arena_free(&r->arena);
    return true;
}

int main(int argc, char **argv) {
    runner r = {.count = {.kind = "queries"}};
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/queries", vec_dir(argc, argv));
    bool ok = vec_each(vec_dir(argc, argv), "queries", query_row, &r);
    FILE *there = fopen(folder, "r");
    if (there) fclose(there);
    if (there) ok = vec_each(folder, "queries", query_row, &r) && ok;
    if (r.printed)
        fprintf(stderr, "queries: %u of %u are printed as the SDK sends them\n", r.same_text,
                r.printed);
    return vec_finish(&r.count) || !ok;
}
