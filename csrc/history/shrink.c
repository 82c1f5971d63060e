#include "history/shrink.h"
#include "base/strmap.h"

enum { NO_NODE = UINT32_MAX, FIRST_NODES = 256 };

/* What is known about later instructions at a place. */
typedef enum effect {
    EFFECT_NONE,
    EFFECT_UPDATE,
    EFFECT_DEFAULT, /* an Update that is marked as default */
    EFFECT_CLEAR,
    EFFECT_ERASE /* of an object */
} effect;

/* An object, a property of it, or a place inside that. `age` is part of the identity of everything
 * inside: raising it forgets all of that at once. */
typedef struct node {
    uint32_t age;
    uint8_t effect, collection;
    bool referred; /* object: something that stays links to it */
    uint64_t timestamp, file;
    /* The increment that earlier ones are added to: instruction `index` of entry `version`. */
    bool sums;
    uint64_t version;
    uint32_t index;
    /* In which pieces the increment was seen, its sum was begun and the object was erased; the two
     * latter with their places in the list of sums and in the piece. */
    uint32_t seen_in, summed_in, erased_in;
    uint32_t sum, erased_entry, erased_at;
} node;

/* The piece at hand. */
typedef struct piece {
    sl_shrink_entry *entries;
    size_t count;
    uint32_t *first; /* by entry: its first instruction among those of the piece */
    uint8_t *drop;   /* by instruction of the piece */
    uint32_t *kept;  /* likewise: instructions dropped before it, in its entry */
} piece;

struct sl_shrink {
    const sl_alloc *alloc;
    size_t memory;
    sl_arena arena; /* names of nodes */
    size_t named;   /* bytes of them */
    sl_strmap map;  /* name -> index */
    node *nodes;
    uint32_t count, capacity;
    uint32_t piece;    /* number of the piece at hand, from 1 */
    uint32_t *touched; /* nodes with increments in it */
    uint32_t touched_count, touched_capacity;
    bool forgetful; /* what refers to an object may have been forgotten */
    sl_shrink_sum *sums;
    size_t sum_count, sum_capacity;
    sl_buf name;
};

/* The instruction at hand. */
typedef struct look {
    sl_shrink *s;
    piece *piece;
    uint32_t entry, index; /* in the piece, in the entry */
    const sl_changeset *cs;
    const sl_instruction *in;
    uint64_t timestamp, file;
    uint32_t object;
    uint32_t *trail; /* property, then one node for each step but the last */
    bool failed;
} look;

sl_shrink *sl_shrink_new(const sl_alloc *alloc, size_t memory) {
    sl_shrink *s = sl_new_zero(alloc, 1, sizeof *s);
    if (!s) return NULL;
    s->alloc = alloc;
    s->memory = memory;
    sl_arena_init(&s->arena, alloc);
    sl_strmap_init(&s->map, alloc);
    sl_buf_init(&s->name, alloc);
    return s;
}

void sl_shrink_free(sl_shrink *s) {
    if (!s) return;
    sl_arena_free(&s->arena);
    sl_strmap_free(&s->map);
    sl_buf_free(&s->name);
    sl_delete(s->alloc, s->nodes);
    sl_delete(s->alloc, s->touched);
    sl_delete(s->alloc, s->sums);
    sl_delete(s->alloc, s);
}

const sl_shrink_sum *sl_shrink_sums(const sl_shrink *s, size_t *count) {
    *count = s->sum_count;
    return s->sums;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void forget(sl_shrink *s) {
    sl_arena_reset(&s->arena);
    sl_strmap_clear(&s->map);
    s->count = 0;
    s->named = 0;
    s->touched_count = 0;
    s->forgetful = true;
}

static bool full(const sl_shrink *s) {
    return s->named + (size_t)s->count * (sizeof(node) + 32) > s->memory;
}

static bool nodes_room(sl_shrink *s) {
    if (s->count < s->capacity) return true;
    uint32_t capacity = s->capacity ? s->capacity * 2 : FIRST_NODES;
    node *grown = sl_resize(s->alloc, s->nodes, capacity * sizeof *grown);
    if (!grown) return false;
    s->nodes = grown;
    s->capacity = capacity;
    return true;
}

/* The node named by s->name, made if there is none. NO_NODE without memory. */
static uint32_t named_node(look *l) {
    sl_shrink *s = l->s;
    uint32_t at = NO_NODE;
    sl_str name = sl_str_of(s->name.data, s->name.size);
    bool added = false;
    if (s->name.failed || !nodes_room(s)) goto none;
    if (sl_strmap_get(&s->map, name, &at)) return at;
    name = sl_arena_str(&s->arena, name);
    at = s->count;
    if (!name.data || !sl_strmap_put(&s->map, name, &at, &added)) goto none;
    s->nodes[s->count++] = (node){0};
    s->named += name.size;
    return at;
none:
    l->failed = true;
    return NO_NODE;
}

static void name_number(sl_buf *name, uint64_t number) {
    sl_buf_add(name, &number, sizeof number);
}

static void name_key(sl_buf *name, const sl_key *key) {
    sl_buf_byte(name, (uint8_t)key->type);
    switch (key->type) {
    case SL_TYPE_INT:
        name_number(name, (uint64_t)key->integer);
        break;
    case SL_TYPE_STRING:
        sl_buf_str(name, key->string);
        break;
    case SL_TYPE_OBJECTID:
        sl_buf_add(name, key->objectid, sizeof key->objectid);
        break;
    case SL_TYPE_UUID:
        sl_buf_add(name, key->uuid, sizeof key->uuid);
        break;
    case SL_TYPE_GLOBALKEY:
        name_number(name, key->global.hi);
        name_number(name, key->global.lo);
        break;
    default:
        break;
    }
}

static uint32_t object_node(look *l, sl_str class_name, const sl_key *key) {
    sl_buf *name = &l->s->name;
    sl_buf_clear(name);
    sl_buf_byte(name, 'o');
    name_number(name, class_name.size);
    sl_buf_str(name, class_name);
    name_key(name, key);
    return named_node(l);
}

/* What is `inside` of the node `of`: a property or a dictionary key, or an element of a list. */
static uint32_t inner_node(look *l, uint32_t of, const sl_str *named, uint32_t index) {
    sl_buf *name = &l->s->name;
    sl_buf_clear(name);
    sl_buf_byte(name, named ? 'n' : 'i');
    name_number(name, (uint64_t)of << 32 | l->s->nodes[of].age);
    if (named)
        sl_buf_str(name, *named);
    else
        name_number(name, index);
    return named_node(l);
}

static uint32_t step_node(look *l, uint32_t of, const sl_path_elem *step) {
    if (step->is_index) return inner_node(l, of, NULL, step->number);
    sl_str named = sl_changeset_string(l->cs, step->number);
    return inner_node(l, of, &named, 0);
}

/* ---- helpers of the rules -------------------------------------------------------------------- */

static node *at(look *l, uint32_t index) {
    return &l->s->nodes[index];
}

static void drop(look *l) {
    l->piece->drop[l->piece->first[l->entry] + l->index] = 1;
}

/* Not younger than what `n` remembers. */
static bool not_younger(const look *l, const node *n) {
    return l->timestamp != n->timestamp ? l->timestamp < n->timestamp : l->file <= n->file;
}

static void remember(look *l, node *n, effect e) {
    n->effect = (uint8_t)e;
    n->timestamp = l->timestamp;
    n->file = l->file;
    n->sums = false;
}

static bool kills_inside(const node *n) {
    return n->effect == EFFECT_UPDATE || n->effect == EFFECT_CLEAR;
}

/* What stays needs everything it is in as it is. */
static void keep_trail(look *l) {
    for (uint32_t i = 0; i < l->in->path_size; i++) {
        node *n = at(l, l->trail[i]);
        n->effect = EFFECT_NONE;
        n->sums = false;
    }
}

/* Only objects without primary key can do without their creation, and nobody else can make them. */
static void refer(look *l) {
    const sl_value *v = &l->in->value;
    if (v->type != SL_TYPE_LINK || v->link->key.type != SL_TYPE_GLOBALKEY) return;
    uint32_t target = object_node(l, v->link->class_name, &v->link->key);
    if (target != NO_NODE) at(l, target)->referred = true;
}

/* ---- objects --------------------------------------------------------------------------------- */

static void see_create(look *l) {
    node *object = at(l, l->object);
    if (object->effect != EFFECT_ERASE) return;
    if (l->in->key.type != SL_TYPE_GLOBALKEY) {
        drop(l);
        return;
    }
    if (object->referred || l->s->forgetful) return;
    drop(l);
    if (object->erased_in == l->s->piece)
        l->piece->drop[l->piece->first[object->erased_entry] + object->erased_at] = 1;
}

static void see_erase(look *l) {
    node *object = at(l, l->object);
    if (object->effect == EFFECT_ERASE && not_younger(l, object)) {
        drop(l);
        return;
    }
    bool another = object->effect == EFFECT_ERASE;
    remember(l, object, EFFECT_ERASE);
    object->erased_in = another ? 0 : l->s->piece;
    object->erased_entry = l->entry;
    object->erased_at = l->index;
}

/* ---- places ---------------------------------------------------------------------------------- */

/* A value that is there afterwards whatever was there before. */
static bool overwrites(const sl_value *v) {
    return v->type >= SL_TYPE_NULL || v->type == SL_TYPE_ERASED;
}

static bool update_is_void(const look *l, const node *n) {
    /* Of an object and anything else at one place the object yields, whatever its age. */
    if (n->effect == EFFECT_UPDATE) return l->in->value.type == SL_TYPE_OBJECT || not_younger(l, n);
    return n->effect == EFFECT_DEFAULT && l->in->is_default && not_younger(l, n);
}

static void see_update(look *l, uint32_t place) {
    const sl_instruction *in = l->in;
    node *n = at(l, place);
    if (update_is_void(l, n)) {
        drop(l);
        return;
    }
    keep_trail(l);
    n->age++;
    n->sums = false;
    if (overwrites(&in->value)) {
        remember(l, n, in->is_default ? EFFECT_DEFAULT : EFFECT_UPDATE);
    } else if (n->effect == EFFECT_CLEAR && !in->is_default &&
               (in->value.type == SL_TYPE_LIST || in->value.type == SL_TYPE_DICTIONARY)) {
        /* With the Clear that follows it leaves an empty collection, whatever was there before. */
        remember(l, n, EFFECT_UPDATE);
    } else {
        n->effect = EFFECT_NONE;
    }
    refer(l);
}

static bool sums_room(sl_shrink *s) {
    if (s->sum_count < s->sum_capacity) return true;
    size_t capacity = s->sum_capacity ? s->sum_capacity * 2 : 16;
    void *grown = sl_resize(s->alloc, s->sums, capacity * sizeof *s->sums);
    if (!grown) return false;
    s->sums = grown;
    s->sum_capacity = capacity;
    return true;
}

/* The position of an entry in the piece, or `count`. */
static size_t find_entry(const piece *p, uint64_t version) {
    if (p->count == 0 || version > p->entries[p->count - 1].version) return p->count;
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->entries[middle].version < version)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add(int64_t *sum, int64_t delta) {
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)delta);
}

static bool add_up(look *l, node *n) {
    sl_shrink *s = l->s;
    size_t entry = find_entry(l->piece, n->version);
    int64_t delta = l->in->value.integer;
    if (entry < l->piece->count) {
        add(&l->piece->entries[entry].changeset->instructions[n->index].value.integer, delta);
        l->piece->entries[entry].changed = true;
        return true;
    }
    if (n->summed_in == s->piece) {
        add(&s->sums[n->sum].delta, delta);
        return true;
    }
    if (!sums_room(s)) return false;
    n->summed_in = s->piece;
    n->sum = (uint32_t)s->sum_count;
    s->sums[s->sum_count++] = (sl_shrink_sum){n->version, n->index, delta};
    return true;
}

static bool touch(sl_shrink *s, uint32_t place) {
    if (s->touched_count == s->touched_capacity) {
        uint32_t capacity = s->touched_capacity ? s->touched_capacity * 2 : 64;
        uint32_t *grown = sl_resize(s->alloc, s->touched, capacity * sizeof *grown);
        if (!grown) return false;
        s->touched = grown;
        s->touched_capacity = capacity;
    }
    s->touched[s->touched_count++] = place;
    return true;
}

static void see_increment(look *l, uint32_t place) {
    node *n = at(l, place);
    if (n->effect == EFFECT_UPDATE && not_younger(l, n)) {
        drop(l);
        return;
    }
    if (n->sums) {
        if (!add_up(l, n))
            l->failed = true;
        else
            drop(l);
        return;
    }
    keep_trail(l);
    if (!touch(l->s, place)) {
        l->failed = true;
        return;
    }
    n->effect = EFFECT_NONE;
    n->sums = true;
    n->seen_in = l->s->piece;
    n->version = l->piece->entries[l->entry].version;
    n->index = l->index;
}

static void see_clear(look *l, uint32_t place) {
    node *n = at(l, place);
    bool same = n->effect == EFFECT_UPDATE ||
                (n->effect == EFFECT_CLEAR && n->collection == l->in->collection);
    if (same && not_younger(l, n)) {
        drop(l);
        return;
    }
    keep_trail(l);
    n->age++;
    remember(l, n, EFFECT_CLEAR);
    n->collection = l->in->collection;
}

/* Changes of the shape of a list move everything inside it. */
static void see_list(look *l) {
    node *list = at(l, l->trail[l->in->path_size - 1]);
    keep_trail(l);
    list->age++;
    refer(l);
}

static void see_set(look *l, uint32_t place) {
    node *n = at(l, place);
    if (n->effect == EFFECT_CLEAR) {
        drop(l);
        return;
    }
    keep_trail(l);
    n->effect = EFFECT_NONE;
    refer(l);
}

static void see_place(look *l, uint32_t place) {
    switch (l->in->op) {
    case SL_OP_UPDATE:
        see_update(l, place);
        break;
    case SL_OP_ADD_INTEGER:
        see_increment(l, place);
        break;
    case SL_OP_CLEAR:
        see_clear(l, place);
        break;
    case SL_OP_ARRAY_INSERT:
    case SL_OP_ARRAY_MOVE:
    case SL_OP_ARRAY_ERASE:
        see_list(l);
        break;
    default:
        see_set(l, place);
    }
}

static void see_path(look *l) {
    const sl_instruction *in = l->in;
    uint32_t trail[SL_MAX_PATH + 1];
    if (at(l, l->object)->effect == EFFECT_ERASE) {
        drop(l);
        return;
    }
    l->trail = trail;
    sl_str field = sl_changeset_string(l->cs, in->field);
    trail[0] = inner_node(l, l->object, &field, 0);
    for (uint32_t i = 0; !l->failed && i < in->path_size; i++) {
        if (kills_inside(at(l, trail[i]))) {
            drop(l);
            return;
        }
        trail[i + 1] = step_node(l, trail[i], &in->path[i]);
    }
    if (!l->failed) see_place(l, trail[in->path_size]);
}

static void see(look *l) {
    const sl_instruction *in = l->in;
    if (in->op == SL_OP_ERASE_TABLE || in->op == SL_OP_ERASE_COLUMN || full(l->s)) forget(l->s);
    if (in->op < SL_OP_CREATE_OBJECT || in->op == SL_OP_ADD_COLUMN || in->op == SL_OP_ERASE_COLUMN)
        return;
    l->object = object_node(l, sl_changeset_string(l->cs, in->class_name), &in->key);
    if (l->failed) return;
    if (in->op == SL_OP_CREATE_OBJECT)
        see_create(l);
    else if (in->op == SL_OP_ERASE_OBJECT)
        see_erase(l);
    else
        see_path(l);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static bool see_entry(sl_shrink *s, piece *p, uint32_t entry) {
    const sl_shrink_entry *e = &p->entries[entry];
    look l = {.s = s,
              .piece = p,
              .entry = entry,
              .cs = e->changeset,
              .timestamp = e->timestamp,
              .file = e->file};
    for (uint32_t i = e->changeset->count; i-- > 0 && !l.failed;) {
        l.index = i;
        l.in = &e->changeset->instructions[i];
        see(&l);
    }
    return !l.failed;
}

static void remove_dropped(piece *p, size_t at_entry) {
    sl_shrink_entry *entry = &p->entries[at_entry];
    sl_changeset *cs = entry->changeset;
    uint32_t kept = 0, first = p->first[at_entry];
    for (uint32_t i = 0; i < cs->count; i++) {
        p->kept[first + i] = kept;
        if (!p->drop[first + i]) cs->instructions[kept++] = cs->instructions[i];
    }
    if (kept != cs->count) entry->changed = true;
    cs->count = kept;
}

/* From now on the piece is known by what is left of it. */
static void settle_sums(sl_shrink *s, const piece *p) {
    for (uint32_t i = 0; i < s->touched_count; i++) {
        node *n = &s->nodes[s->touched[i]];
        if (n->seen_in != s->piece) continue;
        n->index = p->kept[p->first[find_entry(p, n->version)] + n->index];
        n->seen_in = 0;
    }
    s->touched_count = 0;
}

static void piece_close(sl_shrink *s, piece *p) {
    sl_delete(s->alloc, p->first);
    sl_delete(s->alloc, p->drop);
    sl_delete(s->alloc, p->kept);
}

static bool piece_open(sl_shrink *s, piece *p) {
    size_t instructions = 0;
    p->first = sl_new_zero(s->alloc, p->count + 1, sizeof *p->first);
    if (!p->first) return false;
    for (size_t i = 0; i < p->count; i++) {
        p->first[i] = (uint32_t)instructions;
        instructions += p->entries[i].changeset->count;
        p->entries[i].changed = false;
    }
    p->drop = sl_new_zero(s->alloc, instructions + 1, 1);
    p->kept = sl_new_zero(s->alloc, instructions + 1, sizeof *p->kept);
    return instructions < UINT32_MAX && p->drop && p->kept;
}

bool sl_shrink_piece(sl_shrink *s, sl_shrink_entry *entries, size_t count, sl_status *st) {
    piece p = {.entries = entries, .count = count};
    s->sum_count = 0;
    s->touched_count = 0;
    s->piece++;
    bool ok = piece_open(s, &p);
    for (size_t i = count; ok && i-- > 0;)
        ok = see_entry(s, &p, (uint32_t)i);
    for (size_t i = 0; ok && i < count; i++)
        remove_dropped(&p, i);
    if (ok) settle_sums(s, &p);
    piece_close(s, &p);
    return ok || sl_fail_memory(st);
}
