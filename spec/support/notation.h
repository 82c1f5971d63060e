/* notation.h - instructions as short text, for tests and for the examples of doc/merge.md.
 *
 *   table P(_id:int)        a class with a key; (_id:int?) key may be null; () no key
 *   asymmetric P(_id:int)   embedded P
 *   drop table P
 *   column P.x:int          ? nullable, [] list, {} dictionary, () set after the type; ->Q is a
 * link drop column P.x create P7               object of class P with key 7 erase P7 P7.i = 5 also:
 * P7.i = 5 default    P7.f[1] = 5 |3|   (|n|: size of the list) P7.i += 3 ins P7.f[1] 5 |3| mov
 * P7.f[0>2] |3|         del P7.f[1] |3| clr P7.m list           (list, dict, set or single) add
 * P7.s 5              rem P7.s 5                elements of a set
 *
 * Steps of a path are [index] or .name. Values: 5, 1.5, "text", true, false, null, object, list,
 * dict, set, erased, or P3 for a link. Statements are separated by ';'. */
#ifndef SPEC_SUPPORT_NOTATION_H
#define SPEC_SUPPORT_NOTATION_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "changeset/changeset.h"

typedef struct notation {
    const char *at;
    sl_changeset *cs;
    bool failed;
} notation;

static inline void nt_space(notation *n) {
    while (*n->at == ' ' || *n->at == '\n')
        n->at++;
}

/* Takes `text` if it comes next; a word only as a whole. */
static inline bool nt_take(notation *n, const char *text) {
    size_t size = strlen(text);
    nt_space(n);
    if (strncmp(n->at, text, size) != 0) return false;
    if (isalpha((unsigned char)text[size - 1]) &&
        (isalnum((unsigned char)n->at[size]) || n->at[size] == '_' || n->at[size] == '.'))
        return false;
    n->at += size;
    return true;
}

static inline void nt_need(notation *n, const char *text) {
    if (!nt_take(n, text)) n->failed = true;
}

/* Letters and underscores, then also digits if `digits`. */
static inline sl_str nt_word(notation *n, bool digits) {
    nt_space(n);
    const char *start = n->at;
    while (isalpha((unsigned char)*n->at) || *n->at == '_' ||
           (digits && isdigit((unsigned char)*n->at)))
        n->at++;
    if (n->at == start) n->failed = true;
    return sl_str_of(start, (size_t)(n->at - start));
}

static inline uint32_t nt_name(notation *n, bool digits) {
    return sl_changeset_intern(n->cs, nt_word(n, digits));
}

static inline int64_t nt_number(notation *n) {
    char *end;
    nt_space(n);
    int64_t number = strtoll(n->at, &end, 10);
    if (end == n->at) n->failed = true;
    n->at = end;
    return number;
}

static inline void nt_object(notation *n, sl_instruction *in) {
    in->class_name = nt_name(n, false);
    in->key = (sl_key){.type = SL_TYPE_INT, .integer = nt_number(n)};
}

static inline void nt_step(notation *n, sl_path_elem *path, uint16_t *count, sl_instruction *in) {
    sl_path_elem *step = &path[(*count)++];
    if (nt_take(n, ".")) {
        *step = (sl_path_elem){false, nt_name(n, true)};
        return;
    }
    nt_need(n, "[");
    *step = (sl_path_elem){true, (uint32_t)nt_number(n)};
    if (nt_take(n, ">")) in->to = (uint32_t)nt_number(n);
    nt_need(n, "]");
}

/* Object, property and path. */
static inline void nt_place(notation *n, sl_instruction *in) {
    sl_path_elem path[16];
    uint16_t count = 0;
    nt_object(n, in);
    nt_need(n, ".");
    in->field = nt_name(n, true);
    while (!n->failed && count < 16 && (*n->at == '.' || *n->at == '['))
        nt_step(n, path, &count, in);
    in->path_size = count;
    if (count) in->path = sl_arena_alloc(&n->cs->arena, count * sizeof *path);
    if (in->path) memcpy(in->path, path, count * sizeof *path);
}

static inline sl_value nt_text(notation *n) {
    const char *start = ++n->at;
    while (*n->at && *n->at != '"')
        n->at++;
    sl_value value = {.type = SL_TYPE_STRING};
    value.string = sl_arena_str(&n->cs->arena, sl_str_of(start, (size_t)(n->at - start)));
    nt_need(n, "\"");
    return value;
}

static inline sl_value nt_digits(notation *n) {
    char *end;
    sl_value value = {.type = SL_TYPE_INT};
    value.integer = nt_number(n);
    if (*n->at != '.') return value;
    const char *start = n->at;
    while (start[-1] == '-' || isdigit((unsigned char)start[-1]))
        start--;
    value.type = SL_TYPE_DOUBLE;
    value.real = strtod(start, &end);
    n->at = end;
    return value;
}

static inline sl_value nt_link(notation *n) {
    sl_instruction target = {0};
    nt_object(n, &target);
    sl_link *link = sl_arena_zero(&n->cs->arena, 1, sizeof *link);
    if (!link || n->failed) {
        n->failed = true;
        return (sl_value){.type = SL_TYPE_NULL};
    }
    link->class_name = n->cs->strings[target.class_name];
    link->key = target.key;
    return (sl_value){.type = SL_TYPE_LINK, .link = link};
}

static inline sl_value nt_value(notation *n) {
    static const struct {
        const char *word;
        int8_t type;
    } words[] = {{"null", SL_TYPE_NULL}, {"object", SL_TYPE_OBJECT},
                 {"list", SL_TYPE_LIST}, {"dict", SL_TYPE_DICTIONARY},
                 {"set", SL_TYPE_SET},   {"erased", SL_TYPE_ERASED}};
    nt_space(n);
    if (*n->at == '"') return nt_text(n);
    if (*n->at == '-' || isdigit((unsigned char)*n->at)) return nt_digits(n);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (nt_take(n, words[i].word)) return (sl_value){.type = words[i].type};
    if (nt_take(n, "true")) return (sl_value){.type = SL_TYPE_BOOL, .boolean = true};
    if (nt_take(n, "false")) return (sl_value){.type = SL_TYPE_BOOL, .boolean = false};
    return nt_link(n);
}

static inline void nt_size(notation *n, sl_instruction *in) {
    if (!nt_take(n, "|")) return;
    in->prior_size = (uint32_t)nt_number(n);
    nt_need(n, "|");
}

static inline void nt_type(notation *n, sl_instruction *in) {
    int type = 0;
    if (nt_take(n, "->")) {
        in->type = SL_TYPE_LINK;
        in->target = nt_name(n, false);
        return;
    }
    if (!sl_type_from_name(nt_word(n, false), &type)) n->failed = true;
    in->type = (int8_t)type;
}

static inline void nt_column(notation *n, sl_instruction *in) {
    in->class_name = nt_name(n, false);
    nt_need(n, ".");
    in->field = nt_name(n, true);
    if (in->op == SL_OP_ERASE_COLUMN) return;
    nt_need(n, ":");
    nt_type(n, in);
    in->nullable = nt_take(n, "?") || in->type == SL_TYPE_MIXED;
    if (nt_take(n, "[]")) in->collection = SL_LIST;
    if (nt_take(n, "{}")) in->collection = SL_DICTIONARY;
    if (nt_take(n, "()")) in->collection = SL_SET;
    if (in->collection == SL_DICTIONARY) in->key_type = SL_TYPE_STRING;
}

static inline void nt_table(notation *n, sl_instruction *in, sl_table_kind kind) {
    in->table_kind = (uint8_t)kind;
    in->class_name = nt_name(n, false);
    if (kind == SL_TABLE_EMBEDDED) return;
    nt_need(n, "(");
    if (nt_take(n, ")")) {
        in->type = SL_TYPE_GLOBALKEY;
        in->field = sl_changeset_intern(n->cs, SL_STR(""));
        return;
    }
    in->field = nt_name(n, true);
    nt_need(n, ":");
    nt_type(n, in);
    in->nullable = nt_take(n, "?");
    nt_need(n, ")");
}

static inline void nt_collection(notation *n, sl_instruction *in) {
    if (nt_take(n, "list"))
        in->collection = SL_LIST;
    else if (nt_take(n, "dict"))
        in->collection = SL_DICTIONARY;
    else if (nt_take(n, "set"))
        in->collection = SL_SET;
    else
        nt_need(n, "single");
}

/* What starts with a place: an assignment or an addition. */
static inline void nt_assignment(notation *n, sl_instruction *in) {
    nt_place(n, in);
    if (nt_take(n, "+="))
        in->op = SL_OP_ADD_INTEGER;
    else
        nt_need(n, "=");
    in->value = nt_value(n);
    in->is_default = nt_take(n, "default");
    nt_size(n, in);
}

static inline void nt_statement(notation *n, sl_instruction *in) {
    if (nt_take(n, "drop")) {
        bool table = nt_take(n, "table");
        in->op = table ? SL_OP_ERASE_TABLE : SL_OP_ERASE_COLUMN;
        if (table)
            in->class_name = nt_name(n, false);
        else
            nt_need(n, "column"), nt_column(n, in);
    } else if (nt_take(n, "table")) {
        in->op = SL_OP_ADD_TABLE;
        nt_table(n, in, SL_TABLE_TOPLEVEL);
    } else if (nt_take(n, "asymmetric")) {
        in->op = SL_OP_ADD_TABLE;
        nt_table(n, in, SL_TABLE_ASYMMETRIC);
    } else if (nt_take(n, "embedded")) {
        in->op = SL_OP_ADD_TABLE;
        nt_table(n, in, SL_TABLE_EMBEDDED);
    } else if (nt_take(n, "column")) {
        in->op = SL_OP_ADD_COLUMN;
        nt_column(n, in);
    } else if (nt_take(n, "create") || nt_take(n, "erase")) {
        in->op = n->at[-2] == 't' ? SL_OP_CREATE_OBJECT : SL_OP_ERASE_OBJECT;
        nt_object(n, in);
    } else if (nt_take(n, "ins")) {
        in->op = SL_OP_ARRAY_INSERT;
        nt_place(n, in);
        in->value = nt_value(n);
        nt_size(n, in);
    } else if (nt_take(n, "mov") || nt_take(n, "del")) {
        in->op = n->at[-1] == 'v' ? SL_OP_ARRAY_MOVE : SL_OP_ARRAY_ERASE;
        nt_place(n, in);
        nt_size(n, in);
    } else if (nt_take(n, "clr")) {
        in->op = SL_OP_CLEAR;
        nt_place(n, in);
        nt_collection(n, in);
    } else if (nt_take(n, "add") || nt_take(n, "rem")) {
        in->op = n->at[-1] == 'd' ? SL_OP_SET_INSERT : SL_OP_SET_ERASE;
        nt_place(n, in);
        in->value = nt_value(n);
    } else {
        in->op = SL_OP_UPDATE;
        nt_assignment(n, in);
    }
}

/* Appends the instructions of `text` to `cs`; false (reported) if the text is not understood. */
static inline bool notation_read(sl_changeset *cs, const char *text) {
    notation n = {text, cs, false};
    for (nt_space(&n); *n.at; nt_space(&n)) {
        sl_instruction in = {.class_name = SL_NO_SYM, .field = SL_NO_SYM, .target = SL_NO_SYM};
        nt_statement(&n, &in);
        nt_space(&n);
        if (*n.at && *n.at != ';') n.failed = true;
        if (n.failed) {
            fprintf(stderr, "not understood: %s\n  at: %s\n", text, n.at);
            return false;
        }
        if (*n.at == ';') n.at++;
        sl_instruction *slot = sl_changeset_append(cs, (sl_op)in.op);
        if (!slot) return false;
        *slot = in;
    }
    return true;
}

/* ---- and back ---- */

static inline void nt_put_str(const sl_changeset *cs, uint32_t sym, sl_buf *out) {
    sl_buf_str(out, cs->strings[sym]);
}

static inline void nt_put_value(const sl_value *v, sl_buf *out) {
    switch (v->type) {
    case SL_TYPE_NULL:
        sl_buf_text(out, "null");
        break;
    case SL_TYPE_INT:
        sl_buf_printf(out, "%lld", (long long)v->integer);
        break;
    case SL_TYPE_BOOL:
        sl_buf_text(out, v->boolean ? "true" : "false");
        break;
    case SL_TYPE_DOUBLE:
        sl_buf_printf(out, "%#.3g", v->real);
        break;
    case SL_TYPE_STRING:
        sl_buf_byte(out, '"');
        sl_buf_str(out, v->string);
        sl_buf_byte(out, '"');
        break;
    case SL_TYPE_LINK:
        sl_buf_str(out, v->link->class_name);
        sl_buf_printf(out, "%lld", (long long)v->link->key.integer);
        break;
    case SL_TYPE_OBJECT:
        sl_buf_text(out, "object");
        break;
    case SL_TYPE_LIST:
        sl_buf_text(out, "list");
        break;
    case SL_TYPE_DICTIONARY:
        sl_buf_text(out, "dict");
        break;
    case SL_TYPE_ERASED:
        sl_buf_text(out, "erased");
        break;
    default:
        sl_buf_text(out, "set");
        break;
    }
}

static inline void nt_put_place(const sl_changeset *cs, const sl_instruction *in, sl_buf *out) {
    nt_put_str(cs, in->class_name, out);
    sl_buf_printf(out, "%lld.", (long long)in->key.integer);
    nt_put_str(cs, in->field, out);
    for (uint32_t k = 0; k < in->path_size; k++) {
        const sl_path_elem *step = &in->path[k];
        bool move = in->op == SL_OP_ARRAY_MOVE && k + 1u == in->path_size;
        if (!step->is_index) {
            sl_buf_byte(out, '.');
            nt_put_str(cs, step->number, out);
        } else if (move) {
            sl_buf_printf(out, "[%u>%u]", step->number, in->to);
        } else {
            sl_buf_printf(out, "[%u]", step->number);
        }
    }
}

static inline void nt_put_column(const sl_changeset *cs, const sl_instruction *in, sl_buf *out) {
    static const char *const suffix[] = {"", "[]", "{}", "()"};
    if (in->op == SL_OP_ERASE_COLUMN) sl_buf_text(out, "drop ");
    sl_buf_text(out, "column ");
    nt_put_str(cs, in->class_name, out);
    sl_buf_byte(out, '.');
    nt_put_str(cs, in->field, out);
    if (in->op == SL_OP_ERASE_COLUMN) return;
    sl_buf_byte(out, ':');
    if (in->type == SL_TYPE_LINK) {
        sl_buf_text(out, "->");
        nt_put_str(cs, in->target, out);
    } else {
        sl_buf_text(out, sl_type_name(in->type));
    }
    if (in->nullable && in->type != SL_TYPE_MIXED) sl_buf_byte(out, '?');
    sl_buf_text(out, suffix[in->collection & 3]);
}

static inline void nt_put_table(const sl_changeset *cs, const sl_instruction *in, sl_buf *out) {
    static const char *const kinds[] = {"table ", "embedded ", "asymmetric "};
    sl_buf_text(out, kinds[in->table_kind % 3]);
    nt_put_str(cs, in->class_name, out);
    if (in->table_kind == SL_TABLE_EMBEDDED) return;
    sl_buf_byte(out, '(');
    if (in->type != SL_TYPE_GLOBALKEY) {
        nt_put_str(cs, in->field, out);
        sl_buf_printf(out, ":%s%s", sl_type_name(in->type), in->nullable ? "?" : "");
    }
    sl_buf_byte(out, ')');
}

static inline void nt_put_path_op(const sl_changeset *cs, const sl_instruction *in, sl_buf *out) {
    static const char *const verbs[SL_OP_COUNT] = {
        [SL_OP_ARRAY_INSERT] = "ins ", [SL_OP_ARRAY_MOVE] = "mov ", [SL_OP_ARRAY_ERASE] = "del ",
        [SL_OP_CLEAR] = "clr ",        [SL_OP_SET_INSERT] = "add ", [SL_OP_SET_ERASE] = "rem "};
    static const char *const collections[] = {" single", " list", " dict", " set"};
    if (verbs[in->op]) sl_buf_text(out, verbs[in->op]);
    nt_put_place(cs, in, out);
    if (in->op == SL_OP_CLEAR) {
        sl_buf_text(out, collections[in->collection & 3]);
    } else if (in->op != SL_OP_ARRAY_MOVE && in->op != SL_OP_ARRAY_ERASE) {
        sl_buf_text(out, in->op == SL_OP_UPDATE        ? " = "
                         : in->op == SL_OP_ADD_INTEGER ? " += "
                                                       : " ");
        nt_put_value(&in->value, out);
    }
    if (in->is_default) sl_buf_text(out, " default");
    if ((in->op >= SL_OP_ARRAY_INSERT && in->op <= SL_OP_ARRAY_ERASE) ||
        (in->op == SL_OP_UPDATE && sl_path_ends_with_index(in)))
        sl_buf_printf(out, " |%u|", in->prior_size);
}

static inline void notation_put(const sl_changeset *cs, const sl_instruction *in, sl_buf *out) {
    switch (in->op) {
    case SL_OP_ADD_TABLE:
        nt_put_table(cs, in, out);
        return;
    case SL_OP_ERASE_TABLE:
        sl_buf_text(out, "drop table ");
        nt_put_str(cs, in->class_name, out);
        return;
    case SL_OP_ADD_COLUMN:
    case SL_OP_ERASE_COLUMN:
        nt_put_column(cs, in, out);
        return;
    case SL_OP_CREATE_OBJECT:
    case SL_OP_ERASE_OBJECT:
        sl_buf_text(out, in->op == SL_OP_CREATE_OBJECT ? "create " : "erase ");
        nt_put_str(cs, in->class_name, out);
        sl_buf_printf(out, "%lld", (long long)in->key.integer);
        return;
    default:
        nt_put_path_op(cs, in, out);
    }
}

/* Appends all instructions, separated by "; ". */
static inline void notation_write(const sl_changeset *cs, sl_buf *out) {
    for (uint32_t j = 0; j < cs->count; j++) {
        if (j) sl_buf_text(out, "; ");
        notation_put(cs, &cs->instructions[j], out);
    }
}

#endif
