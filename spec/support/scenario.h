/* scenario.h - two people edit from a common state: merged in both directions, applied in both
 * orders, and compared with what the object should look like afterwards. */
#ifndef SPEC_SUPPORT_SCENARIO_H
#define SPEC_SUPPORT_SCENARIO_H

#include <jansson.h>

#include "merge_case.h"
#include "merge_state.h"

/* Texts in the notation of notation.h. `base` follows on `schema`. `expect`: "A1: i=9 q=null; B1:
 * none" (only the named properties are compared). */
typedef struct scenario {
    const char *name, *schema, *base;
    case_changeset left[4], right[4];
    const char *expect;
} scenario;

/* ---- a short text for a value of the STATE ---- */

static inline void brief_value(const json_t *v, sl_buf *out);

static inline void brief_items(const json_t *items, char open, char close, sl_buf *out) {
    size_t i;
    const json_t *item;
    sl_buf_byte(out, (uint8_t)open);
    json_array_foreach(items, i, item) {
        if (i) sl_buf_byte(out, ',');
        brief_value(item, out);
    }
    sl_buf_byte(out, (uint8_t)close);
}

static inline void brief_entry(const char *name, const json_t *value, bool first, sl_buf *out) {
    sl_buf_printf(out, "%s%s:", first ? "{" : ",", name);
    brief_value(value, out);
}

static inline void brief_value(const json_t *v, sl_buf *out) {
    const char *kind =
        json_is_object(v) ? json_object_iter_key(json_object_iter((json_t *)(uintptr_t)v)) : NULL;
    const json_t *inner = kind ? json_object_get(v, kind) : NULL;
    if (!kind) {
        sl_buf_text(out, "null");
    } else if (strcmp(kind, "list") == 0) {
        brief_items(inner, '[', ']', out);
    } else if (strcmp(kind, "set") == 0) {
        brief_items(inner, '{', '}', out);
    } else if (strcmp(kind, "dictionary") == 0) {
        size_t i;
        const json_t *entry;
        json_array_foreach(inner, i, entry) brief_entry(json_string_value(json_array_get(entry, 0)),
                                                        json_array_get(entry, 1), i == 0, out);
        sl_buf_text(out, json_array_size(inner) ? "}" : "{}");
    } else if (strcmp(kind, "object") == 0) {
        const char *name;
        json_t *value;
        bool first = true;
        json_object_foreach((json_t *)(uintptr_t)inner, name, value) {
            brief_entry(name, value, first, out);
            first = false;
        }
        sl_buf_text(out, first ? "{}" : "}");
    } else if (strcmp(kind, "link") == 0) {
        const json_t *key = json_object_get(json_object_get(inner, "object"), "int");
        sl_buf_printf(out, "%s%s%s", json_string_value(json_object_get(inner, "table")),
                      json_string_value(key), json_object_get(inner, "dangling") ? "?" : "");
    } else if (strcmp(kind, "string") == 0) {
        sl_buf_printf(out, "\"%s\"", json_string_value(inner));
    } else if (json_is_string(inner)) {
        sl_buf_text(out, json_string_value(inner));
    } else if (json_is_boolean(inner)) {
        sl_buf_text(out, json_is_true(inner) ? "true" : "false");
    } else {
        sl_buf_printf(out, "%g", json_number_value(inner));
    }
}

static inline const json_t *state_object(const json_t *state, sl_str cls, sl_str key) {
    size_t i, k;
    const json_t *c, *o;
    json_array_foreach(json_object_get(state, "classes"), i, c) {
        if (!sl_str_eq(sl_str_c(json_string_value(json_object_get(c, "name"))), cls)) continue;
        json_array_foreach(json_object_get(c, "objects"), k, o) {
            const json_t *number = json_object_get(json_object_get(o, "object"), "int");
            if (number && sl_str_eq(sl_str_c(json_string_value(number)), key)) return o;
        }
    }
    return NULL;
}

/* ---- running ---- */

/* Rewrites an expectation with what is really there: same objects, same properties. */
static inline void brief_like(const json_t *state, const char *expect, sl_buf *out) {
    notation n = {expect, NULL, false};
    for (nt_space(&n); *n.at; nt_space(&n)) {
        sl_str cls = nt_word(&n, false);
        const char *start = n.at;
        nt_number(&n);
        sl_str key = sl_str_of(start, (size_t)(n.at - start));
        const json_t *object = state_object(state, cls, key);
        nt_need(&n, ":");
        sl_buf_printf(out, "%s%.*s%.*s:", out->size ? "; " : "", (int)cls.size, cls.data,
                      (int)key.size, key.data);
        if (!object) sl_buf_text(out, " none");
        if (!object || nt_take(&n, "none")) {
            if (object) sl_buf_text(out, " exists");
            while (*n.at && *n.at != ';')
                n.at++;
        }
        for (nt_space(&n); object && *n.at && *n.at != ';'; nt_space(&n)) {
            sl_str name = nt_word(&n, true);
            char field[64];
            snprintf(field, sizeof field, "%.*s", (int)name.size, name.data);
            sl_buf_printf(out, " %s=", field);
            brief_value(json_object_get(json_object_get(object, "values"), field), out);
            bool quoted = false;
            for (; *n.at && (quoted || (*n.at != ' ' && *n.at != ';')); n.at++)
                if (*n.at == '"') quoted = !quoted;
            if (n.failed) return;
        }
        if (*n.at == ';') n.at++;
    }
    sl_buf_byte(out, 0);
    out->size--;
}

static inline bool scenario_apply_text(sl_realm *realm, const char *text, sl_status *st) {
    merge_side side;
    case_side(&side, (case_changeset[]){{1, 1, text}, {0, 0, NULL}});
    bool ok = state_apply(realm, &side, st);
    side_free(&side);
    return ok;
}

/* schema, base, first, second; then the brief text of the state. */
static inline bool scenario_order(const scenario *s, const merge_side *first,
                                  const merge_side *second, sl_buf *out, sl_status *st) {
    sl_realm *realm = NULL;
    sl_buf text;
    sl_buf_init(&text, NULL);
    sl_buf_clear(out);
    bool ok = sl_realm_open(&realm, NULL, st) && sl_realm_begin(realm, st) &&
              scenario_apply_text(realm, s->schema, st) &&
              scenario_apply_text(realm, s->base, st) && state_apply(realm, first, st) &&
              state_apply(realm, second, st) && sl_realm_state_text(realm, &text, st);
    if (ok) {
        json_t *state = json_loadb(text.data, text.size, 0, NULL);
        brief_like(state, s->expect, out);
        json_decref(state);
    }
    sl_realm_close(realm);
    sl_buf_free(&text);
    return ok;
}

/* Runs it with `left` as the local side, or with the roles exchanged. `seen[0]` becomes the state
 * of the left device, `seen[1]` that of the right one. False: `st` says why. */
static inline bool scenario_run(const scenario *s, bool swapped, sl_buf seen[2], sl_status *st) {
    merge_side left, right, left_out, right_out;
    case_side(&left, s->left);
    case_side(&right, s->right);
    case_side(&left_out, s->left);
    case_side(&right_out, s->right);
    merge_side *local = swapped ? &right_out : &left_out;
    merge_side *incoming = swapped ? &left_out : &right_out;
    bool ok =
        sl_transform(local->items, local->count, incoming->items, incoming->count, NULL, st) &&
        scenario_order(s, &left, &right_out, &seen[0], st) &&
        scenario_order(s, &right, &left_out, &seen[1], st);
    side_free(&left);
    side_free(&right);
    side_free(&left_out);
    side_free(&right_out);
    return ok;
}

#endif
