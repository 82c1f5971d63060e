#include <string.h>

#include "query/token.h"

/* --- characters --- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* What is left of the query; every measuring function gives the length of its token, 0 for none. */
typedef struct rest {
    const char *at, *end;
} rest;

static bool has(rest r, size_t n, char c) {
    return (size_t)(r.end - r.at) > n && r.at[n] == c;
}

static size_t digits(rest r, size_t from) {
    size_t n = from;
    while (r.at + n < r.end && is_digit(r.at[n]))
        n++;
    return n - from;
}

static size_t sign(rest r, size_t from) {
    return has(r, from, '+') || has(r, from, '-');
}

static bool starts(rest r, const char *word, bool any_case) {
    size_t size = strlen(word);
    if ((size_t)(r.end - r.at) < size) return false;
    for (size_t i = 0; i < size; i++)
        if ((any_case ? lower(r.at[i]) : r.at[i]) != word[i]) return false;
    return true;
}

/* --- words --- */

typedef struct word {
    const char *spelling;
    sl_token_kind kind;
    bool any_case;
} word;

static const word words[] = {
    {"in", SL_TOK_IN, false},
    {"IN", SL_TOK_IN, false},
    {"and", SL_TOK_AND, true},
    {"or", SL_TOK_OR, true},
    {"not", SL_TOK_NOT, false},
    {"NOT", SL_TOK_NOT, false},
    {"any", SL_TOK_ANY, false},
    {"ANY", SL_TOK_ANY, false},
    {"some", SL_TOK_ANY, false},
    {"SOME", SL_TOK_ANY, false},
    {"all", SL_TOK_ALL, false},
    {"ALL", SL_TOK_ALL, false},
    {"none", SL_TOK_NONE, false},
    {"NONE", SL_TOK_NONE, false},
    {"beginswith", SL_TOK_BEGINSWITH, true},
    {"endswith", SL_TOK_ENDSWITH, true},
    {"contains", SL_TOK_CONTAINS, true},
    {"like", SL_TOK_LIKE, true},
    {"text", SL_TOK_TEXT, true},
    {"fulltext", SL_TOK_TEXT, true},
    {"between", SL_TOK_BETWEEN, true},
    {"geowithin", SL_TOK_GEOWITHIN, true},
    {"geobox", SL_TOK_GEOBOX, true},
    {"geopolygon", SL_TOK_GEOPOLYGON, true},
    {"geocircle", SL_TOK_GEOCIRCLE, true},
    {"truepredicate", SL_TOK_TRUEPREDICATE, true},
    {"falsepredicate", SL_TOK_FALSEPREDICATE, true},
    {"sort", SL_TOK_SORT, true},
    {"distinct", SL_TOK_DISTINCT, true},
    {"limit", SL_TOK_LIMIT, true},
    {"asc", SL_TOK_ASCENDING, true},
    {"ascending", SL_TOK_ASCENDING, true},
    {"desc", SL_TOK_DESCENDING, true},
    {"descending", SL_TOK_DESCENDING, true},
    {"subquery", SL_TOK_SUBQUERY, true},
    {"obj", SL_TOK_OBJ, true},
    {"bin", SL_TOK_BINARY, true},
    {"binary", SL_TOK_BINARY, true},
    {"first", SL_TOK_FIRST, false},
    {"FIRST", SL_TOK_FIRST, false},
    {"last", SL_TOK_LAST, false},
    {"LAST", SL_TOK_LAST, false},
    {"size", SL_TOK_SIZE, false},
    {"SIZE", SL_TOK_SIZE, false},
    {"true", SL_TOK_TRUE, false},
    {"TRUE", SL_TOK_TRUE, false},
    {"false", SL_TOK_FALSE, false},
    {"FALSE", SL_TOK_FALSE, false},
    {"null", SL_TOK_NULL, true},
    {"nil", SL_TOK_NULL, true},
    {"inf", SL_TOK_INFINITY, true},
    {"infinity", SL_TOK_INFINITY, true},
    {"nan", SL_TOK_NAN, true},
};

static const word fixed[] = {
    {"@size", SL_TOK_AT_SIZE, false},   {"@count", SL_TOK_AT_SIZE, false},
    {"@max", SL_TOK_AT_MAX, false},     {"@min", SL_TOK_AT_MIN, false},
    {"@sum", SL_TOK_AT_SUM, false},     {"@avg", SL_TOK_AT_AVG, false},
    {"@links", SL_TOK_AT_LINKS, false}, {"@type", SL_TOK_AT_TYPE, false},
    {"@keys", SL_TOK_AT_KEYS, false},   {"@values", SL_TOK_AT_VALUES, false},
    {"[c]", SL_TOK_CASE, false},        {"==", SL_TOK_EQUAL, false},
    {"!=", SL_TOK_NOTEQUAL, false},     {"<>", SL_TOK_NOTEQUAL, false},
    {"<=", SL_TOK_LESSEQ, false},       {"=<", SL_TOK_LESSEQ, false},
    {">=", SL_TOK_GREATEREQ, false},    {"=>", SL_TOK_GREATEREQ, false},
    {"&&", SL_TOK_AND, false},          {"||", SL_TOK_OR, false},
    {"=", SL_TOK_EQUAL, false},         {"<", SL_TOK_LESS, false},
    {">", SL_TOK_GREATER, false},       {"!", SL_TOK_NOT, false},
};

/* The best token so far: a longer one replaces it, an equal one does not. */
typedef struct best {
    sl_token_kind kind;
    size_t size;
} best;

static void offer(best *b, sl_token_kind kind, size_t size) {
    if (size > b->size) *b = (best){kind, size};
}

static size_t id_size(rest r) {
    size_t n = 0, room = (size_t)(r.end - r.at);
    for (; n < room; n++) {
        char c = r.at[n];
        if (is_letter(c) || c == '_' || c == '$' || (c & 0x80)) continue;
        if (n && (is_digit(c) || c == '-')) continue;
        if (n && c == '\\' && n + 1 < room && r.at[n + 1] && strchr(" nrt", r.at[n + 1]))
            n++;
        else
            break;
    }
    return n;
}

/* `[+-]` stands before infinity and nan only, so a sign is looked through. */
static void offer_words(best *b, rest r) {
    size_t skip = sign(r, 0);
    rest behind = {r.at + skip, r.end};
    size_t size = id_size(behind);
    if (!size) return;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const word *w = &words[i];
        if (skip && w->kind != SL_TOK_INFINITY && w->kind != SL_TOK_NAN) continue;
        if (strlen(w->spelling) == size && starts(behind, w->spelling, w->any_case))
            offer(b, w->kind, size + skip);
    }
}

/* --- literals --- */

/* "(" 32 hexadecimal digits with hyphens at 8, 13, 18 and 23 ")", or 24 without. */
static size_t id_literal(rest r, const char *prefix, size_t count, bool hyphens) {
    size_t from = strlen(prefix);
    if (!starts(r, prefix, false) || (size_t)(r.end - r.at) < from + count + 1) return 0;
    for (size_t i = 0; i < count; i++) {
        bool hyphen = hyphens && (i == 8 || i == 13 || i == 18 || i == 23);
        char c = r.at[from + i];
        if (hyphen ? c != '-' : !is_hex(c)) return 0;
    }
    return r.at[from + count] == ')' ? from + count + 1 : 0;
}

static size_t signed_digits(rest r, size_t from) {
    size_t s = sign(r, from), n = digits(r, from + s);
    return n ? s + n : 0;
}

static size_t timestamp_size(rest r) {
    size_t n = 1, part;
    if (!has(r, 0, 'T') || !(part = signed_digits(r, n))) return 0;
    n += part;
    if (!has(r, n, ':') || !(part = signed_digits(r, n + 1))) return 0;
    return n + 1 + part;
}

/* Y-M-D@h:m:s[:n], with T for @ as well. */
static size_t date_size(rest r) {
    static const char separators[] = "--@::";
    size_t n = 0, part;
    for (int i = 0; i < 6; i++) {
        if (!(part = digits(r, n))) return 0;
        n += part;
        if (i == 5) break;
        if (!has(r, n, separators[i]) && !(i == 2 && has(r, n, 'T'))) return 0;
        n++;
    }
    part = has(r, n, ':') ? digits(r, n + 1) : 0;
    return part ? n + 1 + part : n;
}

static size_t float_size(rest r) {
    size_t s = sign(r, 0), whole = digits(r, s), n = s + whole;
    if (has(r, n, '.')) {
        size_t fraction = digits(r, n + 1);
        if (!whole && !fraction) return 0;
        n += 1 + fraction;
    } else if (!whole) {
        return 0;
    }
    if (has(r, n, 'e') || has(r, n, 'E')) {
        size_t power = signed_digits(r, n + 1);
        if (power) n += 1 + power;
    }
    return has(r, n, 'f') ? n + 1 : n;
}

static void offer_numbers(best *b, rest r) {
    size_t n = digits(r, 0), s = sign(r, 0);
    offer(b, SL_TOK_NATURAL, n);
    if (s && digits(r, s)) offer(b, SL_TOK_NUMBER, s + digits(r, s));
    if (has(r, 0, '0') && has(r, 1, 'x')) {
        n = 2;
        while (r.at + n < r.end && is_hex(r.at[n]))
            n++;
        if (n > 2) offer(b, SL_TOK_NUMBER, n);
    }
    offer(b, SL_TOK_DATE, date_size(r));
    offer(b, SL_TOK_FLOAT, float_size(r));
}

/* The closing quote, or 0; *bad = an escape that there is not. */
static size_t string_size(rest r) {
    size_t room = (size_t)(r.end - r.at);
    for (size_t n = 1; n < room; n++) {
        if (r.at[n] == r.at[0]) return n + 1;
        if (r.at[n] != '\\') continue;
        n++;
        if (n >= room || !r.at[n] || !strchr("\"'/bfnrt0\\u", r.at[n])) return 0;
        if (r.at[n] != 'u') continue;
        for (int i = 0; i < 4; i++)
            if (++n >= room || !is_hex(r.at[n])) return 0;
    }
    return 0;
}

static size_t base64_size(rest r) {
    if (!starts(r, "B64\"", false)) return 0;
    for (size_t n = 4; n < (size_t)(r.end - r.at); n++) {
        char c = r.at[n];
        if (c == '"') return n + 1;
        if (!is_letter(c) && !is_digit(c) && c != '+' && c != '/' && c != '=') return 0;
    }
    return 0;
}

static size_t link_size(rest r) {
    size_t n = digits(r, 1);
    if (!n) return 0;
    if (has(r, 0, 'O')) return 1 + n;
    if (!has(r, 0, 'L') || !has(r, 1 + n, ':')) return 0;
    size_t key = digits(r, 2 + n);
    return key ? 2 + n + key : 0;
}

static void offer_literals(best *b, rest r) {
    offer(b, SL_TOK_UUID, id_literal(r, "uuid(", 36, true));
    offer(b, SL_TOK_OID, id_literal(r, "oid(", 24, false));
    offer(b, SL_TOK_TIMESTAMP, timestamp_size(r));
    offer(b, SL_TOK_LINK, link_size(r));
    if (has(r, 0, '$')) {
        size_t n = digits(r, 1), k = has(r, 1, 'K') ? digits(r, 2) : 0;
        if (n) offer(b, SL_TOK_ARGUMENT, 1 + n);
        if (k) offer(b, SL_TOK_KEYPATH_ARGUMENT, 2 + k);
    }
    offer(b, SL_TOK_BASE64, base64_size(r));
    if (has(r, 0, '"') || has(r, 0, '\'')) offer(b, SL_TOK_STRING, string_size(r));
}

/* --- one token --- */

static best measure(rest r) {
    best b = {SL_TOK_END, 0};
    if (strchr("+-*/[],(){}.", *r.at)) offer(&b, SL_TOK_PUNCTUATION, 1);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (starts(r, fixed[i].spelling, false))
            offer(&b, fixed[i].kind, strlen(fixed[i].spelling));
    offer_words(&b, r);
    offer_numbers(&b, r);
    offer_literals(&b, r);
    offer(&b, SL_TOK_ID, id_size(r));
    return b;
}

bool sl_token_read(sl_str query, size_t offset, sl_token *token, sl_status *st) {
    rest r = {query.data + offset, query.data + query.size};
    while (r.at < r.end && *r.at && strchr(" \t\r\n", *r.at))
        r.at++;
    offset = (size_t)(r.at - query.data);
    *token = (sl_token){SL_TOK_END, sl_str_of(r.at, 0), offset};
    if (r.at == r.end) return true;
    best b = *r.at ? measure(r) : (best){SL_TOK_END, 0};
    if (!b.size && (*r.at == '"' || *r.at == '\''))
        return sl_fail_at(st, SL_ERR_USAGE, "QUERY-SYNTAX", offset,
                          "a string that does not end, or holds an escape that there is not");
    if (!b.size)
        return sl_fail_at(st, SL_ERR_USAGE, "QUERY-SYNTAX", offset,
                          "byte 0x%02x begins no word of the query language",
                          (unsigned)(unsigned char)*r.at);
    token->kind = b.kind;
    token->text = sl_str_of(r.at, b.size);
    return true;
}

bool sl_token_is_name(const sl_token *token) {
    switch (token->kind) {
    case SL_TOK_ID:
    case SL_TOK_BEGINSWITH:
    case SL_TOK_ENDSWITH:
    case SL_TOK_CONTAINS:
    case SL_TOK_LIKE:
    case SL_TOK_TEXT:
    case SL_TOK_BETWEEN:
    case SL_TOK_SORT:
    case SL_TOK_DISTINCT:
    case SL_TOK_LIMIT:
    case SL_TOK_ASCENDING:
    case SL_TOK_DESCENDING:
    case SL_TOK_IN:
    case SL_TOK_BINARY:
    case SL_TOK_FIRST:
    case SL_TOK_LAST:
    case SL_TOK_SIZE:
        return true;
    default:
        return false;
    }
}
