/* The hot loop. The cursor travels in a register: every reader takes it and returns the new one, or
 * NULL after filling the status. */
#include "changeset/changeset.h"
#include "changeset/tables.h"
#include "changeset/varint.h"
#include "value/decimal.h"

typedef const uint8_t *cursor;

typedef struct reader {
    const uint8_t *begin, *end;
    sl_changeset *cs;
    sl_status *st;
    uint32_t strings; /* defined so far; also cs->string_count */
} reader;

#define COLD          __attribute__((cold, noinline))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define LIKELY(x)     __builtin_expect(!!(x), 1)

enum { INTERN_STRING = 63, NANOS = 1000000000 };

COLD static cursor bad(const reader *r, cursor at, const char *id, const char *what) {
    sl_fail_at(r->st, SL_ERR_CHANGESET, id, (size_t)(at - r->begin),
               "bad changeset at byte %zu: %s", (size_t)(at - r->begin), what);
    return NULL;
}

COLD static cursor bad_eof(const reader *r, cursor at) {
    return bad(r, at, "P-EOF", "the input ends inside an instruction");
}

COLD static cursor bad_memory(const reader *r) {
    sl_fail_memory(r->st);
    return NULL;
}

COLD static cursor bad_int(const reader *r, cursor at, sl_varint_error error) {
    switch (error) {
    case SL_VARINT_EOF:
        return bad(r, at, "P-EOF", "the input ends inside a number");
    case SL_VARINT_LONG:
        return bad(r, at, "P-INT", "a number has more bytes than its field allows");
    case SL_VARINT_RANGE:
        return bad(r, at, "P-INT", "a number is too large for its field");
    default:
        return bad(r, at, "P-INT", "a negative number stands in an unsigned field");
    }
}

__attribute__((noinline)) static cursor long_u32(const reader *r, cursor p, uint32_t *value) {
    sl_varint_error error = SL_VARINT_EOF;
    cursor next = sl_varint_u32(p, r->end, value, &error);
    return next ? next : bad_int(r, p, error);
}

__attribute__((noinline)) static cursor long_u64(const reader *r, cursor p, uint64_t *value) {
    sl_varint_error error = SL_VARINT_EOF;
    cursor next = sl_varint_u64(p, r->end, value, &error);
    return next ? next : bad_int(r, p, error);
}

__attribute__((noinline)) static cursor long_i64(const reader *r, cursor p, int64_t *value) {
    sl_varint_error error = SL_VARINT_EOF;
    cursor next = sl_varint_i64(p, r->end, value, &error);
    return next ? next : bad_int(r, p, error);
}

/* The common lengths without a loop; everything else, and every error, the slow way. */
static inline cursor u32(const reader *r, cursor p, uint32_t *value) {
    if (LIKELY(p < r->end && *p < 0x40)) {
        *value = *p;
        return p + 1;
    }
    if (LIKELY(r->end - p >= 2 && p[0] >= 0x80 && p[1] < 0x40)) {
        *value = (p[0] & 0x7fu) | (uint32_t)p[1] << 7;
        return p + 2;
    }
    return long_u32(r, p, value);
}

static inline cursor u64(const reader *r, cursor p, uint64_t *value) {
    if (LIKELY(p < r->end && *p < 0x40)) {
        *value = *p;
        return p + 1;
    }
    return long_u64(r, p, value);
}

static inline cursor i64(const reader *r, cursor p, int64_t *value) {
    if (LIKELY(p < r->end && *p < 0x40)) {
        *value = *p;
        return p + 1;
    }
    uint64_t magnitude;
    unsigned negative, n;
    if (LIKELY(r->end - p >= 8 && (n = sl_varint_short(p, &magnitude, &negative)) > 0)) {
        *value = (int64_t)(magnitude ^ (0 - (uint64_t)negative));
        return p + n;
    }
    return long_i64(r, p, value);
}

static inline cursor u8(const reader *r, cursor p, uint8_t *value) {
    if (LIKELY(p < r->end && *p < 0x40)) {
        *value = *p;
        return p + 1;
    }
    sl_varint_error error = SL_VARINT_EOF;
    cursor next = sl_varint_u8(p, r->end, value, &error);
    return next ? next : bad_int(r, p, error);
}

static inline cursor boolean(const reader *r, cursor p, bool *value) {
    uint8_t byte = 0;
    p = u8(r, p, &byte);
    *value = byte != 0;
    return p;
}

/* A reference to an interned string. */
static inline cursor name(const reader *r, cursor p, uint32_t *sym) {
    cursor next = u32(r, p, sym);
    if (LIKELY(next && *sym < r->strings)) return next;
    return next ? bad(r, p, "P-INTERN-REF", "a string is used before it is defined") : NULL;
}

/* `size` raw bytes. */
static inline cursor raw(const reader *r, cursor p, void *to, size_t size) {
    if (LIKELY((size_t)(r->end - p) >= size)) {
        memcpy(to, p, size);
        return p + size;
    }
    return bad_eof(r, r->end);
}

static inline cursor bytes(const reader *r, cursor p, uint64_t limit, const char *id, sl_str *s) {
    uint64_t size = 0;
    cursor next = u64(r, p, &size);
    if (!next) return NULL;
    if (size > limit) return bad(r, p, id, "a string or blob is longer than its limit");
    if (size > (size_t)(r->end - next)) return bad_eof(r, r->end);
    *s = (sl_str){(const char *)next, (uint32_t)size, SL_NO_SYM};
    return next + size;
}

/* A type code; the range of all codes is checked, not what the place allows. */
static inline cursor type_code(const reader *r, cursor p, int8_t *type) {
    if (LIKELY(p < r->end && *p <= SL_TYPE_UUID)) {
        *type = (int8_t)*p;
        return p + 1;
    }
    int64_t code = 0;
    cursor next = long_i64(r, p, &code);
    if (!next) return NULL;
    if (code < SL_TYPE_SET || code > SL_TYPE_UUID) return bad(r, p, "P-TYPE", "no such type code");
    *type = (int8_t)code;
    return next;
}

ALWAYS_INLINE cursor key_of(const reader *r, cursor p, sl_key *k) {
    cursor at = p;
    p = type_code(r, p, &k->type);
    if (!p) return NULL;
    switch (k->type) {
    case SL_TYPE_NULL:
        return p;
    case SL_TYPE_INT:
        return i64(r, p, &k->integer);
    case SL_TYPE_STRING: {
        uint32_t sym = 0;
        p = name(r, p, &sym);
        if (p) k->string = r->cs->strings[sym];
        return p;
    }
    case SL_TYPE_OBJECTID:
        return raw(r, p, k->objectid, sizeof k->objectid);
    case SL_TYPE_UUID:
        return raw(r, p, k->uuid, sizeof k->uuid);
    case SL_TYPE_GLOBALKEY:
        p = u64(r, p, &k->global.hi);
        return p ? u64(r, p, &k->global.lo) : NULL;
    default:
        return bad(r, at, "P-KEYTYPE", "a value of this type cannot be a key");
    }
}

static cursor timestamp(const reader *r, cursor p, sl_timestamp *t) {
    p = i64(r, p, &t->seconds);
    if (!p) return NULL;
    int64_t ns = 0;
    cursor next = i64(r, p, &ns);
    if (!next) return NULL;
    if (ns <= -NANOS || ns >= NANOS)
        return bad(r, p, "P-TS", "the nanoseconds of a timestamp reach a second");
    if ((t->seconds < 0 && ns > 0) || (t->seconds > 0 && ns < 0))
        return bad(r, p, "P-TS", "seconds and nanoseconds of a timestamp have opposite signs");
    t->nanoseconds = (int32_t)ns;
    return next;
}

static cursor i32(const reader *r, cursor p, int32_t *value) {
    sl_varint_error error = SL_VARINT_EOF;
    cursor next = sl_varint_i32(p, r->end, value, &error);
    return next ? next : bad_int(r, p, error);
}

static cursor decimal(const reader *r, cursor p, sl_decimal *d) {
    sl_decimal_parts parts = {0, 0, 0, false};
    sl_varint_error error = SL_VARINT_EOF;
    cursor at = p;
    p = sl_varint_u128(p, r->end, &parts.lo, &parts.hi, &error);
    if (!p && error == SL_VARINT_EOF) return bad_int(r, at, error);
    if (!p) return bad(r, at, "P-DEC", "the coefficient of a decimal has more than 17 bytes");
    if (parts.hi >> 49) return bad(r, at, "P-DEC", "the coefficient of a decimal reaches 2^113");
    at = p;
    p = i32(r, p, &parts.exponent);
    if (!p) return NULL;
    if (parts.exponent < SL_DECIMAL_EXP_MIN || parts.exponent > SL_DECIMAL_EXP_MAX)
        return bad(r, at, "P-DEC", "the exponent of a decimal is outside -6176 to 10207");
    int32_t sign = 0;
    p = i32(r, p, &sign);
    parts.negative = sign != 0;
    if (p) *d = sl_decimal_join(parts);
    return p;
}

static cursor link(const reader *r, cursor p, const sl_link **out) {
    uint32_t sym = 0;
    p = name(r, p, &sym);
    if (!p) return NULL;
    sl_link *l = sl_arena_zero(&r->cs->arena, 1, sizeof *l);
    if (!l) return bad_memory(r);
    l->class_name = r->cs->strings[sym];
    *out = l;
    return key_of(r, p, &l->key);
}

/* Numbers on the wire are little endian whatever the machine is. */
static cursor float_bits(const reader *r, cursor p, float *value) {
    uint8_t b[4] = {0};
    p = raw(r, p, b, sizeof b);
    if (!p) return NULL;
    uint32_t bits =
        (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    memcpy(value, &bits, sizeof bits);
    return p;
}

static cursor double_bits(const reader *r, cursor p, double *value) {
    uint8_t b[8] = {0};
    p = raw(r, p, b, sizeof b);
    if (!p) return NULL;
    uint64_t bits = 0;
    for (int i = 7; i >= 0; i--)
        bits = bits << 8 | b[i];
    memcpy(value, &bits, sizeof bits);
    return p;
}

ALWAYS_INLINE cursor value_of(const reader *r, cursor p, sl_value *v) {
    cursor at = p;
    p = type_code(r, p, &v->type);
    if (!p) return NULL;
    switch (v->type) {
    case SL_TYPE_INT:
        return i64(r, p, &v->integer);
    case SL_TYPE_BOOL:
        return boolean(r, p, &v->boolean);
    case SL_TYPE_STRING:
        return bytes(r, p, SL_MAX_STRING, "P-STR-LEN", &v->string);
    case SL_TYPE_BINARY:
        return bytes(r, p, SL_MAX_BINARY, "P-BIN-LEN", &v->string);
    case SL_TYPE_TIMESTAMP:
        return timestamp(r, p, &v->timestamp);
    case SL_TYPE_FLOAT:
        return float_bits(r, p, &v->single);
    case SL_TYPE_DOUBLE:
        return double_bits(r, p, &v->real);
    case SL_TYPE_DECIMAL:
        return decimal(r, p, &v->decimal);
    case SL_TYPE_LINK:
        return link(r, p, &v->link);
    case SL_TYPE_OBJECTID:
        return raw(r, p, v->objectid, sizeof v->objectid);
    case SL_TYPE_UUID:
        return raw(r, p, v->uuid, sizeof v->uuid);
    case SL_TYPE_GLOBALKEY:
        return bad(r, at, "P-PAYLOAD", "a global key cannot be a value");
    default:
        return p;
    }
}

static cursor value(const reader *r, cursor p, sl_value *v) {
    return value_of(r, p, v);
}

static cursor path_element(const reader *r, cursor p, sl_path_elem *e) {
    int64_t number = 0;
    cursor next = i64(r, p, &number);
    if (!next) return NULL;
    e->is_index = number >= 0;
    if (number < -1) return bad(r, p, "P-PATH", "a path element is neither an index nor a name");
    if (number == -1) return name(r, next, &e->number);
    if (number > UINT32_MAX) return bad(r, p, "P-PATH", "a list index exceeds 32 bits");
    e->number = (uint32_t)number;
    return next;
}

static cursor path(const reader *r, cursor p, sl_instruction *in) {
    uint32_t size = 0;
    cursor at = p;
    p = u32(r, p, &size);
    if (!p || size == 0) return p;
    if (size > SL_MAX_PATH) return bad(r, at, "P-PATH", "a path has more than 256 elements");
    in->path = sl_arena_alloc(&r->cs->arena, size * sizeof *in->path);
    if (!in->path) return bad_memory(r);
    in->path_size = (uint16_t)size;
    for (uint32_t i = 0; p && i < size; i++)
        p = path_element(r, p, &in->path[i]);
    return p;
}

/* Class, object and field: the path head without its path. */
ALWAYS_INLINE cursor place_of(const reader *r, cursor p, sl_instruction *in) {
    p = name(r, p, &in->class_name);
    if (p) p = key_of(r, p, &in->key);
    return p ? name(r, p, &in->field) : NULL;
}

ALWAYS_INLINE cursor head_of(const reader *r, cursor p, sl_instruction *in) {
    p = place_of(r, p, in);
    if (!p) return NULL;
    if (LIKELY(p < r->end && *p == 0)) return p + 1;
    return path(r, p, in);
}

static cursor head(const reader *r, cursor p, sl_instruction *in) {
    return head_of(r, p, in);
}

/* Path head of ARRAY_*, whose path ends with an index. */
static cursor list_head(const reader *r, cursor p, sl_instruction *in) {
    p = place_of(r, p, in);
    if (!p) return NULL;
    cursor at = p;
    p = path(r, p, in);
    if (p && !sl_path_ends_with_index(in))
        return bad(r, at, "P-NOINDEX", "the path of a list instruction does not end with an index");
    return p;
}

static cursor collection(const reader *r, cursor p, uint8_t *kind) {
    cursor next = u8(r, p, kind);
    if (next && *kind > SL_SET) return bad(r, p, "P-COLLECTION", "no such collection kind");
    return next;
}

static cursor key_class(const reader *r, cursor p, int8_t *type) {
    cursor next = type_code(r, p, type);
    if (!next) return NULL;
    switch (*type) {
    case SL_TYPE_INT:
    case SL_TYPE_STRING:
    case SL_TYPE_OBJECTID:
    case SL_TYPE_UUID:
    case SL_TYPE_GLOBALKEY:
        return next;
    default:
        return bad(r, p, "P-PKTYPE", "a key property cannot have this type");
    }
}

static cursor add_table(const reader *r, cursor p, sl_instruction *in) {
    p = name(r, p, &in->class_name);
    if (!p) return NULL;
    cursor at = p;
    p = u8(r, p, &in->table_kind);
    if (!p) return NULL;
    if (in->table_kind > SL_TABLE_ASYMMETRIC)
        return bad(r, at, "P-TABLEKIND", "no such table kind");
    if (in->table_kind == SL_TABLE_EMBEDDED) return p;
    p = name(r, p, &in->field);
    if (p) p = key_class(r, p, &in->type);
    return p ? boolean(r, p, &in->nullable) : NULL;
}

static cursor add_column(const reader *r, cursor p, sl_instruction *in) {
    p = name(r, p, &in->class_name);
    if (p) p = name(r, p, &in->field);
    if (!p) return NULL;
    cursor at = p;
    p = type_code(r, p, &in->type);
    if (!p) return NULL;
    if (in->type < 0) return bad(r, at, "P-TYPE", "a column cannot have this type");
    p = boolean(r, p, &in->nullable);
    if (p) p = collection(r, p, &in->collection);
    if (p && in->type == SL_TYPE_LINK) p = name(r, p, &in->target);
    if (p && in->collection == SL_DICTIONARY) p = type_code(r, p, &in->key_type);
    return p;
}

/* Nearly everything is an Update: a copy of its own of everything it needs. */
ALWAYS_INLINE cursor update(const reader *r, cursor p, sl_instruction *in) {
    p = head_of(r, p, in);
    if (p) p = value_of(r, p, &in->value);
    if (!p) return NULL;
    return sl_path_ends_with_index(in) ? u32(r, p, &in->prior_size)
                                       : boolean(r, p, &in->is_default);
}

static cursor array_insert(const reader *r, cursor p, sl_instruction *in) {
    p = list_head(r, p, in);
    if (p) p = value(r, p, &in->value);
    return p ? u32(r, p, &in->prior_size) : NULL;
}

static cursor array_move(const reader *r, cursor p, sl_instruction *in) {
    p = list_head(r, p, in);
    if (p) p = u32(r, p, &in->to);
    return p ? u32(r, p, &in->prior_size) : NULL;
}

static cursor other(const reader *r, cursor p, sl_instruction *in) {
    switch (in->op) {
    case SL_OP_ADD_TABLE:
        return add_table(r, p, in);
    case SL_OP_ERASE_TABLE:
        return name(r, p, &in->class_name);
    case SL_OP_ADD_INTEGER:
        p = head(r, p, in);
        in->value.type = SL_TYPE_INT;
        return p ? i64(r, p, &in->value.integer) : NULL;
    case SL_OP_ADD_COLUMN:
        return add_column(r, p, in);
    case SL_OP_ERASE_COLUMN:
        p = name(r, p, &in->class_name);
        return p ? name(r, p, &in->field) : NULL;
    case SL_OP_ARRAY_INSERT:
        return array_insert(r, p, in);
    case SL_OP_ARRAY_MOVE:
        return array_move(r, p, in);
    case SL_OP_ARRAY_ERASE:
        p = list_head(r, p, in);
        return p ? u32(r, p, &in->prior_size) : NULL;
    case SL_OP_CLEAR:
        p = head(r, p, in);
        return p ? collection(r, p, &in->collection) : NULL;
    default: /* SL_OP_SET_INSERT, SL_OP_SET_ERASE */
        p = head(r, p, in);
        return p ? value(r, p, &in->value) : NULL;
    }
}

ALWAYS_INLINE cursor body(const reader *r, cursor p, sl_instruction *in) {
    if (in->op == SL_OP_UPDATE) return update(r, p, in);
    if (in->op == SL_OP_CREATE_OBJECT || in->op == SL_OP_ERASE_OBJECT) {
        p = name(r, p, &in->class_name);
        return p ? key_of(r, p, &in->key) : NULL;
    }
    return other(r, p, in);
}

ALWAYS_INLINE cursor intern_string(reader *r, cursor p) {
    sl_changeset *cs = r->cs;
    uint32_t index = 0;
    cursor at = p;
    p = u32(r, p, &index);
    if (!p) return NULL;
    if (index != r->strings)
        return bad(r, at, "P-INTERN-INDEX", "interned strings are not numbered 0, 1, 2, ...");
    if (index == cs->string_capacity && !sl_changeset_reserve_strings(cs, index + 1))
        return bad_memory(r);
    p = bytes(r, p, SL_MAX_STRING, "P-STR-LEN", &cs->strings[index]);
    if (!p) return NULL;
    cs->strings[index].sym = index;
    cs->string_at[index] = cs->count;
    cs->string_count = r->strings = index + 1;
    return p;
}

/* Codes of more than one byte are only over-long forms of the same 15 codes. */
COLD static cursor long_code(const reader *r, cursor p, uint64_t *code) {
    cursor next = long_u64(r, p, code);
    if (next && *code >= SL_OP_COUNT && *code != INTERN_STRING)
        return bad(r, p, "P-OP", "no such instruction code");
    return next;
}

static bool parse_all(reader *r) {
    sl_changeset *cs = r->cs;
    cursor p = r->begin;
    while (p < r->end) {
        uint64_t code = *p;
        if (LIKELY(code < SL_OP_COUNT || code == INTERN_STRING)) {
            p++;
        } else {
            p = long_code(r, p, &code);
            if (!p) return false;
        }
        if (code == INTERN_STRING) {
            p = intern_string(r, p);
        } else {
            if (cs->count == cs->capacity && !sl_changeset_reserve(cs, cs->count + 1)) {
                bad_memory(r);
                return false;
            }
            sl_instruction *in = &cs->instructions[cs->count];
            sl_instruction_clear(in, (uint8_t)code);
            p = body(r, p, in);
            cs->count++;
        }
        if (!p) return false;
    }
    return true;
}

/* Repeats are looked for once, at the end; one that stands before another error is the error. */
static bool check_repeats(reader *r) {
    bool memory;
    uint32_t repeat = sl_changeset_find_repeat(r->cs, &memory);
    if (repeat == SL_NO_SYM) return memory || sl_fail_memory(r->st);
    bad(r, (cursor)r->cs->strings[repeat].data, "P-INTERN-DUP", "a string is interned twice");
    return false;
}

bool sl_changeset_parse(sl_changeset *cs, const void *data, size_t size, sl_status *st) {
    if (size == 0) return true;
    reader r = {data, (const uint8_t *)data + size, cs, st, 0};
    /* A guess that is rarely too small; the array doubles when it is. */
    uint64_t guess = size / 12 + 1;
    if (guess < UINT32_MAX && !sl_changeset_reserve(cs, (uint32_t)guess)) return sl_fail_memory(st);
    bool ok = parse_all(&r);
    ok = check_repeats(&r) && ok;
    if (!ok) sl_changeset_reset(cs);
    return ok;
}
