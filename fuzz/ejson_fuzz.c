/* Extended JSON: what reads as a value writes to a text that reads as the same value and writes to
 * the same text; member names come back too. */
#include <stdlib.h>

#include "value/ejson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) abort();
}

static void write_value(sl_buf *out, const sl_value *value) {
    sl_buf_clear(out);
    sl_ejson w = {.out = out};
    sl_ejson_value(&w, value);
}

static void check_value(const sl_value *value, sl_arena *arena) {
    sl_buf first, second;
    sl_value again;
    sl_buf_init(&first, NULL);
    sl_buf_init(&second, NULL);
    write_value(&first, value);
    json_t *json = sl_ejson_parse(first.data, first.size, NULL);
    require(json && sl_ejson_is_scalar(json));
    require(sl_ejson_read_value(json, arena, &again, NULL));
    json_decref(json);
    write_value(&second, &again);
    require(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    require(again.type == value->type);
    sl_buf_free(&first);
    sl_buf_free(&second);
}

static void check_name(const char *name, sl_arena *arena) {
    sl_str s, again;
    if (!sl_ejson_read_name(name, arena, &s, NULL)) return;
    sl_buf out;
    sl_buf_init(&out, NULL);
    sl_ejson w = {.out = &out};
    sl_value none = {.type = SL_TYPE_NULL};
    sl_ejson_begin_object(&w);
    sl_ejson_name(&w, s);
    sl_ejson_value(&w, &none);
    sl_ejson_end_object(&w);
    json_t *json = sl_ejson_parse(out.data, out.size, NULL);
    require(json && !sl_ejson_is_scalar(json));
    const char *written = json_object_iter_key(json_object_iter(json));
    require(sl_ejson_read_name(written, arena, &again, NULL) && sl_str_eq(s, again));
    json_decref(json);
    sl_buf_free(&out);
}

static void visit(const json_t *json, sl_arena *arena, int depth) {
    sl_value value;
    if (depth == 0) return;
    if (sl_ejson_is_scalar(json)) {
        if (sl_ejson_read_value(json, arena, &value, NULL)) check_value(&value, arena);
        return;
    }
    for (size_t i = 0; i < json_array_size(json); i++)
        visit(json_array_get(json, i), arena, depth - 1);
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)json, name, member) {
        check_name(name, arena);
        visit(member, arena, depth - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sl_arena arena;
    sl_arena_init(&arena, NULL);
    json_t *json = sl_ejson_parse((const char *)data, size, NULL);
    if (json) visit(json, &arena, 100);
    if (json) json_decref(json);
    sl_arena_free(&arena);
    return 0;
}
