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

typedef uint8_t *cursor;

typedef struct writer {
    uint32_t above; /* strings [0, above) have been referred to */
    bool unknown; /* a string outside every table (SL_NO_SYM), or a key or value without encoding */
} writer;

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE cursor put_byte(cursor p, unsigned v) {
    *p = (uint8_t)v;
    return p + 1;
}

ALWAYS_INLINE cursor put_u32(cursor p, uint32_t v) {
    return v < 0x40 ? put_byte(p, v) : sl_varint_put(p, v, 0);
}

ALWAYS_INLINE cursor put_type(cursor p, int8_t type) {
    return put_byte(p, type >= 0 ? (unsigned)type : 0x40u | (unsigned)(-type - 1));
}

ALWAYS_INLINE cursor put_raw(cursor p, const void *data, size_t size) {
    memcpy(p, data, size);
    return p + size;
}

/* Short strings are the rule; a call for each would cost more than the copy. */
ALWAYS_INLINE cursor put_bytes(cursor p, const char *data, uint32_t size) {
    if (size > 16) return put_raw(p, data, size);
    if (size >= 8) {
        uint64_t a, b;
        memcpy(&a, data, 8);
        memcpy(&b, data + size - 8, 8);
        memcpy(p, &a, 8);
        memcpy(p + size - 8, &b, 8);
    } else if (size >= 4) {
        uint32_t a, b;
        memcpy(&a, data, 4);
        memcpy(&b, data + size - 4, 4);
        memcpy(p, &a, 4);
        memcpy(p + size - 4, &b, 4);
    } else if (size) {
        p[0] = (uint8_t)data[0];
        p[size / 2] = (uint8_t)data[size / 2];
        p[size - 1] = (uint8_t)data[size - 1];
    }
    return p + size;
}

ALWAYS_INLINE cursor put_string(cursor p, sl_str s) {
    p = put_u32(p, s.size);
    return put_bytes(p, s.data, s.size);
}

ALWAYS_INLINE cursor put_name(writer *w, cursor p, uint32_t sym) {
    if (sym >= w->above) {
        if (sym == SL_NO_SYM) {
            w->unknown = true;
            return p;
        }
        w->above = sym + 1;
    }
    return put_u32(p, sym);
}

ALWAYS_INLINE cursor put_i64(cursor p, int64_t v) {
    if (v >= 0 && v < 0x40) return put_byte(p, (unsigned)v);
    return sl_varint_put_i64(p, v);
}

ALWAYS_INLINE cursor put_key(writer *w, cursor p, const sl_key *k) {
    p = put_type(p, k->type);
    switch (k->type) {
    case SL_TYPE_NULL:
        return p;
    case SL_TYPE_INT:
        return put_i64(p, k->integer);
    case SL_TYPE_STRING:
        return put_name(w, p, k->string.sym);
    case SL_TYPE_OBJECTID:
        return put_raw(p, k->objectid, sizeof k->objectid);
    case SL_TYPE_UUID:
        return put_raw(p, k->uuid, sizeof k->uuid);
    case SL_TYPE_GLOBALKEY:
        p = sl_varint_put_u64(p, k->global.hi);
        return sl_varint_put_u64(p, k->global.lo);
    default:
        w->unknown = true;
        return p;
    }
}

static cursor put_float(cursor p, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    for (int i = 0; i < 4; i++)
        p = put_byte(p, bits >> 8 * i & 0xff);
    return p;
}

ALWAYS_INLINE cursor put_double(cursor p, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    sl_store_le64(p, bits);
    return p + 8;
}

static cursor put_decimal(cursor p, sl_decimal d) {
    sl_decimal_parts parts = sl_decimal_split(d);
    p = sl_varint_put_u128(p, parts.lo, parts.hi);
    p = put_i64(p, parts.exponent);
    return put_byte(p, parts.negative);
}

static cursor put_link(writer *w, cursor p, const sl_link *link) {
    p = put_name(w, p, link->class_name.sym);
    return put_key(w, p, &link->key);
}

ALWAYS_INLINE cursor put_value_of(writer *w, cursor p, const sl_value *v) {
    p = put_type(p, v->type);
    switch (v->type) {
    case SL_TYPE_INT:
        return put_i64(p, v->integer);
    case SL_TYPE_BOOL:
        return put_byte(p, v->boolean);
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        return put_string(p, v->string);
    case SL_TYPE_TIMESTAMP:
        p = put_i64(p, v->timestamp.seconds);
        return put_i64(p, v->timestamp.nanoseconds);
    case SL_TYPE_FLOAT:
        return put_float(p, v->single);
    case SL_TYPE_DOUBLE:
        return put_double(p, v->real);
    case SL_TYPE_DECIMAL:
        return put_decimal(p, v->decimal);
    case SL_TYPE_LINK:
        return put_link(w, p, v->link);
    case SL_TYPE_OBJECTID:
        return put_raw(p, v->objectid, sizeof v->objectid);
    case SL_TYPE_UUID:
        return put_raw(p, v->uuid, sizeof v->uuid);
    case SL_TYPE_NULL:
    case SL_TYPE_OBJECT:
    case SL_TYPE_DICTIONARY:
    case SL_TYPE_ERASED:
    case SL_TYPE_LIST:
    case SL_TYPE_SET:
        return p;
    default:
        w->unknown = true;
        return p;
    }
}

static cursor put_value(writer *w, cursor p, const sl_value *v) {
    return put_value_of(w, p, v);
}

static cursor put_path(writer *w, cursor p, const sl_instruction *in) {
    p = put_u32(p, in->path_size);
    for (uint32_t i = 0; i < in->path_size; i++) {
        if (in->path[i].is_index) {
            p = put_u32(p, in->path[i].number);
        } else {
            p = put_name(w, put_byte(p, 0x40), in->path[i].number);
        }
    }
    return p;
}

ALWAYS_INLINE cursor put_head(writer *w, cursor p, const sl_instruction *in) {
    p = put_name(w, p, in->class_name);
    p = put_key(w, p, &in->key);
    p = put_name(w, p, in->field);
    return in->path_size ? put_path(w, p, in) : put_byte(p, 0);
}

static cursor put_add_table(writer *w, cursor p, const sl_instruction *in) {
    p = put_name(w, p, in->class_name);
    p = put_byte(p, in->table_kind);
    if (in->table_kind == SL_TABLE_EMBEDDED) return p;
    p = put_name(w, p, in->field);
    p = put_type(p, in->type);
    return put_byte(p, in->nullable);
}

static cursor put_add_column(writer *w, cursor p, const sl_instruction *in) {
    p = put_name(w, p, in->class_name);
    p = put_name(w, p, in->field);
    p = put_type(p, in->type);
    p = put_byte(p, in->nullable);
    p = put_byte(p, in->collection);
    if (in->type == SL_TYPE_LINK) p = put_name(w, p, in->target);
    return in->collection == SL_DICTIONARY ? put_type(p, in->key_type) : p;
}

/* Everything but Update, CreateObject and EraseObject, behind the code. */
static cursor put_other(writer *w, cursor p, const sl_instruction *in) {
    if (sl_op_has_path(in->op)) p = put_head(w, p, in);
    switch (in->op) {
    case SL_OP_ADD_TABLE:
        return put_add_table(w, p, in);
    case SL_OP_ERASE_TABLE:
        return put_name(w, p, in->class_name);
    case SL_OP_ADD_COLUMN:
        return put_add_column(w, p, in);
    case SL_OP_ERASE_COLUMN:
        return put_name(w, put_name(w, p, in->class_name), in->field);
    case SL_OP_ADD_INTEGER:
        return put_i64(p, in->value.integer);
    case SL_OP_ARRAY_INSERT:
        return put_u32(put_value(w, p, &in->value), in->prior_size);
    case SL_OP_ARRAY_MOVE:
        return put_u32(put_u32(p, in->to), in->prior_size);
    case SL_OP_ARRAY_ERASE:
        return put_u32(p, in->prior_size);
    case SL_OP_CLEAR:
        return put_byte(p, in->collection);
    case SL_OP_SET_INSERT:
    case SL_OP_SET_ERASE:
        return put_value(w, p, &in->value);
    default:
        w->unknown = true;
        return p;
    }
}

ALWAYS_INLINE cursor put_update(writer *w, cursor p, const sl_instruction *in) {
    p = put_head(w, p, in);
    p = put_value_of(w, p, &in->value);
    return sl_path_ends_with_index(in) ? put_u32(p, in->prior_size) : put_byte(p, in->is_default);
}

ALWAYS_INLINE cursor put_instruction(writer *w, cursor p, const sl_instruction *in) {
    p = put_byte(p, in->op);
    if (in->op == SL_OP_UPDATE) return put_update(w, p, in);
    if (in->op != SL_OP_CREATE_OBJECT && in->op != SL_OP_ERASE_OBJECT) return put_other(w, p, in);
    return put_key(w, put_name(w, p, in->class_name), &in->key);
}

ALWAYS_INLINE size_t room_for(const sl_instruction *in) {
    size_t room = FIXED_ROOM + (size_t)in->path_size * ELEM_ROOM;
    if (in->value.type == SL_TYPE_STRING || in->value.type == SL_TYPE_BINARY)
        room += in->value.string.size;
    return room;
}

__attribute__((cold, noinline)) static cursor grow(sl_buf *out, cursor p, size_t room) {
    out->size = (size_t)((char *)p - out->data);
    return (cursor)sl_buf_reserve(out, room);
}

/* Where to write `room` bytes behind `p`, which is where the content of `out` ends; NULL when there
 * is no memory. */
ALWAYS_INLINE cursor make_room(sl_buf *out, cursor p, size_t room) {
    if ((size_t)(out->data + out->capacity - (char *)p) >= room) return p;
    return grow(out, p, room);
}

/* Writes strings [from, to) at `p`; NULL when there is no memory. */
static cursor put_strings(const sl_changeset *cs, uint32_t from, uint32_t to, sl_buf *out,
                          cursor p) {
    for (uint32_t i = from; i < to; i++) {
        sl_str s = cs->strings[i];
        p = make_room(out, p, (size_t)s.size + 32);
        if (!p) return NULL;
        p = put_byte(p, INTERN_STRING);
        p = put_u32(p, i);
        p = put_string(p, s);
    }
    return p;
}

/* Finishes an instruction that names a string not written yet: the string comes first. */
__attribute__((cold, noinline)) static cursor put_late(const sl_changeset *cs, uint32_t i,
                                                       writer *w, uint32_t *written, sl_buf *out,
                                                       cursor p, sl_status *st) {
    const sl_instruction *in = &cs->instructions[i];
    if (w->unknown || w->above > cs->string_count) {
        sl_fail(st, SL_ERR_USAGE, "",
                "instruction %u (%s) has a name, key or value that cannot be encoded; intern its "
                "strings first",
                (unsigned)i, in->op < SL_OP_COUNT ? sl_op_name(in->op) : "?");
        return NULL;
    }
    p = put_strings(cs, *written, w->above, out, p);
    if (p) p = make_room(out, p, room_for(in));
    if (!p) {
        sl_fail_memory(st);
        return NULL;
    }
    *written = w->above;
    return put_instruction(w, p, in);
}

static bool encode_all(const sl_changeset *cs, bool upfront, sl_buf *out, sl_status *st) {
    uint32_t written = upfront ? cs->string_count : 0;
    writer w = {0, false};
    cursor p = (cursor)sl_buf_reserve(out, FIXED_ROOM);
    if (p) p = put_strings(cs, 0, written, out, p);
    for (uint32_t i = 0; p && i < cs->count; i++) {
        const sl_instruction *in = &cs->instructions[i];
        uint32_t due = written;
        while (due < cs->string_count && cs->string_at[due] <= i)
            due++;
        if (due > written) p = put_strings(cs, written, due, out, p);
        written = due;
        if (p) p = make_room(out, p, room_for(in));
        if (!p) break;
        cursor start = p;
        p = put_instruction(&w, p, in);
        if (__builtin_expect(w.unknown || w.above > written, 0)) {
            p = put_late(cs, i, &w, &written, out, start, st);
            if (!p) return false;
        }
    }
    if (p) p = put_strings(cs, written, cs->string_count, out, p);
    if (!p) return sl_fail_memory(st);
    out->size = (size_t)((char *)p - out->data);
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

bool sl_changeset_measure(const sl_changeset *cs, sl_changeset_size *size, sl_buf *scratch,
                          sl_status *st) {
    writer w = {0, false};
    if (cs->count < size->instructions || cs->string_count < size->strings)
        *size = (sl_changeset_size){0, 0, 0};
    sl_buf_clear(scratch);
    while (size->strings < cs->string_count || size->instructions < cs->count) {
        bool string = size->strings < cs->string_count;
        const sl_instruction *in = string ? NULL : &cs->instructions[size->instructions];
        cursor start = (cursor)sl_buf_reserve(scratch, string ? FIXED_ROOM : room_for(in));
        cursor end = start;
        if (start && string)
            end = put_strings(cs, size->strings, size->strings + 1, scratch, start);
        else if (start)
            end = put_instruction(&w, start, in);
        if (!start || !end) return sl_fail_memory(st);
        size->bytes += (uint64_t)((char *)end - scratch->data);
        if (string)
            size->strings++;
        else
            size->instructions++;
    }
    return true;
}
