#include "changeset/json.h"
#include "value/number.h"
#include "value/text.h"

typedef struct printer {
    const sl_changeset *cs;
    sl_buf *out;
} printer;

static void put_name(const printer *pr, const char *label, uint32_t sym) {
    sl_buf_text(pr->out, label);
    sl_str s = sym < pr->cs->string_count ? pr->cs->strings[sym] : SL_STR("");
    sl_text_str(s, pr->out);
}

static void put_key(const printer *pr, const sl_key *key) {
    sl_buf_text(pr->out, ",\"object\":");
    sl_text_key(key, pr->out);
}

static void put_number(const printer *pr, const char *label, uint32_t value) {
    sl_buf_text(pr->out, label);
    sl_number_put_u64(value, pr->out);
}

static void put_bool(const printer *pr, const char *label, bool value) {
    sl_buf_text(pr->out, label);
    sl_buf_text(pr->out, value ? "true" : "false");
}

static void put_word(const printer *pr, const char *label, const char *word) {
    sl_buf_text(pr->out, label);
    sl_buf_byte(pr->out, '"');
    sl_buf_text(pr->out, word ? word : "");
    sl_buf_byte(pr->out, '"');
}

static void put_value(const printer *pr, const sl_value *value) {
    sl_buf_text(pr->out, ",\"value\":");
    sl_text_value(value, pr->out);
}

static void put_path(const printer *pr, const sl_instruction *in) {
    put_key(pr, &in->key);
    put_name(pr, ",\"field\":", in->field);
    sl_buf_text(pr->out, ",\"path\":[");
    for (uint32_t i = 0; i < in->path_size; i++) {
        if (i) sl_buf_byte(pr->out, ',');
        if (in->path[i].is_index) {
            sl_number_put_u64(in->path[i].number, pr->out);
        } else {
            put_name(pr, "", in->path[i].number);
        }
    }
    sl_buf_byte(pr->out, ']');
}

static void put_add_table(const printer *pr, const sl_instruction *in) {
    static const char *const kinds[] = {"toplevel", "embedded", "asymmetric"};
    put_word(pr, ",\"kind\":", in->table_kind < 3 ? kinds[in->table_kind] : NULL);
    if (in->table_kind == SL_TABLE_EMBEDDED) return;
    put_name(pr, ",\"pk\":{\"field\":", in->field);
    put_word(pr, ",\"type\":", sl_type_name(in->type));
    put_bool(pr, ",\"nullable\":", in->nullable);
    sl_buf_byte(pr->out, '}');
}

static void put_add_column(const printer *pr, const sl_instruction *in) {
    put_name(pr, ",\"field\":", in->field);
    put_word(pr, ",\"type\":", sl_type_name(in->type));
    put_bool(pr, ",\"nullable\":", in->nullable);
    put_word(pr, ",\"collection\":", sl_collection_name((sl_collection)in->collection));
    if (in->type == SL_TYPE_LINK) put_name(pr, ",\"target\":", in->target);
    if (in->collection == SL_DICTIONARY) put_word(pr, ",\"key_type\":", sl_type_name(in->key_type));
}

/* What follows the path head. */
static void put_tail(const printer *pr, const sl_instruction *in) {
    switch (in->op) {
    case SL_OP_UPDATE:
        put_value(pr, &in->value);
        if (sl_path_ends_with_index(in)) {
            put_number(pr, ",\"prior_size\":", in->prior_size);
        } else {
            put_bool(pr, ",\"default\":", in->is_default);
        }
        break;
    case SL_OP_ARRAY_INSERT:
        put_value(pr, &in->value);
        put_number(pr, ",\"prior_size\":", in->prior_size);
        break;
    case SL_OP_ARRAY_MOVE:
        put_number(pr, ",\"to\":", in->to);
        put_number(pr, ",\"prior_size\":", in->prior_size);
        break;
    case SL_OP_ARRAY_ERASE:
        put_number(pr, ",\"prior_size\":", in->prior_size);
        break;
    case SL_OP_CLEAR:
        put_word(pr, ",\"collection\":", sl_collection_name((sl_collection)in->collection));
        break;
    default: /* SL_OP_ADD_INTEGER, SL_OP_SET_INSERT, SL_OP_SET_ERASE */
        put_value(pr, &in->value);
        break;
    }
}

static void put_instruction(const printer *pr, const sl_instruction *in) {
    put_word(pr, "{\"op\":", sl_op_name(in->op));
    put_name(pr, ",\"table\":", in->class_name);
    if (sl_op_has_path(in->op)) {
        put_path(pr, in);
        put_tail(pr, in);
    } else if (in->op == SL_OP_CREATE_OBJECT || in->op == SL_OP_ERASE_OBJECT) {
        put_key(pr, &in->key);
    } else if (in->op == SL_OP_ADD_TABLE) {
        put_add_table(pr, in);
    } else if (in->op == SL_OP_ADD_COLUMN) {
        put_add_column(pr, in);
    } else if (in->op == SL_OP_ERASE_COLUMN) {
        put_name(pr, ",\"field\":", in->field);
    }
    sl_buf_byte(pr->out, '}');
}

static void put_string(const printer *pr, uint32_t sym) {
    put_number(pr, "{\"op\":\"InternString\",\"index\":", sym);
    put_name(pr, ",\"string\":", sym);
    sl_buf_byte(pr->out, '}');
}

static void put_comma(const printer *pr, bool *first) {
    if (!*first) sl_buf_text(pr->out, ",\n");
    *first = false;
}

static void put_strings(const printer *pr, uint32_t *next, uint32_t before, bool *first) {
    const sl_changeset *cs = pr->cs;
    for (; *next < cs->string_count && cs->string_at[*next] <= before; ++*next) {
        put_comma(pr, first);
        put_string(pr, *next);
    }
}

bool sl_changeset_to_json(const sl_changeset *cs, bool raw, sl_buf *out, sl_status *st) {
    printer pr = {cs, out};
    bool first = true;
    uint32_t next = 0;
    size_t before = out->size;
    sl_buf_text(out, "[\n");
    for (uint32_t i = 0; i < cs->count; i++) {
        if (raw) put_strings(&pr, &next, i, &first);
        put_comma(&pr, &first);
        put_instruction(&pr, &cs->instructions[i]);
    }
    if (raw) put_strings(&pr, &next, UINT32_MAX, &first);
    sl_buf_text(out, first ? "]\n" : "\n]\n");
    if (!out->failed) return true;
    out->size = before;
    return sl_fail_memory(st);
}

bool sl_instruction_to_json(const sl_changeset *cs, const sl_instruction *in, sl_buf *out,
                            sl_status *st) {
    printer pr = {cs, out};
    size_t before = out->size;
    put_instruction(&pr, in);
    if (!out->failed) return true;
    out->size = before;
    return sl_fail_memory(st);
}
