#include "protocol/bind_data.h"

#include "protocol/json_text.h"
#include "protocol/scan.h"

static bool take_unsigned(const json_t *root, const char *key, uint64_t *value, sl_status *st) {
    const json_t *member = json_object_get(root, key);
    if (!member) return true;
    if (!json_is_integer(member) || json_integer_value(member) < 0)
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "%s in BIND is not an unsigned number", key);
    *value = (uint64_t)json_integer_value(member);
    return true;
}

static bool take_partition(const json_t *root, sl_bind_data *data, sl_arena *arena, sl_status *st) {
    const json_t *member = json_object_get(root, "migratedPartition");
    if (!member) return true;
    if (!json_is_string(member))
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "migratedPartition in BIND is not a string");
    data->has_migrated_partition = true;
    return sl_json_copy(member, arena, &data->migrated_partition) || sl_fail_memory(st);
}

bool sl_bind_data_parse(sl_bind_data *data, sl_str json, sl_arena *arena, sl_status *st) {
    *data = (sl_bind_data){.migrated_partition = SL_STR("")};
    if (json.size == 0) return true;
    json_t *root = sl_json_object(json, "BIND", st);
    if (!root) return false;
    bool ok = take_partition(root, data, arena, st) &&
              take_unsigned(root, "sessionReason", &data->session_reason, st) &&
              take_unsigned(root, "schemaVersion", &data->schema_version, st);
    json_decref(root);
    return ok;
}

void sl_bind_data_write(sl_buf *out, const sl_bind_data *data) {
    bool first = true;
    if (data->has_migrated_partition) {
        sl_json_put_key(out, "migratedPartition", &first);
        sl_json_put_string(out, data->migrated_partition);
    }
    sl_json_put_key(out, "schemaVersion", &first);
    sl_put_uint(out, data->schema_version);
    sl_json_put_key(out, "sessionReason", &first);
    sl_put_uint(out, data->session_reason);
    sl_buf_byte(out, '}');
}
