#include "history/reset_replay.h"

#include "history/list_tracker.h"
#include "history/reset_transfer.h"
#include "history/reset_writer.h"
#include "realm/apply.h"
#include "realm/dict.h"
#include "realm/list.h"
#include "realm/read.h"

#include <string.h>

/* A list that local changes have touched. `name` (in the arena) says which one: class, key, field
 * and the path in the server's positions. `outer` leads to the outermost list around it, or to
 * itself: only that one can be overwritten, because its way is made of names alone. */
typedef struct tracked {
    struct tracked *next, *outer;
    sl_str name;
    sl_str class_name, field;
    sl_key key;
    sl_str *steps; /* the names of the way; outermost lists only */
    uint16_t step_count;
    sl_list_tracker positions;
    bool touched; /* marked, and a change of the present changeset was for it */
} tracked;

struct sl_reset_replay {
    sl_reset_replay_options options;
    sl_arena arena;
    tracked *lists;
    sl_changeset one; /* one instruction, to be applied */
    sl_reset_writer single, writer;
    tracked *worked_on; /* list of the present instruction */
    sl_buf scratch;
    uint64_t dropped;
    sl_status *st;
};

/* What became of an instruction. */
typedef enum verdict {
    KEEP,
    DROP,
    COVERED, /* the whole list will be overwritten */
    BROKEN   /* the status says why */
} verdict;

sl_reset_replay *sl_reset_replay_new(const sl_reset_replay_options *options) {
    sl_reset_replay *r = sl_new_zero(options->alloc, 1, sizeof *r);
    if (!r) return NULL;
    r->options = *options;
    sl_arena_init(&r->arena, options->alloc);
    sl_changeset_init(&r->one, options->alloc);
    sl_buf_init(&r->scratch, options->alloc);
    return r;
}

void sl_reset_replay_free(sl_reset_replay *r) {
    if (!r) return;
    for (tracked *t = r->lists; t; t = t->next)
        sl_list_tracker_free(&t->positions, r->options.alloc);
    sl_changeset_free(&r->one);
    sl_buf_free(&r->scratch);
    sl_arena_free(&r->arena);
    sl_delete(r->options.alloc, r);
}

static verdict out_of_memory(sl_reset_replay *r) {
    sl_fail_memory(r->st);
    return BROKEN;
}

/* ---- links ----------------------------------------------------------------------------------- */

/* Whether the target is there, on the server's side with what was replayed so far. */
static bool link_is_live(void *ctx, const sl_link *link) {
    sl_reset_replay *r = ctx;
    bool exists = false;
    sl_status ignored = SL_STATUS_INIT;
    return sl_realm_class(r->options.fresh, link->class_name) &&
           sl_realm_exists(r->options.fresh, link->class_name, &link->key, &exists, &ignored) &&
           exists;
}

static bool dead_link(sl_reset_replay *r, const sl_value *value) {
    return value->type == SL_TYPE_LINK && !link_is_live(r, value->link);
}

/* ---- lists that are tracked ------------------------------------------------------------------ */

/* The name of the list at the first `depth` steps of the instruction under work. */
static bool name_list(sl_reset_replay *r, const sl_instruction *in, uint16_t depth) {
    const sl_changeset *cs = &r->one;
    sl_buf_clear(&r->scratch);
    sl_buf_str(&r->scratch, cs->strings[in->class_name]);
    sl_buf_byte(&r->scratch, 0);
    sl_buf_byte(&r->scratch, (uint8_t)in->key.type);
    if (in->key.type == SL_TYPE_STRING) {
        sl_buf_printf(&r->scratch, "%u ", (unsigned)in->key.string.size);
        sl_buf_str(&r->scratch, in->key.string);
    } else if (in->key.type != SL_TYPE_NULL) {
        sl_buf_add(&r->scratch, in->key.uuid,
                   in->key.type == SL_TYPE_INT        ? sizeof in->key.integer
                   : in->key.type == SL_TYPE_OBJECTID ? sizeof in->key.objectid
                                                      : sizeof in->key.uuid);
    }
    sl_buf_printf(&r->scratch, "%u ", (unsigned)cs->strings[in->field].size);
    sl_buf_str(&r->scratch, cs->strings[in->field]);
    for (uint16_t i = 0; i < depth; i++) {
        const sl_path_elem *step = &in->path[i];
        if (step->is_index) {
            sl_buf_printf(&r->scratch, "#%u;", (unsigned)step->number);
        } else {
            sl_str name = cs->strings[step->number];
            sl_buf_printf(&r->scratch, ".%u ", (unsigned)name.size);
            sl_buf_str(&r->scratch, name);
        }
    }
    return !r->scratch.failed;
}

static tracked *look_up(const sl_reset_replay *r) {
    sl_str name = sl_str_of(r->scratch.data, r->scratch.size);
    for (tracked *t = r->lists; t; t = t->next)
        if (sl_str_eq(t->name, name)) return t;
    return NULL;
}

static bool copy_way(sl_reset_replay *r, tracked *t, const sl_instruction *in, uint16_t depth) {
    const sl_changeset *cs = &r->one;
    t->class_name = sl_arena_str(&r->arena, cs->strings[in->class_name]);
    t->field = sl_arena_str(&r->arena, cs->strings[in->field]);
    t->key = in->key;
    if (t->key.type == SL_TYPE_STRING) t->key.string = sl_arena_str(&r->arena, in->key.string);
    t->steps = sl_arena_zero(&r->arena, depth + 1u, sizeof *t->steps);
    if (!t->class_name.data || !t->field.data || !t->steps) return false;
    t->step_count = depth;
    for (uint16_t i = 0; i < depth; i++)
        t->steps[i] = sl_arena_str(&r->arena, cs->strings[in->path[i].number]);
    return true;
}

/* Finds or makes the entry of the list at the first `depth` steps. NULL: no memory. */
static tracked *track(sl_reset_replay *r, const sl_instruction *in, uint16_t depth,
                      tracked *outer) {
    if (!name_list(r, in, depth)) return NULL;
    tracked *t = look_up(r);
    if (t) return t;
    t = sl_arena_zero(&r->arena, 1, sizeof *t);
    if (!t) return NULL;
    t->name = sl_arena_str(&r->arena, sl_str_of(r->scratch.data, r->scratch.size));
    if (!t->name.data || (!outer && !copy_way(r, t, in, depth))) return NULL;
    t->outer = outer ? outer : t;
    t->next = r->lists;
    r->lists = t;
    return t;
}

static verdict mark(tracked *t) {
    t->outer->positions.marked = true;
    t->outer->touched = true;
    return COVERED;
}

static bool has_lists_inside(const sl_reset_replay *r, const tracked *t) {
    for (const tracked *other = r->lists; other; other = other->next)
        if (other != t && other->name.size > t->name.size &&
            memcmp(other->name.data, t->name.data, t->name.size) == 0)
            return true;
    return false;
}

/* What was known about lists at and below a place ends when the place gets something else. */
static bool forget_below(sl_reset_replay *r, const sl_instruction *in, uint16_t depth) {
    if (!name_list(r, in, depth)) return false;
    sl_str name = sl_str_of(r->scratch.data, r->scratch.size);
    for (tracked *t = r->lists; t; t = t->next)
        if (t->name.size >= name.size && memcmp(t->name.data, name.data, name.size) == 0 &&
            t->outer == t) {
            sl_list_tracker_restart(&t->positions);
            t->touched = false;
        }
    return true;
}

/* ---- the way of an instruction --------------------------------------------------------------- */

/* Where a path has come to on the server's side. */
typedef struct way {
    const sl_node *node;
    const sl_property *property; /* what the node belongs to */
    tracked *outer;              /* outermost list passed so far */
} way;

static bool begin_way(sl_reset_replay *r, const sl_instruction *in, way *w, verdict *result) {
    const sl_changeset *cs = &r->one;
    sl_str class_name = cs->strings[in->class_name];
    const sl_object *object = NULL;
    *result = DROP;
    memset(w, 0, sizeof *w);
    if (!sl_realm_class(r->options.fresh, class_name)) return false;
    if (!sl_realm_object(r->options.fresh, class_name, &in->key, &object, r->st)) {
        *result = BROKEN;
        return false;
    }
    if (!object) return false;
    w->property = sl_class_find(object->cls, cs->strings[in->field]);
    if (!w->property) return false;
    w->node = sl_object_at(object, w->property->index);
    return true;
}

/* One step into an embedded object or dictionary. */
static bool step_by_name(way *w, sl_str name) {
    if (w->node->kind == SL_NODE_DICT) {
        w->node = sl_dict_find(w->node->dict, name);
        return w->node != NULL;
    }
    if (w->node->kind != SL_NODE_OBJECT) return false;
    const sl_object *object = w->node->object;
    w->property = sl_class_find(object->cls, name);
    if (!w->property) return false;
    w->node = sl_object_at(object, w->property->index);
    return true;
}

/* One step through a list element: only if its position is known. Rewrites the index. */
static verdict step_by_index(sl_reset_replay *r, sl_instruction *in, uint16_t at, way *w) {
    uint32_t remote;
    if (w->node->kind != SL_NODE_LIST) return DROP;
    tracked *t = track(r, in, at, w->outer);
    if (!t) return out_of_memory(r);
    if (t->outer->positions.marked ||
        !sl_list_tracker_find(&t->positions, in->path[at].number, &remote))
        return mark(t);
    if (remote >= sl_list_count(w->node->list)) return mark(t);
    in->path[at].number = remote;
    w->node = sl_list_at(w->node->list, remote);
    w->outer = t->outer;
    return KEEP;
}

/* Follows the first `depth` steps. */
static verdict follow(sl_reset_replay *r, sl_instruction *in, uint16_t depth, way *w) {
    verdict result;
    if (!begin_way(r, in, w, &result)) return result;
    for (uint16_t i = 0; i < depth; i++) {
        if (in->path[i].is_index) {
            result = step_by_index(r, in, i, w);
            if (result != KEEP) return result;
        } else if (!step_by_name(w, r->one.strings[in->path[i].number])) {
            return DROP;
        }
    }
    return KEEP;
}

/* ---- kinds of instructions ------------------------------------------------------------------- */

/* Array instructions, and Update of a list element. */
static verdict judge_list(sl_reset_replay *r, sl_instruction *in) {
    way w;
    uint16_t last = (uint16_t)(in->path_size - 1);
    verdict result = follow(r, in, last, &w);
    if (result != KEEP) return result;
    if (w.node->kind != SL_NODE_LIST) return DROP;
    tracked *t = track(r, in, last, w.outer);
    if (!t) return out_of_memory(r);
    if (t->outer->positions.marked) return mark(t);
    r->worked_on = t;
    uint32_t size = sl_list_count(w.node->list), local = in->path[last].number, from, to;
    sl_list_tracker *p = &t->positions;
    if (in->op != SL_OP_UPDATE && has_lists_inside(r, t)) return mark(t);
    switch (in->op) {
    case SL_OP_ARRAY_INSERT:
        if (dead_link(r, &in->value)) {
            sl_list_tracker_skip(p, local);
            return DROP;
        }
        if (!sl_list_tracker_insert(p, r->options.alloc, local, size, &from))
            return out_of_memory(r);
        break;
    case SL_OP_ARRAY_MOVE:
        if (!sl_list_tracker_find(p, local, &from) || !sl_list_tracker_find(p, in->to, &to))
            return mark(t);
        sl_list_tracker_erase(p, local);
        if (!sl_list_tracker_insert(p, r->options.alloc, in->to, size - 1, &to))
            return out_of_memory(r);
        in->to = to;
        break;
    default:
        if (!sl_list_tracker_find(p, local, &from)) return mark(t);
        if (in->op == SL_OP_UPDATE && dead_link(r, &in->value)) return DROP;
        if (in->op == SL_OP_UPDATE && !forget_below(r, in, in->path_size)) return out_of_memory(r);
        if (in->op == SL_OP_ARRAY_ERASE) sl_list_tracker_erase(p, local);
        break;
    }
    in->path[last].number = from;
    in->prior_size = size;
    return KEEP;
}

static verdict judge_update(sl_reset_replay *r, sl_instruction *in) {
    way w;
    uint16_t parent = in->path_size;
    bool entry = false;
    verdict result;
    if (parent > 0) {
        result = follow(r, in, (uint16_t)(parent - 1), &w);
        if (result != KEEP) return result;
        entry = w.node->kind == SL_NODE_DICT;
        sl_str name = r->one.strings[in->path[parent - 1].number];
        if (entry && in->value.type == SL_TYPE_ERASED && !sl_dict_find(w.node->dict, name))
            return DROP;
        if (!entry && !step_by_name(&w, name)) return DROP;
    } else {
        if (!begin_way(r, in, &w, &result)) return result;
    }
    if (dead_link(r, &in->value)) {
        if (!entry && !w.property->nullable && w.property->type != SL_TYPE_MIXED) return DROP;
        in->value = (sl_value){.type = SL_TYPE_NULL};
        r->dropped++;
    }
    bool keeps = (in->value.type == SL_TYPE_LIST && !entry && w.node->kind == SL_NODE_LIST) ||
                 (in->value.type == SL_TYPE_DICTIONARY && !entry && w.node->kind == SL_NODE_DICT) ||
                 (in->value.type == SL_TYPE_OBJECT && !entry && w.node->kind == SL_NODE_OBJECT);
    if (!keeps && !forget_below(r, in, in->path_size)) return out_of_memory(r);
    return KEEP;
}

static verdict judge_add_integer(sl_reset_replay *r, sl_instruction *in) {
    way w;
    verdict result = follow(r, in, in->path_size, &w);
    if (result != KEEP) return result;
    bool whole = w.node->kind == SL_NODE_VALUE && w.node->value.type == SL_TYPE_INT;
    return whole ? KEEP : DROP;
}

static verdict judge_clear(sl_reset_replay *r, sl_instruction *in) {
    way w;
    verdict result = follow(r, in, in->path_size, &w);
    if (result != KEEP) return result;
    if (!forget_below(r, in, in->path_size)) return out_of_memory(r);
    if (in->collection != SL_LIST && w.node->kind != SL_NODE_LIST) return KEEP;
    /* From here on every position of the list is known. */
    tracked *t = track(r, in, in->path_size, w.outer);
    if (!t) return out_of_memory(r);
    sl_list_tracker_restart(&t->positions);
    t->touched = false;
    return KEEP;
}

static verdict judge_set(sl_reset_replay *r, sl_instruction *in) {
    way w;
    verdict result = follow(r, in, in->path_size, &w);
    if (result != KEEP) return result;
    return w.node->kind != SL_NODE_SET || dead_link(r, &in->value) ? DROP : KEEP;
}

static verdict judge_erase_object(sl_reset_replay *r, const sl_instruction *in) {
    bool exists = false;
    sl_str name = r->one.strings[in->class_name];
    if (!sl_realm_class(r->options.fresh, name)) return DROP;
    if (!sl_realm_exists(r->options.fresh, name, &in->key, &exists, r->st)) return BROKEN;
    return exists ? KEEP : DROP;
}

static verdict unrecoverable(sl_reset_replay *r, const sl_instruction *in) {
    sl_str name = r->one.strings[in->class_name];
    sl_fail(r->st, SL_ERR_SESSION, "SCHEMA",
            "a local change removed a class or property (%.*s); that cannot be recovered",
            (int)name.size, name.data);
    return BROKEN;
}

static verdict judge(sl_reset_replay *r, sl_instruction *in) {
    bool schema = in->op == SL_OP_ADD_TABLE || in->op == SL_OP_ADD_COLUMN;
    if (r->options.schema_only && !schema) return DROP;
    switch (in->op) {
    case SL_OP_ADD_TABLE:
    case SL_OP_ADD_COLUMN:
    case SL_OP_CREATE_OBJECT:
        return KEEP;
    case SL_OP_ERASE_TABLE:
    case SL_OP_ERASE_COLUMN:
        return unrecoverable(r, in);
    case SL_OP_ERASE_OBJECT:
        return judge_erase_object(r, in);
    case SL_OP_ADD_INTEGER:
        return judge_add_integer(r, in);
    case SL_OP_CLEAR:
        return judge_clear(r, in);
    case SL_OP_SET_INSERT:
    case SL_OP_SET_ERASE:
        return judge_set(r, in);
    default:
        return sl_path_ends_with_index(in) ? judge_list(r, in) : judge_update(r, in);
    }
}

/* ---- one changeset --------------------------------------------------------------------------- */

/* Applies what is in `one`. An instruction that does not fit the server's state is dropped, but a
 * contradiction between the schemas ends the recovery. */
static verdict apply_one(sl_reset_replay *r, uint8_t op) {
    sl_status why = SL_STATUS_INIT;
    if (sl_realm_apply(r->options.fresh, &r->one, &why)) return KEEP;
    bool schema = op == SL_OP_ADD_TABLE || op == SL_OP_ADD_COLUMN;
    if (why.cls == SL_ERR_CHANGESET && !schema) return DROP;
    if (why.cls == SL_ERR_CHANGESET) {
        sl_fail(r->st, SL_ERR_SESSION, "SCHEMA",
                "the local schema contradicts the server's: %.150s", why.message);
        return BROKEN;
    }
    if (r->st) *r->st = why;
    return BROKEN;
}

/* What takes away leaves nothing to lose. */
static bool is_loss(const sl_instruction *in) {
    return in->op != SL_OP_ERASE_OBJECT && in->op != SL_OP_SET_ERASE &&
           !(in->op == SL_OP_UPDATE && in->value.type == SL_TYPE_ERASED);
}

static bool replay_instruction(sl_reset_replay *r, const sl_changeset *cs,
                               const sl_instruction *original) {
    sl_changeset_reset(&r->one);
    sl_reset_writer_init(&r->single, &r->one);
    sl_instruction *in = sl_reset_write_copy(&r->single, cs, original);
    if (!in) return sl_fail_memory(r->st);
    r->worked_on = NULL;
    verdict result = judge(r, in);
    if (result == KEEP) {
        result = apply_one(r, in->op);
        /* What is known of the list was ahead of the server's. */
        if (result == DROP && r->worked_on) result = mark(r->worked_on);
    }
    if (result == DROP && is_loss(in)) r->dropped++;
    if (result == KEEP && !sl_reset_write_copy(&r->writer, &r->one, in))
        return sl_fail_memory(r->st);
    return result != BROKEN;
}

/* The content of a marked list as it is here in the end, NULL if there is no such list (any more).
 */
static const sl_node *final_content(sl_reset_replay *r, const tracked *t, bool *ok) {
    const sl_object *object = NULL;
    if (!sl_realm_class(r->options.local, t->class_name)) return NULL;
    if (!sl_realm_object(r->options.local, t->class_name, &t->key, &object, r->st)) {
        *ok = false;
        return NULL;
    }
    const sl_property *property = object ? sl_class_find(object->cls, t->field) : NULL;
    if (!property) return NULL;
    way w = {.node = sl_object_at(object, property->index), .property = property};
    for (uint16_t i = 0; i < t->step_count; i++)
        if (!step_by_name(&w, t->steps[i])) return NULL;
    return w.node->kind == SL_NODE_LIST ? w.node : NULL;
}

/* Overwrites a marked list with its local content, on the fresh realm and in the changeset. */
static bool overwrite(sl_reset_replay *r, tracked *t) {
    bool ok = true;
    const sl_node *node = final_content(r, t, &ok);
    if (!ok || !node) return ok;
    sl_changeset_reset(&r->one);
    sl_reset_writer *const writers[] = {&r->single, &r->writer};
    sl_reset_writer_init(&r->single, &r->one);
    for (size_t i = 0; i < 2; i++) {
        sl_reset_writer *w = writers[i];
        w->link_allowed = link_is_live;
        w->ctx = r;
        sl_reset_writer_at(w, t->class_name, &t->key, t->field);
        for (uint16_t k = 0; k < t->step_count; k++) {
            uint32_t name = sl_changeset_intern(w->cs, t->steps[k]);
            if (name == SL_NO_SYM) return sl_fail_memory(r->st);
            w->path[w->path_size++] = (sl_path_elem){false, name};
        }
        sl_reset_write_node(w, node);
        if (w->failed) return sl_fail_memory(r->st);
        if (i == 0) {
            verdict result = apply_one(r, SL_OP_CLEAR);
            if (result == DROP) r->dropped++;
            if (result != KEEP) return result == DROP;
        }
    }
    return true;
}

static bool overwrite_marked(sl_reset_replay *r) {
    for (tracked *t = r->lists; t; t = t->next) {
        if (!t->touched) continue;
        t->touched = false;
        if (!overwrite(r, t)) return false;
    }
    return true;
}

uint64_t sl_reset_replay_dropped(const sl_reset_replay *replay) {
    return replay->dropped;
}

bool sl_reset_replay_changeset(sl_reset_replay *r, const sl_changeset *cs, sl_changeset *out,
                               sl_status *st) {
    r->st = st;
    sl_reset_writer_init(&r->writer, out);
    for (uint32_t i = 0; i < cs->count; i++)
        if (!replay_instruction(r, cs, &cs->instructions[i])) return false;
    return overwrite_marked(r);
}
