/* Golden vectors of the codec: integers*.jsonl and changesets*.jsonl.
 * Where the protocol documents are stricter than the reference, our verdict counts
 * (protocol/2-changeset.md, 15.6). */
#include <string.h>

#include "changeset/json.h"
#include "changeset/varint.h"
#include "value/decimal.h"
#include "value/number.h"
#include "vectors.h"

typedef struct runner {
    vec_count count;
    sl_changeset parsed, rebuilt;
    sl_buf bytes, expected, out, text;
} runner;

static void runner_init(runner *r, const char *kind) {
    *r = (runner){.count = {kind, 0, 0}};
    sl_changeset_init(&r->parsed, NULL);
    sl_changeset_init(&r->rebuilt, NULL);
    sl_buf *bufs[] = {&r->bytes, &r->expected, &r->out, &r->text};
    for (size_t i = 0; i < 4; i++)
        sl_buf_init(bufs[i], NULL);
}

static void runner_free(runner *r) {
    sl_changeset_free(&r->parsed);
    sl_changeset_free(&r->rebuilt);
    sl_buf *bufs[] = {&r->bytes, &r->expected, &r->out, &r->text};
    for (size_t i = 0; i < 4; i++)
        sl_buf_free(bufs[i]);
}

static bool same(const sl_buf *a, const sl_buf *b) {
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* --- integers ------------------------------------------------------------------------------- */

typedef struct decoded {
    bool ok, negative;
    char text[64];
    size_t consumed;
} decoded;

static void decode_i(const uint8_t *p, const uint8_t *next, int64_t v, decoded *d) {
    d->ok = next != NULL;
    if (!next) return;
    d->consumed = (size_t)(next - p);
    snprintf(d->text, sizeof d->text, "%lld", (long long)v);
}

static void decode_u(const uint8_t *p, const uint8_t *next, uint64_t v, sl_varint_error error,
                     decoded *d) {
    d->ok = next != NULL;
    d->negative = !next && error == SL_VARINT_NEGATIVE;
    if (!next) return;
    d->consumed = (size_t)(next - p);
    snprintf(d->text, sizeof d->text, "%llu", (unsigned long long)v);
}

static void decode_coefficient(const uint8_t *p, const uint8_t *end, decoded *d) {
    sl_varint_error error = SL_VARINT_EOF;
    uint64_t lo = 0, hi = 0;
    const uint8_t *next = sl_varint_u128(p, end, &lo, &hi, &error);
    d->ok = next != NULL;
    if (!next) return;
    d->consumed = (size_t)(next - p);
    __extension__ unsigned __int128 v = (__extension__(unsigned __int128) hi) << 64 | lo;
    char reversed[48];
    int n = 0;
    do
        reversed[n++] = (char)('0' + (int)(v % 10));
    while (v /= 10);
    for (int i = 0; i < n; i++)
        d->text[i] = reversed[n - 1 - i];
    d->text[n] = 0;
}

/* Reads the bytes as the width that `type` names ("int64", "decode_uint8", ...). */
static bool decode(const char *type, const uint8_t *p, const uint8_t *end, decoded *d) {
    sl_varint_error error = SL_VARINT_EOF;
    int64_t i64 = 0;
    uint64_t u64 = 0;
    int32_t i32 = 0;
    uint32_t u32 = 0;
    uint8_t u8 = 0;
    memset(d, 0, sizeof *d);
    if (strncmp(type, "decode_", 7) == 0) type += 7;
    const uint8_t *next;
    if (strcmp(type, "int64") == 0) {
        next = sl_varint_i64(p, end, &i64, &error);
        decode_i(p, next, i64, d);
    } else if (strcmp(type, "int32") == 0) {
        next = sl_varint_i32(p, end, &i32, &error);
        decode_i(p, next, i32, d);
    } else if (strcmp(type, "uint64") == 0) {
        next = sl_varint_u64(p, end, &u64, &error);
        decode_u(p, next, u64, error, d);
    } else if (strcmp(type, "uint32") == 0) {
        next = sl_varint_u32(p, end, &u32, &error);
        decode_u(p, next, u32, error, d);
    } else if (strcmp(type, "uint8") == 0) {
        next = sl_varint_u8(p, end, &u8, &error);
        decode_u(p, next, u8, error, d);
    } else if (strcmp(type, "decimal_coefficient") == 0) {
        decode_coefficient(p, end, d);
    } else {
        return false;
    }
    return true;
}

static bool encode_number(const char *type, const char *value, sl_buf *out) {
    uint8_t room[SL_VARINT_U128_MAX + 1], *end = NULL;
    sl_str text = sl_str_c(value);
    int64_t i = 0;
    uint64_t u = 0;
    sl_buf_clear(out);
    if (strcmp(type, "int64") == 0 && sl_number_read_i64(text, &i)) {
        end = sl_varint_put_i64(room, i);
    } else if (strcmp(type, "uint64") == 0 && sl_number_read_u64(text, &u)) {
        end = sl_varint_put_u64(room, u);
    } else if (strcmp(type, "decimal_coefficient") == 0) {
        __extension__ unsigned __int128 v = 0;
        for (const char *p = value; *p; p++)
            v = v * 10 + (unsigned)(*p - '0');
        end = sl_varint_put_u128(room, (uint64_t)v, (uint64_t)(v >> 64));
    }
    if (!end) return false;
    sl_buf_add(out, room, (size_t)(end - room));
    return true;
}

static bool integer_row(void *ctx, const char *file, unsigned line, const json_t *row) {
    runner *r = ctx;
    const char *type = vec_text(row, "type"), *value = vec_text(row, "value");
    char name[300];
    snprintf(name, sizeof name, "%s:%u", file, line);
    sl_buf_clear(&r->bytes);
    decoded d;
    if (!type || !vec_hex_json(json_object_get(row, "hex"), &r->bytes))
        return vec_check(&r->count, name, false, "malformed row"), true;
    const uint8_t *p = (const uint8_t *)r->bytes.data;
    if (!decode(type, p, p + r->bytes.size, &d))
        return vec_check(&r->count, name, false, "unknown type %s", type), true;
    if (strncmp(type, "decode_", 7) == 0) {
        bool error = json_is_true(json_object_get(row, "error"));
        bool fits = d.ok ? !error && value && strcmp(value, d.text) == 0 &&
                               d.consumed == (size_t)vec_int(row, "consumed")
                         : error || d.negative;
        vec_check(&r->count, name, fits, "read %s, expected %s", d.ok ? d.text : "an error",
                  error ? "an error" : value);
        return true;
    }
    bool fits = d.ok && value && strcmp(value, d.text) == 0 && d.consumed == r->bytes.size;
    bool wrote = value && encode_number(type, value, &r->out) && same(&r->out, &r->bytes);
    vec_check(&r->count, name, fits && wrote, "%s of %s", fits ? "encoding" : "decoding", value);
    return true;
}

/* --- changesets ----------------------------------------------------------------------------- */

/* `text` is one of the ids in `alternatives` ("P-INT|P-EOF"). */
static bool one_of(const char *id, const char *alternatives) {
    size_t n = strlen(id);
    for (const char *p = alternatives; p && *p; p = strchr(p, '|') ? strchr(p, '|') + 1 : "") {
        if (strncmp(p, id, n) == 0 && (p[n] == 0 || p[n] == '|')) return true;
    }
    return false;
}

/* Text form of the row's instructions, through our reader and writer. */
static bool canonical_text(runner *r, const json_t *instructions, sl_status *st) {
    sl_buf_clear(&r->expected);
    sl_changeset_reset(&r->rebuilt);
    return sl_changeset_from_json_value(&r->rebuilt, instructions, st) &&
           sl_changeset_to_json(&r->rebuilt, false, &r->expected, st);
}

static bool encode(const sl_changeset *cs, sl_encoding how, sl_buf *out) {
    sl_buf_clear(out);
    return sl_changeset_encode(cs, how, out, NULL);
}

static bool check_ok(runner *r, const char *name, const json_t *row) {
    sl_status st = SL_STATUS_INIT;
    const char *interns = vec_text(row, "interns");
    if (!canonical_text(r, json_object_get(row, "instructions"), &st))
        return vec_check(&r->count, name, false, "instructions: %s", st.message);
    sl_buf_clear(&r->text);
    if (!sl_changeset_to_json(&r->parsed, false, &r->text, &st) || !same(&r->text, &r->expected))
        return vec_check(&r->count, name, false, "other instructions: %.*s", (int)r->text.size,
                         r->text.data);
    bool lazy = interns && strcmp(interns, "lazy") == 0;
    bool canonical = !json_is_false(json_object_get(row, "canonical"));
    if (canonical && lazy &&
        (!encode(&r->rebuilt, SL_ENCODE_AS_PARSED, &r->out) || !same(&r->out, &r->bytes)))
        return vec_check(&r->count, name, false, "from JSON: other bytes");
    if (canonical &&
        (!encode(&r->parsed, SL_ENCODE_AS_PARSED, &r->out) || !same(&r->out, &r->bytes)))
        return vec_check(&r->count, name, false, "encoded again: other bytes");
    sl_buf_clear(&r->text);
    sl_changeset_reset(&r->rebuilt);
    if (canonical &&
        (!sl_changeset_to_json(&r->parsed, true, &r->text, &st) ||
         !sl_changeset_from_json(&r->rebuilt, r->text.data, r->text.size, &st) ||
         !encode(&r->rebuilt, SL_ENCODE_AS_PARSED, &r->out) || !same(&r->out, &r->bytes)))
        return vec_check(&r->count, name, false, "raw JSON round trip: %s", st.message);
    sl_buf_clear(&r->expected);
    if (!vec_hex_json(json_object_get(row, "reencoded"), &r->expected))
        return vec_check(&r->count, name, false, "malformed row");
    if (!encode(&r->parsed, SL_ENCODE_UPFRONT, &r->out) || !same(&r->out, &r->expected))
        return vec_check(&r->count, name, false, "upfront: other bytes");
    return vec_check(&r->count, name, true, "%s", "");
}

/* True if we refused the input with a check that the reference does not make (rows marked [O] in
 * protocol/2-changeset.md, section 8); it then went on and met some other error. */
static bool stricter_check(const runner *r, const sl_status *st) {
    const uint8_t *p = (const uint8_t *)r->bytes.data, *end = p + r->bytes.size;
    sl_varint_error error = SL_VARINT_EOF;
    uint64_t lo = 0, hi = 0;
    int64_t number = 0;
    if (st->offset >= r->bytes.size) return false;
    p += st->offset;
    if (strcmp(st->id, "P-INT") == 0)
        return !sl_varint_u64(p, end, &lo, &error) && error == SL_VARINT_NEGATIVE;
    if (strcmp(st->id, "P-DEC") == 0) return sl_varint_u128(p, end, &lo, &hi, &error) != NULL;
    bool whole = sl_varint_i64(p, end, &number, &error) != NULL;
    if (strcmp(st->id, "P-TS") == 0) return whole && number <= INT32_MAX;
    if (strcmp(st->id, "P-TYPE") == 0) return number < 0 || number > 127;
    if (strcmp(st->id, "P-OP") == 0) return number > 255;
    return strcmp(st->id, "P-PATH") == 0 || strcmp(st->id, "P-BIN-LEN") == 0;
}

static bool changeset_row(void *ctx, const char *file, unsigned line, const json_t *row) {
    runner *r = ctx;
    const char *name = vec_text(row, "name"), *expect = vec_text(row, "expect");
    char place[300];
    snprintf(place, sizeof place, "%s:%u", file, line);
    if (!name) name = place;
    sl_buf_clear(&r->bytes);
    if (!expect || !vec_hex_json(json_object_get(row, "hex"), &r->bytes))
        return vec_check(&r->count, name, false, "malformed row"), true;
    sl_status st = SL_STATUS_INIT;
    sl_changeset_reset(&r->parsed);
    bool ok = sl_changeset_parse(&r->parsed, r->bytes.data, r->bytes.size, &st);
    if (strcmp(expect, "undefined") == 0) {
        vec_check(&r->count, name, true, "%s", "");
    } else if (strcmp(expect, "ok") == 0 && ok) {
        check_ok(r, name, row);
    } else if (strcmp(expect, "ok") == 0) {
        bool stricter = json_is_false(json_object_get(row, "canonical"));
        vec_check(&r->count, name, stricter, "refused: %s %s", st.id, st.message);
    } else {
        const char *id = vec_text(row, "error");
        bool fits = one_of(st.id, id) || (id && strcmp(id, "P-OTHER") == 0);
        vec_check(&r->count, name, !ok && (fits || stricter_check(r, &st)),
                  "got %s at %zu, expected %s", ok ? "no error" : st.id, st.offset, id);
    }
    return true;
}

static int run(const char *dir, const char *kind, vec_row visit) {
    runner r;
    runner_init(&r, kind);
    bool read = vec_each(dir, kind, visit, &r);
    int code = vec_finish(&r.count);
    runner_free(&r);
    return read ? code : 1;
}

int main(int argc, char **argv) {
    const char *dir = vec_dir(argc, argv);
    int code = run(dir, "integers", integer_row);
    return run(dir, "changesets", changeset_row) | code;
}
