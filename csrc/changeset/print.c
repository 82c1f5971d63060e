#include "changeset/print.h"

#include <math.h>

#include "value/base64.h"
#include "value/date.h"
#include "value/decimal.h"
#include "value/ids.h"
#include "value/number.h"
#include "value/text.h"
#include "value/utf8.h"

enum { LONGEST_BLOB = 32 };

typedef struct printer {
    const sl_changeset *cs;
    sl_buf *out;
} printer;

static void put_quoted(sl_str s, sl_buf *out) {
    if (sl_utf8_valid(s)) {
        sl_text_quote(s, out);
        return;
    }
    sl_buf_text(out, "hex(");
    sl_value_hex_encode(s.data, s.size, out);
    sl_buf_byte(out, ')');
}

static bool is_word(sl_str s) {
    for (uint32_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        bool word = c >= 0x80 || c == '_' || (c >= '0' && c <= '9') ||
                    ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!word) return false;
    }
    return s.size > 0 && sl_utf8_valid(s);
}

static void put_str(sl_str s, sl_buf *out) {
    if (is_word(s)) {
        sl_buf_str(out, s);
    } else {
        put_quoted(s, out);
    }
}

static void put_name(const printer *pr, uint32_t sym) {
    put_str(sym < pr->cs->string_count ? pr->cs->strings[sym] : SL_STR(""), pr->out);
}

static void put_key(const sl_key *key, sl_buf *out) {
    sl_buf_byte(out, '[');
    switch (key->type) {
    case SL_TYPE_INT:
        sl_number_put_i64(key->integer, out);
        break;
    case SL_TYPE_STRING:
        put_quoted(key->string, out);
        break;
    case SL_TYPE_OBJECTID:
        sl_objectid_to_text(key->objectid, out);
        break;
    case SL_TYPE_UUID:
        sl_uuid_to_text(key->uuid, out);
        break;
    case SL_TYPE_GLOBALKEY:
        sl_buf_printf(out, "{%04llx-%04llx}", (unsigned long long)key->global.hi,
                      (unsigned long long)key->global.lo);
        break;
    default:
        sl_buf_text(out, "null");
        break;
    }
    sl_buf_byte(out, ']');
}

static void put_real(double v, int digits, sl_buf *out) {
    if (isnan(v)) {
        sl_buf_text(out, "nan");
    } else if (isinf(v)) {
        sl_buf_text(out, v < 0 ? "-inf" : "inf");
    } else {
        sl_number_put_real(v, digits, out);
    }
}

static void put_blob(sl_str s, sl_buf *out) {
    sl_buf_text(out, "hex(");
    sl_value_hex_encode(s.data, s.size < LONGEST_BLOB ? s.size : LONGEST_BLOB, out);
    if (s.size > LONGEST_BLOB) sl_buf_printf(out, "... %u bytes", (unsigned)s.size);
    sl_buf_byte(out, ')');
}

static void put_timestamp(sl_timestamp t, sl_buf *out) {
    if (sl_date_to_text(t, out)) return;
    sl_buf_text(out, "timestamp(");
    sl_number_put_i64(t.seconds, out);
    sl_buf_printf(out, ", %d)", (int)t.nanoseconds);
}

static void put_value(const sl_value *v, sl_buf *out) {
    switch (v->type) {
    case SL_TYPE_NULL:
        sl_buf_text(out, "null");
        break;
    case SL_TYPE_INT:
        sl_number_put_i64(v->integer, out);
        break;
    case SL_TYPE_BOOL:
        sl_buf_text(out, v->boolean ? "true" : "false");
        break;
    case SL_TYPE_STRING:
        put_quoted(v->string, out);
        break;
    case SL_TYPE_BINARY:
        put_blob(v->string, out);
        break;
    case SL_TYPE_TIMESTAMP:
        put_timestamp(v->timestamp, out);
        break;
    case SL_TYPE_FLOAT:
        sl_buf_text(out, "float ");
        put_real((double)v->single, 9, out);
        break;
    case SL_TYPE_DOUBLE:
        sl_buf_text(out, "double ");
        put_real(v->real, 17, out);
        break;
    case SL_TYPE_DECIMAL:
        sl_buf_text(out, "decimal ");
        sl_decimal_to_text(v->decimal, out);
        break;
    case SL_TYPE_LINK:
        put_str(v->link->class_name, out);
        put_key(&v->link->key, out);
        break;
    case SL_TYPE_OBJECTID:
        sl_objectid_to_text(v->objectid, out);
        break;
    case SL_TYPE_UUID:
        sl_uuid_to_text(v->uuid, out);
        break;
    case SL_TYPE_ERASED:
        sl_buf_text(out, "(erased)");
        break;
    default:
        sl_buf_printf(out, "(new %s)", sl_type_name(v->type));
        break;
    }
}

static void put_path(const printer *pr, const sl_instruction *in) {
    put_key(&in->key, pr->out);
    sl_buf_byte(pr->out, '.');
    put_name(pr, in->field);
    for (uint32_t i = 0; i < in->path_size; i++) {
        if (in->path[i].is_index) {
            sl_buf_printf(pr->out, "[%u]", (unsigned)in->path[i].number);
        } else {
            sl_buf_byte(pr->out, '.');
            put_name(pr, in->path[i].number);
        }
    }
}

static void put_table(const printer *pr, const sl_instruction *in) {
    static const char *const kinds[] = {"", " (embedded)", " (asymmetric)"};
    sl_buf_text(pr->out, in->table_kind < 3 ? kinds[in->table_kind] : "");
    if (in->table_kind == SL_TABLE_EMBEDDED) return;
    if (in->type == SL_TYPE_GLOBALKEY) {
        sl_buf_text(pr->out, ", no key");
        return;
    }
    sl_buf_text(pr->out, ", key ");
    put_name(pr, in->field);
    sl_buf_printf(pr->out, ": %s%s", sl_type_name(in->type), in->nullable ? "?" : "");
}

static void put_column(const printer *pr, const sl_instruction *in) {
    static const char *const open[] = {"", "list of ", "dictionary of ", "set of "};
    sl_buf_byte(pr->out, '.');
    put_name(pr, in->field);
    sl_buf_printf(pr->out, ": %s", in->collection < 4 ? open[in->collection] : "");
    if (in->type == SL_TYPE_LINK) {
        put_name(pr, in->target);
    } else {
        sl_buf_text(pr->out, sl_type_name(in->type));
    }
    if (in->nullable) sl_buf_byte(pr->out, '?');
}

static void put_assignment(const printer *pr, const char *sign, const sl_instruction *in) {
    sl_buf_text(pr->out, sign);
    put_value(&in->value, pr->out);
}

static void put_size(const printer *pr, const sl_instruction *in) {
    sl_buf_printf(pr->out, "  (size was %u)", (unsigned)in->prior_size);
}

/* What follows the path head. */
static void put_tail(const printer *pr, const sl_instruction *in) {
    switch (in->op) {
    case SL_OP_UPDATE:
        put_assignment(pr, " = ", in);
        if (sl_path_ends_with_index(in)) {
            put_size(pr, in);
        } else if (in->is_default) {
            sl_buf_text(pr->out, "  (default)");
        }
        break;
    case SL_OP_ADD_INTEGER:
        put_assignment(pr, " += ", in);
        break;
    case SL_OP_ARRAY_INSERT:
        put_assignment(pr, " = ", in);
        put_size(pr, in);
        break;
    case SL_OP_ARRAY_MOVE:
        sl_buf_printf(pr->out, " to [%u]", (unsigned)in->to);
        put_size(pr, in);
        break;
    case SL_OP_ARRAY_ERASE:
        put_size(pr, in);
        break;
    case SL_OP_CLEAR:
        if (in->collection)
            sl_buf_printf(pr->out, "  (%s)", sl_collection_name((sl_collection)in->collection));
        break;
    default: /* SL_OP_SET_INSERT, SL_OP_SET_ERASE */
        put_assignment(pr, " : ", in);
        break;
    }
}

static void put_line(const printer *pr, const sl_instruction *in) {
    sl_buf_printf(pr->out, "%-12s ", sl_op_name(in->op));
    put_name(pr, in->class_name);
    if (sl_op_has_path(in->op)) {
        put_path(pr, in);
        put_tail(pr, in);
    } else if (in->op == SL_OP_CREATE_OBJECT || in->op == SL_OP_ERASE_OBJECT) {
        put_key(&in->key, pr->out);
    } else if (in->op == SL_OP_ADD_TABLE) {
        put_table(pr, in);
    } else if (in->op == SL_OP_ADD_COLUMN) {
        put_column(pr, in);
    } else if (in->op == SL_OP_ERASE_COLUMN) {
        sl_buf_byte(pr->out, '.');
        put_name(pr, in->field);
    }
    sl_buf_byte(pr->out, '\n');
}

bool sl_changeset_to_text(const sl_changeset *cs, bool raw, sl_buf *out, sl_status *st) {
    printer pr = {cs, out};
    size_t before = out->size;
    uint32_t next = raw ? 0 : cs->string_count;
    for (uint32_t i = 0; i <= cs->count; i++) {
        for (; next < cs->string_count && (cs->string_at[next] <= i || i == cs->count); next++) {
            sl_buf_printf(out, "%-12s %u ", "InternString", (unsigned)next);
            put_quoted(cs->strings[next], out);
            sl_buf_byte(out, '\n');
        }
        if (i < cs->count) put_line(&pr, &cs->instructions[i]);
    }
    if (!out->failed) return true;
    out->size = before;
    return sl_fail_memory(st);
}
