/* sqlite_select.c - objects of a class by some of their properties: what is asked for becomes a
 * WHERE that an index can serve. The forms of values in columns (doc/store.md) do not sort and
 * compare as the values do in every case, so each term takes in what it cannot tell, and the caller
 * looks at the content again. Names are quoted, values are bound. */
#include "store/sqlite_cell.h"
#include "store/sqlite_class.h"
#include "store/sqlite_names.h"
#include "value/utf8.h"

enum { MAX_PARAMS = 512, MAX_VALUES = 256 };

typedef struct param {
    const sl_cat_property *property; /* NULL: the key */
    const sl_value *value;
} param;

typedef struct select_builder {
    sl_sqlite_store *store;
    const sl_cat_class *cat;
    sl_buf sql;
    param params[MAX_PARAMS];
    uint32_t count, terms;
} select_builder;

/* --- what can be said in SQL --- */

static bool is_binary_number(const sl_value *value) {
    return value->type == SL_TYPE_INT || value->type == SL_TYPE_FLOAT ||
           value->type == SL_TYPE_DOUBLE;
}

static bool is_text(sl_str s) {
    return s.size == 0 || (!memchr(s.data, 0, s.size) && sl_utf8_valid(s));
}

/* Whether a column of `type` can be compared with the value for equality. */
static bool can_equal(int type, const sl_value *value) {
    switch (type) {
    case SL_TYPE_INT:
    case SL_TYPE_FLOAT:
    case SL_TYPE_DOUBLE:
        return value->type == SL_TYPE_NULL || is_binary_number(value);
    case SL_TYPE_DECIMAL: /* 1.5 and 1.50 are the same number */
        return value->type == SL_TYPE_NULL;
    case SL_TYPE_MIXED:
        return value->type != SL_TYPE_FLOAT && value->type != SL_TYPE_DOUBLE &&
               value->type != SL_TYPE_DECIMAL;
    default:
        return value->type == SL_TYPE_NULL || value->type == type;
    }
}

/* The years from 0000 to 9999, whose text sorts. */
static bool has_plain_year(sl_timestamp t) {
    return t.seconds >= INT64_C(-62167219200) && t.seconds < INT64_C(253402300800) &&
           (t.seconds > INT64_C(-62167219200) || t.nanoseconds >= 0);
}

/* Whether the order of the column's forms says something about the order against the value. */
static bool can_order(int type, const sl_value *value) {
    if (!value) return true;
    switch (type) {
    case SL_TYPE_INT:
    case SL_TYPE_FLOAT:
    case SL_TYPE_DOUBLE:
        return is_binary_number(value);
    case SL_TYPE_STRING:
        return value->type == type && is_text(value->string);
    case SL_TYPE_TIMESTAMP:
        return value->type == type && has_plain_year(value->timestamp);
    case SL_TYPE_BINARY:
    case SL_TYPE_OBJECTID:
    case SL_TYPE_UUID:
        return value->type == type;
    default:
        return false;
    }
}

/* --- terms --- */

static void add_column(select_builder *b, const sl_cat_property *property) {
    sl_sqlite_quote(&b->sql, property ? property->stored : b->cat->key_column);
}

static void add_text(select_builder *b, const sl_cat_property *property, const char *text) {
    add_column(b, property);
    sl_buf_text(&b->sql, text);
}

static void add_param(select_builder *b, const sl_cat_property *property, const char *op,
                      const sl_value *value) {
    add_column(b, property);
    b->params[b->count++] = (param){property, value};
    sl_buf_printf(&b->sql, " %s ?%lu", op, (unsigned long)b->count);
}

static bool is_zero(const sl_value *value) {
    return (value->type == SL_TYPE_INT && value->integer == 0) ||
           (value->type == SL_TYPE_FLOAT && value->single == 0) ||
           (value->type == SL_TYPE_DOUBLE && value->real == 0);
}

static void add_equal(select_builder *b, const sl_cat_property *property, int type,
                      const sl_value *value) {
    if (value->type == SL_TYPE_NULL) {
        add_text(b, property, " IS NULL");
    } else if (is_zero(value) && (type == SL_TYPE_FLOAT || type == SL_TYPE_DOUBLE)) {
        add_text(b, property, " = 0 OR "); /* -0 is among the BLOBs */
        add_text(b, property, " >= x''");
    } else {
        add_param(b, property, "=", value);
        if (type != SL_TYPE_MIXED || value->type != SL_TYPE_INT) return;
        sl_buf_text(&b->sql, " OR "); /* the same number as a double, say */
        add_text(b, property, " >= '{\"$number' AND ");
        add_text(b, property, " < '{\"$numbes'");
        sl_buf_text(&b->sql, " OR ");
        add_text(b, property, " >= '{\"$decimal' AND ");
        add_text(b, property, " < '{\"$decimam'");
    }
}

static bool add_equals(select_builder *b, const sl_cat_property *property, int type,
                       const sl_bound *bound) {
    if (bound->value_count > MAX_VALUES || b->count + bound->value_count > MAX_PARAMS) return false;
    for (uint32_t i = 0; i < bound->value_count; i++) {
        if (!can_equal(type, &bound->values[i])) return false;
    }
    sl_buf_text(&b->sql, b->terms ? " AND (" : " WHERE (");
    for (uint32_t i = 0; i < bound->value_count; i++) {
        if (i) sl_buf_text(&b->sql, " OR ");
        add_equal(b, property, type, &bound->values[i]);
    }
    return true;
}

static bool add_range(select_builder *b, const sl_cat_property *property, int type,
                      const sl_bound *bound) {
    const sl_value *low = bound->low, *high = bound->high;
    if (!can_order(type, low)) low = NULL;
    if (!can_order(type, high)) high = NULL;
    if ((!low && !high) || b->count + 2 > MAX_PARAMS) return false;
    bool time = type == SL_TYPE_TIMESTAMP;
    sl_buf_text(&b->sql, b->terms ? " AND (" : " WHERE (");
    if (low)
        add_param(b, property, ">=", low);
    else if (time)
        add_text(b, property, " >= '0'");
    if (high || time) {
        if (low || time) sl_buf_text(&b->sql, " AND ");
        if (high)
            add_param(b, property, "<=", high);
        else
            add_text(b, property, " < ':'");
    }
    if (time) { /* years with a sign sort before those without */
        sl_buf_text(&b->sql, " OR ");
        add_text(b, property, " < '0'");
    }
    /* BLOBs hold what has no natural form; they sort behind everything else. */
    if (time || type == SL_TYPE_STRING || type == SL_TYPE_FLOAT || type == SL_TYPE_DOUBLE) {
        sl_buf_text(&b->sql, " OR ");
        add_text(b, property, " >= x''");
    }
    return true;
}

static void add_bound(select_builder *b, const uint32_t *slots, const sl_bound *bound) {
    const sl_cat_property *property = NULL;
    if (bound->slot != SL_KEY_SLOT) property = &b->cat->properties[slots[bound->slot]];
    int type = property ? property->def.type : b->cat->def.key_type;
    if (property && property->def.collection != SL_SINGLE) return;
    bool added = bound->value_count ? add_equals(b, property, type, bound)
                                    : add_range(b, property, type, bound);
    if (!added) return;
    sl_buf_byte(&b->sql, ')');
    b->terms++;
}

/* --- binding --- */

static bool bind_key(select_builder *b, sqlite3_stmt *stmt, int at, const sl_value *value,
                     sl_status *st) {
    sl_key key = {.type = value->type};
    switch (value->type) {
    case SL_TYPE_INT:
        key.integer = value->integer;
        break;
    case SL_TYPE_STRING:
        key.string = value->string;
        break;
    case SL_TYPE_OBJECTID:
        memcpy(key.objectid, value->objectid, sizeof key.objectid);
        break;
    case SL_TYPE_UUID:
        memcpy(key.uuid, value->uuid, sizeof key.uuid);
        break;
    default:
        break;
    }
    return sl_sqlite_bind_key(b->store, stmt, at, &key, b->cat->def.key_type, false, st);
}

static bool bind_number(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, const sl_value *value,
                        sl_status *st) {
    int rc = value->type == SL_TYPE_INT     ? sqlite3_bind_int64(stmt, at, value->integer)
             : value->type == SL_TYPE_FLOAT ? sqlite3_bind_double(stmt, at, (double)value->single)
                                            : sqlite3_bind_double(stmt, at, value->real);
    return rc == SQLITE_OK || sl_sqlite_fail(store, rc, "binding a value", st);
}

static bool bind_params(select_builder *b, sqlite3_stmt *stmt, sl_status *st) {
    for (uint32_t i = 0; i < b->count; i++) {
        const param *p = &b->params[i];
        int type = p->property ? p->property->def.type : b->cat->def.key_type;
        sl_node node = {.kind = SL_NODE_VALUE, .value = *p->value};
        bool ok = is_binary_number(p->value) && type != SL_TYPE_MIXED
                      ? bind_number(b->store, stmt, (int)i + 1, p->value, st)
                  : p->property ? sl_sqlite_bind_node(b->store, stmt, (int)i + 1, p->property,
                                                      false, &node, st)
                                : bind_key(b, stmt, (int)i + 1, p->value, st);
        if (!ok) return false;
    }
    return true;
}

/* --- rows --- */

typedef struct row_reader {
    select_builder *builder;
    const sl_class *cls;
    const sl_selection *selection;
    const uint32_t *slots;
    sl_node *nodes;
    const sl_node **shown;
} row_reader;

static bool read_row(row_reader *r, sqlite3_stmt *stmt, sl_key *key, sl_status *st) {
    sl_sqlite_store *store = r->builder->store;
    const sl_cat_class *cat = r->builder->cat;
    sl_arena_reset(&store->arena);
    if (!sl_sqlite_column_key(store, stmt, 0, cat->def.key_type, key, st)) return false;
    for (uint32_t i = 0; i < r->selection->slot_count; i++) {
        uint32_t slot = r->selection->slots[i];
        if (!sl_sqlite_column_node(store, stmt, (int)i + 1, &cat->properties[r->slots[slot]],
                                   &r->cls->properties[slot], &r->nodes[i], st)) {
            return false;
        }
    }
    return true;
}

static void clear_row(row_reader *r) {
    for (uint32_t i = 0; i < r->selection->slot_count; i++)
        sl_node_clear(&r->builder->store->alloc, &r->nodes[i]);
}

static bool visit_rows(row_reader *r, sqlite3_stmt *stmt, sl_row_visitor visit, void *ctx,
                       sl_status *st) {
    int rc = SQLITE_DONE;
    bool ok = true, more = true;
    while (ok && more && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sl_key key;
        ok = read_row(r, stmt, &key, st);
        more = ok && visit(ctx, &key, r->shown);
        clear_row(r);
    }
    if (ok && more && rc != SQLITE_DONE) {
        ok = sl_sqlite_fail(r->builder->store, rc, "looking for objects", st);
    }
    return ok;
}

static sqlite3_stmt *prepare_select(select_builder *b, const uint32_t *slots,
                                    const sl_selection *selection, sl_status *st) {
    sl_buf_text(&b->sql, "SELECT ");
    add_column(b, NULL);
    for (uint32_t i = 0; i < selection->slot_count; i++) {
        sl_buf_text(&b->sql, ", ");
        add_column(b, &b->cat->properties[slots[selection->slots[i]]]);
    }
    sl_buf_text(&b->sql, " FROM ");
    sl_sqlite_quote(&b->sql, b->cat->table);
    for (uint32_t i = 0; i < selection->bound_count; i++)
        add_bound(b, slots, &selection->bounds[i]);
    sqlite3_stmt *stmt = NULL;
    if (b->sql.failed)
        sl_fail_memory(st);
    else
        stmt = sl_sqlite_prepare(b->store, sl_str_of(b->sql.data, b->sql.size), st);
    if (!stmt || bind_params(b, stmt, st)) return stmt;
    sqlite3_finalize(stmt);
    return NULL;
}

bool sl_sqlite_object_select(void *ctx, const sl_class *cls, const sl_selection *selection,
                             sl_row_visitor visit, void *visit_ctx, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_reading(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_table_of(store, cls, st);
    const uint32_t *slots = cat ? sl_cat_class_slots(&store->catalogue, cat, cls, st) : NULL;
    if (!slots) return false;
    select_builder b = {.store = store, .cat = cat};
    size_t room = selection->slot_count + (size_t)1;
    row_reader r = {&b, cls, selection, slots, NULL, NULL};
    r.nodes = sl_new_zero(&store->alloc, room, sizeof *r.nodes);
    r.shown = sl_new(&store->alloc, room * sizeof *r.shown);
    bool ok = (r.nodes && r.shown) || sl_fail_memory(st);
    for (uint32_t i = 0; ok && i < selection->slot_count; i++)
        r.shown[i] = &r.nodes[i];
    sl_buf_init(&b.sql, &store->alloc);
    sqlite3_stmt *stmt = ok ? prepare_select(&b, slots, selection, st) : NULL;
    ok = stmt && visit_rows(&r, stmt, visit, visit_ctx, st);
    sqlite3_finalize(stmt);
    sl_buf_free(&b.sql);
    sl_delete(&store->alloc, r.nodes);
    sl_delete(&store->alloc, r.shown);
    return ok;
}
