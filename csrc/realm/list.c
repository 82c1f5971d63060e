#include "realm/list.h"

/* Elements lie in blocks of at most BLOCK nodes. Blocks are never given back while the list lives:
 * an empty one is recycled where a new one is needed. So a list that once held n elements can take
 * n elements again without memory, which is what makes undoing an erasure infallible. */
enum { BLOCK = 256, FIRST_BLOCK = 4 };

typedef struct sl_block {
    uint32_t count, capacity;
    sl_node nodes[];
} sl_block;

/* Invariants: count = sum of the blocks' counts; element `hint_start` is the first of block `hint`
 * (or where it would be, if that block is empty). */
struct sl_list {
    uint32_t count;
    uint32_t block_count, block_capacity, empty_count;
    uint32_t hint, hint_start;
    sl_block **blocks;
    sl_block *first[1]; /* `blocks` of a list with one block */
};

sl_list *sl_list_new(const sl_alloc *alloc) {
    sl_list *list = sl_new_zero(alloc, 1, sizeof *list);
    if (!list) return NULL;
    list->blocks = list->first;
    list->block_capacity = 1;
    return list;
}

void sl_list_free(const sl_alloc *alloc, sl_list *list) {
    if (!list) return;
    for (uint32_t b = 0; b < list->block_count; b++) {
        sl_block *block = list->blocks[b];
        for (uint32_t i = 0; i < block->count; i++)
            sl_node_clear(alloc, &block->nodes[i]);
        sl_delete(alloc, block);
    }
    if (list->blocks != list->first) sl_delete(alloc, list->blocks);
    sl_delete(alloc, list);
}

uint32_t sl_list_count(const sl_list *list) {
    return list ? list->count : 0;
}

/* The block that holds element `at` and its place there. For at == count: the end of the last
 * block. The list has a block. */
static uint32_t locate(const sl_list *list, uint32_t at, uint32_t *inside) {
    uint32_t b = list->hint, start = list->hint_start;
    if (at < start / 2) b = start = 0;
    while (at < start)
        start -= list->blocks[--b]->count;
    while (at - start >= list->blocks[b]->count && b + 1 < list->block_count)
        start += list->blocks[b++]->count;
    /* Only a memory of where the last access was; the list itself does not change. */
    sl_list *self = (sl_list *)list;
    self->hint = b;
    self->hint_start = start;
    *inside = at - start;
    return b;
}

sl_node *sl_list_at(const sl_list *list, uint32_t at) {
    uint32_t inside, b = locate(list, at, &inside);
    return &list->blocks[b]->nodes[inside];
}

static bool reserve_block(const sl_alloc *alloc, sl_list *list) {
    if (list->block_count < list->block_capacity) return true;
    uint32_t capacity = list->block_capacity * 2 + 2;
    sl_block **old = list->blocks == list->first ? NULL : list->blocks;
    sl_block **blocks = sl_resize(alloc, old, capacity * sizeof *blocks);
    if (!blocks) return false;
    if (!old) blocks[0] = list->first[0];
    list->blocks = blocks;
    list->block_capacity = capacity;
    return true;
}

static void move_hint_home(sl_list *list) {
    list->hint = list->hint_start = 0;
}

/* Takes an empty block out of the row, or makes a new one. NULL: no memory. */
static sl_block *fresh_block(const sl_alloc *alloc, sl_list *list, uint32_t capacity,
                             uint32_t *at) {
    if (list->empty_count) {
        uint32_t b = 0;
        while (list->blocks[b]->count)
            b++;
        sl_block *block = list->blocks[b];
        memmove(list->blocks + b, list->blocks + b + 1,
                (--list->block_count - b) * sizeof *list->blocks);
        list->empty_count--;
        if (b < *at) (*at)--;
        return block;
    }
    if (!reserve_block(alloc, list)) return NULL;
    sl_block *block = sl_new(alloc, sizeof *block + capacity * sizeof(sl_node));
    if (!block) return NULL;
    block->count = 0;
    block->capacity = capacity;
    return block;
}

/* Puts an empty block at place `b` of the row; a slot is free. */
static void place_block(sl_list *list, uint32_t b, sl_block *block) {
    memmove(list->blocks + b + 1, list->blocks + b, (list->block_count - b) * sizeof *list->blocks);
    list->blocks[b] = block;
    list->block_count++;
    list->empty_count++;
}

static void open_gap(sl_list *list, sl_block *block, uint32_t at, uint32_t size) {
    if (!block->count) list->empty_count--;
    memmove(block->nodes + at + size, block->nodes + at,
            (block->count - at) * sizeof *block->nodes);
    block->count += size;
}

static void close_gap(sl_list *list, sl_block *block, uint32_t at, uint32_t size) {
    block->count -= size;
    if (!block->count) list->empty_count++;
    memmove(block->nodes + at, block->nodes + at + size,
            (block->count - at) * sizeof *block->nodes);
}

/* Splits the full block *b so that *inside has room; appending at the end of the row starts a new
 * block instead, so that growing lists fill their blocks. */
static bool split(const sl_alloc *alloc, sl_list *list, uint32_t *b, uint32_t *inside) {
    sl_block *full = list->blocks[*b];
    bool append = *b + 1 == list->block_count && *inside == full->count;
    sl_block *next = fresh_block(alloc, list, BLOCK, b);
    if (!next) return false;
    place_block(list, *b + 1, next);
    uint32_t keep = append ? full->count : full->count / 2, moved = full->count - keep;
    if (moved > next->capacity) moved = next->capacity / 2, keep = full->count - moved;
    if (moved) {
        open_gap(list, next, 0, moved);
        memcpy(next->nodes, full->nodes + keep, moved * sizeof *next->nodes);
        close_gap(list, full, keep, moved);
    }
    if (*inside > keep || append) {
        *inside -= keep;
        ++*b;
    }
    return list->blocks[*b]->count < list->blocks[*b]->capacity;
}

/* Without memory: shifts one element from block to block towards the nearest one with room. */
static bool spill(sl_list *list, uint32_t *b, uint32_t *inside) {
    uint32_t d = *b;
    while (d < list->block_count && list->blocks[d]->count == list->blocks[d]->capacity)
        d++;
    if (d < list->block_count) {
        for (; d > *b; d--) {
            sl_block *from = list->blocks[d - 1];
            if (d - 1 == *b && *inside == from->count) { /* it goes to the front of the next one */
                *b = d;
                *inside = 0;
                return true;
            }
            open_gap(list, list->blocks[d], 0, 1);
            list->blocks[d]->nodes[0] = from->nodes[from->count - 1];
            close_gap(list, from, from->count - 1, 1);
        }
        return true;
    }
    d = *b;
    while (d > 0 && list->blocks[d]->count == list->blocks[d]->capacity)
        d--;
    if (list->blocks[d]->count == list->blocks[d]->capacity) return false;
    for (; d < *b; d++) {
        sl_block *to = list->blocks[d], *from = list->blocks[d + 1];
        if (d + 1 == *b && *inside == 0) {
            *b = d;
            *inside = to->count;
            return true;
        }
        open_gap(list, to, to->count, 1);
        to->nodes[to->count - 1] = from->nodes[0];
        close_gap(list, from, 0, 1);
    }
    --*inside;
    return true;
}

static bool widen(const sl_alloc *alloc, sl_list *list, uint32_t b) {
    sl_block *block = list->blocks[b];
    if (block->capacity >= BLOCK) return false;
    uint32_t capacity = block->capacity * 2;
    block = sl_resize(alloc, block, sizeof *block + capacity * sizeof(sl_node));
    if (!block) return false;
    block->capacity = capacity;
    list->blocks[b] = block;
    return true;
}

static bool make_room(const sl_alloc *alloc, sl_list *list, uint32_t *b, uint32_t *inside) {
    const sl_block *block = list->blocks[*b];
    if (block->count < block->capacity || widen(alloc, list, *b)) return true;
    move_hint_home(list);
    return split(alloc, list, b, inside) || spill(list, b, inside);
}

sl_node *sl_list_insert(const sl_alloc *alloc, sl_list *list, uint32_t at) {
    if (list->count == UINT32_MAX) return NULL;
    if (!list->block_count) {
        uint32_t none = 0;
        sl_block *block = fresh_block(alloc, list, FIRST_BLOCK, &none);
        if (!block) return NULL;
        place_block(list, 0, block);
    }
    uint32_t inside, b = locate(list, at, &inside);
    if (!make_room(alloc, list, &b, &inside)) return NULL;
    sl_block *block = list->blocks[b];
    open_gap(list, block, inside, 1);
    list->count++;
    memset(&block->nodes[inside], 0, sizeof block->nodes[inside]);
    return &block->nodes[inside];
}

void sl_list_take(const sl_alloc *alloc, sl_list *list, uint32_t at, sl_node *out) {
    (void)alloc;
    uint32_t inside, b = locate(list, at, &inside);
    sl_block *block = list->blocks[b];
    *out = block->nodes[inside];
    close_gap(list, block, inside, 1);
    list->count--;
}

void sl_list_erase(const sl_alloc *alloc, sl_list *list, uint32_t at) {
    sl_node node;
    sl_list_take(alloc, list, at, &node);
    sl_node_clear(alloc, &node);
}

bool sl_set_find(const sl_list *list, const sl_value *value, uint32_t *at) {
    uint32_t low = 0, high = sl_list_count(list);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = sl_value_cmp(&sl_list_at(list, middle)->value, value);
        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

bool sl_set_add(const sl_alloc *alloc, sl_node *set, const sl_value *value, bool *added) {
    uint32_t at;
    *added = false;
    if (sl_set_find(set->list, value, &at)) return true;
    sl_node copy = {0};
    if (!sl_node_set_value(alloc, &copy, value)) return false;
    if (!set->list) set->list = sl_list_new(alloc);
    sl_node *node = set->list ? sl_list_insert(alloc, set->list, at) : NULL;
    if (!node) {
        sl_node_clear(alloc, &copy);
        return false;
    }
    *node = copy;
    *added = true;
    return true;
}
