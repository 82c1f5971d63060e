/* Room is reserved once per instruction, then everything is written without checks. A class name or
 * key that is not in the string table shows as the highest index used, looked at once per
 * instruction. */
#include "changeset/changeset.h"
#include "changeset/varint.h"
#include "value/decimal.h"

enum {
    /* Upper bounds: everything of an instruction but path and bytes; one path element. */
    FIXED_ROOM = 192,
    ELEM_ROOM = 6,
    INTERN_STRING = 63
};

typedef struct writer {
    uint8_t *p;
    uint32_t above; /* highest string index referred to so far, plus one; 0 with `wraps` if none */
    bool unknown; /* a string outside every table (SL_NO_SYM), or a key or value without encoding */
} writer;

static inline void put_u32(writer *w, uint32_t v) {
    if (v < 0x40) {
        *w->p++ = (uint8_t)v;
    } else {
        w->p = sl_varint_put(w->p, v, 0);
    }
}

static inline void put_u64(writer *w, uint64_t v) {
    w->p = sl_varint_put(w->p, v, 0);
}

static inline void put_i64(writer *w, int64_t v) {
    w->p = sl_varint_put_i64(w->p, v);
}

static inline void put_byte(writer *w, unsigned v) {
    *w->p++ = (uint8_t)v;
}

static inline void put_type(writer *w, int8_t type) {
    *w->p++ = type >= 0 ? (uint8_t)type : (uint8_t)(0x40 | (-type - 1));
}

static inline void put_raw(writer *w, const void *data, size_t size) {
    memcpy(w->p, data, size);
    w->p += size;
}

static inline void put_name(writer *w, uint32_t sym) {
    if (sym == SL_NO_SYM) {
        w->unknown = true;
        return;
    }
    if (sym >= w->above) w->above = sym + 1;
    put_u32(w, sym);
}

static inline void put_key(writer *w, const sl_key *k) {
    put_type(w, k->type);
    switch (k->type) {
    case SL_TYPE_NULL:
        break;
    case SL_TYPE_INT:
        put_i64(w, k->integer);
        break;
    case SL_TYPE_STRING:
        put_name(w, k->string.sym);
        break;
    case SL_TYPE_OBJECTID:
        put_raw(w, k->objectid, sizeof k->objectid);
        break;
    case SL_TYPE_UUID:
        put_raw(w, k->uuid, sizeof k->uuid);
        break;
    case SL_TYPE_GLOBALKEY:
        put_u64(w, k->global.hi);
        put_u64(w, k->global.lo);
        break;
    default:
        w->unknown = true;
    }
}

static void put_float(writer *w, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    for (int i = 0; i < 4; i++)
        put_byte(w, bits >> 8 * i & 0xff);
}

static void put_double(writer *w, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    for (int i = 0; i < 8; i++)
        put_byte(w, (unsigned)(bits >> 8 * i & 0xff));
}

static void put_decimal(writer *w, sl_decimal d) {
    sl_decimal_parts parts = sl_decimal_split(d);
    w->p = sl_varint_put_u128(w->p, parts.lo, parts.hi);
    put_i64(w, parts.exponent);
    put_byte(w, parts.negative);
}

static inline void put_string(writer *w, sl_str s) {
    put_u32(w, s.size);
    if (s.size) put_raw(w, s.data, s.size);
}

static inline void put_value(writer *w, const sl_value *v) {
    put_type(w, v->type);
    switch (v->type) {
    case SL_TYPE_INT:
        put_i64(w, v->integer);
        break;
    case SL_TYPE_BOOL:
        put_byte(w, v->boolean);
        break;
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        put_string(w, v->string);
        break;
    case SL_TYPE_TIMESTAMP:
        put_i64(w, v->timestamp.seconds);
        put_i64(w, v->timestamp.nanoseconds);
        break;
    case SL_TYPE_FLOAT:
        put_float(w, v->single);
        break;
    case SL_TYPE_DOUBLE:
        put_double(w, v->real);
        break;
    case SL_TYPE_DECIMAL:
        put_decimal(w, v->decimal);
        break;
    case SL_TYPE_LINK:
        put_name(w, v->link->class_name.sym);
        put_key(w, &v->link->key);
        break;
    case SL_TYPE_OBJECTID:
        put_raw(w, v->objectid, sizeof v->objectid);
        break;
    case SL_TYPE_UUID:
        put_raw(w, v->uuid, sizeof v->uuid);
        break;
    case SL_TYPE_GLOBALKEY:
        w->unknown = true;
        break;
    default:
        break;
    }
}

static void put_path(writer *w, const sl_instruction *in) {
    for (uint32_t i = 0; i < in->path_size; i++) {
        if (in->path[i].is_index) {
            put_u32(w, in->path[i].number);
        } else {
            put_byte(w, 0x40);
            put_name(w, in->path[i].number);
        }
    }
}

static inline void put_head(writer *w, const sl_instruction *in) {
    put_name(w, in->class_name);
    put_key(w, &in->key);
    put_name(w, in->field);
    put_u32(w, in->path_size);
    if (in->path_size) put_path(w, in);
}

static void put_add_table(writer *w, const sl_instruction *in) {
    put_name(w, in->class_name);
    put_byte(w, in->table_kind);
    if (in->table_kind == SL_TABLE_EMBEDDED) return;
    put_name(w, in->field);
    put_type(w, in->type);
    put_byte(w, in->nullable);
}

static void put_add_column(writer *w, const sl_instruction *in) {
    put_name(w, in->class_name);
    put_name(w, in->field);
    put_type(w, in->type);
    put_byte(w, in->nullable);
    put_byte(w, in->collection);
    if (in->type == SL_TYPE_LINK) put_name(w, in->target);
    if (in->collection == SL_DICTIONARY) put_type(w, in->key_type);
}

static void put_schema(writer *w, const sl_instruction *in) {
    switch (in->op) {
    case SL_OP_ADD_TABLE:
        put_add_table(w, in);
        break;
    case SL_OP_ERASE_TABLE:
        put_name(w, in->class_name);
        break;
    case SL_OP_ADD_COLUMN:
        put_add_column(w, in);
        break;
    default: /* SL_OP_ERASE_COLUMN */
        put_name(w, in->class_name);
        put_name(w, in->field);
        break;
    }
}

/* What stands behind the path head. */
static inline void put_tail(writer *w, const sl_instruction *in) {
    switch (in->op) {
    case SL_OP_UPDATE:
        put_value(w, &in->value);
        if (sl_path_ends_with_index(in)) {
            put_u32(w, in->prior_size);
        } else {
            put_byte(w, in->is_default);
        }
        break;
    case SL_OP_ADD_INTEGER:
        put_i64(w, in->value.integer);
        break;
    case SL_OP_ARRAY_INSERT:
        put_value(w, &in->value);
        put_u32(w, in->prior_size);
        break;
    case SL_OP_ARRAY_MOVE:
        put_u32(w, in->to);
        put_u32(w, in->prior_size);
        break;
    case SL_OP_ARRAY_ERASE:
        put_u32(w, in->prior_size);
        break;
    case SL_OP_CLEAR:
        put_byte(w, in->collection);
        break;
    default: /* SL_OP_SET_INSERT, SL_OP_SET_ERASE */
        put_value(w, &in->value);
        break;
    }
}

static inline void put_instruction(writer *w, const sl_instruction *in) {
    put_byte(w, in->op);
    if (in->op == SL_OP_CREATE_OBJECT || in->op == SL_OP_ERASE_OBJECT) {
        put_name(w, in->class_name);
        put_key(w, &in->key);
    } else if (sl_op_has_path(in->op)) {
        put_head(w, in);
        put_tail(w, in);
    } else {
        put_schema(w, in);
    }
}

static inline size_t room_for(const sl_instruction *in) {
    size_t room = FIXED_ROOM + (size_t)in->path_size * ELEM_ROOM;
    if (in->value.type == SL_TYPE_STRING || in->value.type == SL_TYPE_BINARY)
        room += in->value.string.size;
    return room;
}

/* Writes strings [from, to). */
static bool encode_strings(const sl_changeset *cs, uint32_t from, uint32_t to, sl_buf *out) {
    for (uint32_t i = from; i < to; i++) {
        sl_str s = cs->strings[i];
        uint8_t *start = (uint8_t *)sl_buf_reserve(out, (size_t)s.size + 32);
        if (!start) return false;
        writer w = {start, 0, false};
        put_byte(&w, INTERN_STRING);
        put_u32(&w, i);
        put_string(&w, s);
        out->size += (size_t)(w.p - start);
    }
    return true;
}

static bool encode_all(const sl_changeset *cs, bool upfront, sl_buf *out, sl_status *st) {
    uint32_t written = 0;
    if (upfront) {
        if (!encode_strings(cs, 0, cs->string_count, out)) return sl_fail_memory(st);
        written = cs->string_count;
    }
    for (uint32_t i = 0; i < cs->count; i++) {
        const sl_instruction *in = &cs->instructions[i];
        uint32_t due = written;
        while (due < cs->string_count && cs->string_at[due] <= i)
            due++;
    again:
        if (due > written) {
            if (!encode_strings(cs, written, due, out)) return sl_fail_memory(st);
            written = due;
        }
        uint8_t *start = (uint8_t *)sl_buf_reserve(out, room_for(in));
        if (!start) return sl_fail_memory(st);
        writer w = {start, written, false};
        put_instruction(&w, in);
        if (__builtin_expect(w.unknown || w.above > written, 0)) {
            if (w.unknown || w.above > cs->string_count)
                return sl_fail(
                    st, SL_ERR_USAGE, "",
                    "instruction %u (%s) has a name, key or value that cannot be encoded; "
                    "intern its strings first",
                    (unsigned)i, sl_op_name(in->op));
            due = w.above;
            goto again;
        }
        out->size += (size_t)(w.p - start);
    }
    if (!encode_strings(cs, written, cs->string_count, out)) return sl_fail_memory(st);
    return true;
}

bool sl_changeset_encode(const sl_changeset *cs, sl_encoding how, sl_buf *out, sl_status *st) {
    bool upfront = how == SL_ENCODE_UPFRONT;
    if (upfront && cs->count == 0) return true;
    size_t before = out->size;
    if (encode_all(cs, upfront, out, st)) return true;
    out->size = before;
    return false;
}
