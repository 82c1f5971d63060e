#include "protocol/log_message.h"

#include "protocol/json_text.h"

static bool known_level(sl_str level) {
    static const char *const levels[] = {"fatal",  "error", "warn", "info",
                                         "detail", "debug", "trace"};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (sl_str_eq(level, sl_str_c(levels[i]))) return true;
    return false;
}

static bool take(const json_t *root, const char *key, sl_str *to, sl_arena *arena, sl_status *st) {
    const json_t *member = json_object_get(root, key);
    *to = SL_STR("");
    if (!member) return true;
    if (!json_is_string(member))
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "%s in LOG_MESSAGE is not a string", key);
    return sl_json_copy(member, arena, to) || sl_fail_memory(st);
}

bool sl_log_message_parse(sl_log_message *log, sl_str json, sl_arena *arena, sl_status *st) {
    json_t *root = sl_json_object(json, "LOG_MESSAGE", st);
    if (!root) return false;
    bool ok = take(root, "co_id", &log->co_id, arena, st) &&
              take(root, "level", &log->level, arena, st) &&
              take(root, "msg", &log->text, arena, st);
    json_decref(root);
    if (!ok) return false;
    if (log->text.size && log->level.size && !known_level(log->level))
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "unknown level \"%.*s\" in LOG_MESSAGE",
                            (int)(log->level.size < 20 ? log->level.size : 20), log->level.data);
    return true;
}

static void put(sl_buf *out, const char *key, sl_str value, bool *first) {
    if (value.size == 0) return;
    sl_json_put_key(out, key, first);
    sl_json_put_string(out, value);
}

void sl_log_message_write(sl_buf *out, const sl_log_message *log) {
    bool first = true;
    put(out, "co_id", log->co_id, &first);
    put(out, "level", log->level, &first);
    put(out, "msg", log->text, &first);
    sl_buf_text(out, first ? "{}" : "}");
}
