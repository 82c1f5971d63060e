#include "protocol/json_error.h"

#include "protocol/json_text.h"
#include "protocol/scan.h"

/* What the readers of single keys share. */
typedef struct reading {
    const json_t *root;
    sl_arena *arena;
    sl_status *st;
} reading;

static bool bad_key(const reading *r, const char *key, const char *wanted) {
    return sl_fail_code(r->st, SL_ERR_PROTOCOL, 103, "JSON_ERROR: key \"%s\" must be %s", key,
                        wanted);
}

static bool take_string(const reading *r, const char *key, bool required, sl_str *to) {
    const json_t *member = json_object_get(r->root, key);
    *to = SL_STR("");
    if (!member) return !required || bad_key(r, key, "present");
    if (!json_is_string(member)) return bad_key(r, key, "a string");
    return sl_json_copy(member, r->arena, to) || sl_fail_memory(r->st);
}

static bool take_bool(const reading *r, const char *key, bool *to) {
    const json_t *member = json_object_get(r->root, key);
    if (!member || !json_is_boolean(member)) return bad_key(r, key, "a boolean");
    *to = json_is_true(member);
    return true;
}

static bool take_int(const reading *r, const char *key, bool required, bool *has, int64_t *to) {
    const json_t *member = json_object_get(r->root, key);
    *has = member != NULL;
    if (!member) return !required || bad_key(r, key, "present");
    if (!json_is_integer(member)) return bad_key(r, key, "an integer");
    *to = json_integer_value(member);
    return true;
}

static bool take_unsigned(const reading *r, const char *key, bool required, bool *has,
                          uint64_t *to) {
    int64_t value = 0;
    if (!take_int(r, key, required, has, &value)) return false;
    if (value < 0) return bad_key(r, key, "an unsigned integer");
    *to = (uint64_t)value;
    return true;
}

static bool take_action(const reading *r, int version, sl_json_error *error) {
    sl_str word;
    error->has_action = json_object_get(r->root, "action") != NULL;
    if (!take_string(r, "action", version >= 7, &word)) return false;
    if (error->has_action) error->action = sl_action_from_name(word);
    return true;
}

static bool take_backoff(const reading *r, sl_json_error *error) {
    bool has_max, has_multiplier;
    return take_int(r, "backoffIntervalSec", false, &error->has_backoff,
                    &error->backoff_interval_s) &&
           take_int(r, "backoffMaxDelaySec", error->has_backoff, &has_max, &error->backoff_max_s) &&
           take_int(r, "backoffMultiplier", error->has_backoff, &has_multiplier,
                    &error->backoff_multiplier);
}

static bool take_rejected_item(const reading *r, const json_t *item, sl_rejected_update *to) {
    reading inner = {item, r->arena, r->st};
    if (!json_is_object(item)) return bad_key(r, "rejectedUpdates", "an array of objects");
    return take_string(&inner, "table", true, &to->table) &&
           take_string(&inner, "pk", true, &to->pk) &&
           take_string(&inner, "reason", true, &to->reason);
}

static bool take_rejected(const reading *r, bool required, sl_json_error *error) {
    const json_t *list = json_object_get(r->root, "rejectedUpdates");
    if (!list) return !required || bad_key(r, "rejectedUpdates", "present");
    if (!json_is_array(list)) return bad_key(r, "rejectedUpdates", "an array");
    size_t count = json_array_size(list);
    error->rejected = sl_arena_zero(r->arena, count + 1, sizeof(sl_rejected_update));
    if (!error->rejected) return sl_fail_memory(r->st);
    error->rejected_count = count;
    for (size_t i = 0; i < count; i++)
        if (!take_rejected_item(r, json_array_get(list, i), &error->rejected[i])) return false;
    return true;
}

static bool take_compensation(const reading *r, int code, sl_json_error *error) {
    bool rejected = json_object_get(r->root, "rejectedUpdates") != NULL;
    return take_rejected(r, code == 231, error) &&
           take_unsigned(r, "rejectedClientVersion", rejected, &error->has_rejected_client_version,
                         &error->rejected_client_version) &&
           take_unsigned(r, "compensatingWriteServerVersion", code == 231,
                         &error->has_compensating_version, &error->compensating_version);
}

static bool take_migration(const reading *r, int code, sl_json_error *error) {
    if (!take_string(r, "partitionQuery", code == 232, &error->partition_query)) return false;
    if (code == 232 && error->partition_query.size == 0)
        return bad_key(r, "partitionQuery", "not empty");
    return take_unsigned(r, "previousSchemaVersion", code == 236,
                         &error->has_previous_schema_version, &error->previous_schema_version);
}

bool sl_json_error_parse(sl_json_error *error, int code, int version, sl_str json, sl_arena *arena,
                         sl_status *st) {
    memset(error, 0, sizeof(*error));
    json_t *root = sl_json_object(json, "JSON_ERROR", st);
    if (!root) return false;
    reading r = {root, arena, st};
    bool ok = take_string(&r, "message", true, &error->message) &&
              take_bool(&r, "tryAgain", &error->try_again) &&
              take_string(&r, "logURL", true, &error->log_url) &&
              take_bool(&r, "shouldClientReset", &error->should_client_reset) &&
              take_bool(&r, "isRecoveryModeDisabled", &error->recovery_mode_disabled) &&
              take_action(&r, version, error) && take_backoff(&r, error) &&
              take_migration(&r, code, error) && take_compensation(&r, code, error);
    json_decref(root);
    return ok;
}

static void put_bool(sl_buf *out, const char *key, bool value, bool *first) {
    sl_json_put_key(out, key, first);
    sl_buf_text(out, value ? "true" : "false");
}

static void put_string(sl_buf *out, const char *key, sl_str value, bool *first) {
    sl_json_put_key(out, key, first);
    sl_json_put_string(out, value);
}

static void put_int(sl_buf *out, const char *key, int64_t value, bool *first) {
    sl_json_put_key(out, key, first);
    if (value < 0) sl_buf_byte(out, '-');
    sl_put_uint(out, value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value);
}

static void put_rejected(sl_buf *out, const sl_json_error *error, bool *first) {
    sl_json_put_key(out, "rejectedUpdates", first);
    sl_buf_byte(out, '[');
    for (size_t i = 0; i < error->rejected_count; i++) {
        bool first_member = true;
        if (i) sl_buf_byte(out, ',');
        put_string(out, "pk", error->rejected[i].pk, &first_member);
        put_string(out, "reason", error->rejected[i].reason, &first_member);
        put_string(out, "table", error->rejected[i].table, &first_member);
        sl_buf_byte(out, '}');
    }
    sl_buf_byte(out, ']');
}

static void put_backoff(sl_buf *out, const sl_json_error *error, bool *first) {
    put_int(out, "backoffIntervalSec", error->backoff_interval_s, first);
    put_int(out, "backoffMaxDelaySec", error->backoff_max_s, first);
    put_int(out, "backoffMultiplier", error->backoff_multiplier, first);
}

void sl_json_error_write(sl_buf *out, const sl_json_error *error) {
    bool first = true;
    if (error->action != SL_ACTION_NONE)
        put_string(out, "action", sl_str_c(sl_action_name(error->action)), &first);
    if (error->has_backoff) put_backoff(out, error, &first);
    if (error->has_compensating_version)
        put_int(out, "compensatingWriteServerVersion", (int64_t)error->compensating_version,
                &first);
    put_bool(out, "isRecoveryModeDisabled", error->recovery_mode_disabled, &first);
    put_string(out, "logURL", error->log_url, &first);
    put_string(out, "message", error->message, &first);
    if (error->partition_query.size)
        put_string(out, "partitionQuery", error->partition_query, &first);
    if (error->has_previous_schema_version)
        put_int(out, "previousSchemaVersion", (int64_t)error->previous_schema_version, &first);
    if (error->has_rejected_client_version)
        put_int(out, "rejectedClientVersion", (int64_t)error->rejected_client_version, &first);
    if (error->rejected) put_rejected(out, error, &first);
    put_bool(out, "shouldClientReset", error->should_client_reset, &first);
    put_bool(out, "tryAgain", error->try_again, &first);
    sl_buf_byte(out, '}');
}

bool sl_client_error_parse(sl_str json, sl_arena *arena, sl_str *message, sl_status *st) {
    json_t *root = sl_json_object(json, "JSON_ERROR", st);
    if (!root) return false;
    reading r = {root, arena, st};
    bool ok = take_string(&r, "message", true, message);
    json_decref(root);
    return ok;
}

void sl_client_error_write(sl_buf *out, sl_str message) {
    bool first = true;
    put_string(out, "message", message, &first);
    sl_buf_byte(out, '}');
}
