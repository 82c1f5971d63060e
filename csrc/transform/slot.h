/* slot.h - the arithmetic of list positions: one function per pair of list instructions.
 * Source: protocol/3-transform.md, 5 (F13-F15, F18-F23). Shared by the rules, which see one pair,
 * and by runs, which see long rows of pairs. All arithmetic is unsigned and wraps (section 8). */
#ifndef SL_TRANSFORM_SLOT_H
#define SL_TRANSFORM_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "transform/quirks.h"

/* Position, size of the list before the instruction, destination of a move. */
typedef struct sl_slot {
    uint32_t i, n, t;
} sl_slot;

/* SL_SLOT_DROP_* are those of merge.h; from SL_SLOT_V1 on the id of a failed check. */
enum {
    SL_SLOT_DROP_X = 1,
    SL_SLOT_DROP_Y = 2,
    SL_SLOT_V1 = 8, /* prior sizes differ */
    SL_SLOT_V2,     /* insertion index above the size */
    SL_SLOT_V3,     /* updated index not below the size */
    SL_SLOT_V4,     /* erased index not below the size */
    SL_SLOT_V5,     /* moved index not below the size */
    SL_SLOT_V6      /* destination not below the size */
};

/* Where the element at `at` ends up when the element at `from` moves to `to`: the mu of F14. */
static inline uint32_t sl_slot_moved(uint32_t at, uint32_t from, uint32_t to) {
    if (at == from) return to;
    uint32_t hole = at - (at > from);
    return hole + (hole >= to);
}

/* F13: u updates, s inserts. */
static inline unsigned sl_slot_update_insert(sl_slot *u, sl_slot *s) {
    if (s->n != u->n) return SL_SLOT_V1;
    if (s->i > s->n) return SL_SLOT_V2;
    if (u->i >= u->n) return SL_SLOT_V3;
    u->n += 1;
    u->i += u->i >= s->i;
    return 0;
}

/* F14: u updates, m moves. */
static inline unsigned sl_slot_update_move(sl_slot *u, sl_slot *m) {
    if (m->i >= m->n) return SL_SLOT_V5;
    if (u->i >= u->n) return SL_SLOT_V3;
    u->i = sl_slot_moved(u->i, m->i, m->t);
    return 0;
}

/* F15: u updates, e erases. */
static inline unsigned sl_slot_update_erase(sl_slot *u, sl_slot *e) {
    if (e->n != u->n) return SL_SLOT_V1;
    if (e->i >= e->n) return SL_SLOT_V4;
    if (u->i >= u->n) return SL_SLOT_V3;
    u->n -= 1;
    if (u->i == e->i) return SL_SLOT_DROP_X;
    u->i -= u->i > e->i;
    return 0;
}

/* F18: both insert; the younger goes behind. */
static inline unsigned sl_slot_insert_insert(sl_slot *a, sl_slot *b, bool a_older) {
    if (a->n != b->n) return SL_SLOT_V1;
    a->n += 1;
    b->n += 1;
    bool b_shifts = a->i < b->i || (a->i == b->i && a_older);
    b->i += b_shifts;
    a->i += !b_shifts;
    return 0;
}

/* F19: s inserts, m moves. No checks at all. */
static inline unsigned sl_slot_insert_move(sl_slot *s, sl_slot *m, bool move_older) {
    m->n += 1;
    if (s->i > m->i)
        s->i -= 1;
    else
        m->i += 1;
    bool move_shifts = s->i < m->t || (s->i == m->t && sl_quirk_move_shifts(move_older));
    m->t += move_shifts;
    s->i += !move_shifts;
    return 0;
}

/* F20: s inserts, e erases. */
static inline unsigned sl_slot_insert_erase(sl_slot *s, sl_slot *e) {
    if (e->n != s->n) return SL_SLOT_V1;
    if (e->i >= e->n) return SL_SLOT_V4;
    if (s->i > s->n) return SL_SLOT_V2;
    e->n += 1;
    s->n -= 1;
    bool erase_shifts = s->i <= e->i;
    e->i += erase_shifts;
    s->i -= !erase_shifts;
    return 0;
}

/* F21 for one element moved twice: the younger move starts where the older one ended. */
static inline unsigned sl_slot_move_same(sl_slot *a, sl_slot *b, bool a_older) {
    sl_slot *older = a_older ? a : b, *younger = a_older ? b : a;
    younger->i = older->t;
    unsigned verdict = a_older ? SL_SLOT_DROP_X : SL_SLOT_DROP_Y;
    if (younger->i == younger->t) verdict = SL_SLOT_DROP_X | SL_SLOT_DROP_Y;
    return verdict;
}

/* F21: both move. */
static inline unsigned sl_slot_move_move(sl_slot *a, sl_slot *b, bool a_older) {
    if (a->n != b->n) return SL_SLOT_V1;
    if (a->i >= a->n || b->i >= b->n) return SL_SLOT_V5;
    if (a->t >= a->n || b->t >= b->n) return SL_SLOT_V6;
    if (a->i == b->i) return sl_slot_move_same(a, b, a_older);
    if (a->i < b->i)
        b->i -= 1;
    else
        a->i -= 1;
    if (a->t > b->i)
        a->t -= 1;
    else
        b->i += 1;
    if (a->i < b->t)
        b->t -= 1;
    else
        a->i += 1;
    bool b_shifts = a->t < b->t || (a->t == b->t && a_older);
    b->t += b_shifts;
    a->t += !b_shifts;
    return (a->i == a->t ? SL_SLOT_DROP_X : 0u) | (b->i == b->t ? SL_SLOT_DROP_Y : 0u);
}

/* F22: m moves, e erases. */
static inline unsigned sl_slot_move_erase(sl_slot *m, sl_slot *e) {
    if (e->n != m->n) return SL_SLOT_V1;
    if (e->i >= e->n) return SL_SLOT_V4;
    if (m->i >= m->n) return SL_SLOT_V5;
    m->n -= 1;
    if (e->i == m->i) {
        e->i = m->t;
        return SL_SLOT_DROP_X;
    }
    if (e->i > m->i)
        e->i -= 1;
    else
        m->i -= 1;
    if (e->i >= m->t)
        e->i += 1;
    else
        m->t -= 1;
    return m->i == m->t ? SL_SLOT_DROP_X : 0u;
}

/* F23: both erase. */
static inline unsigned sl_slot_erase_erase(sl_slot *a, sl_slot *b) {
    if (a->n != b->n) return SL_SLOT_V1;
    if (a->i >= a->n || b->i >= b->n) return SL_SLOT_V4;
    a->n -= 1;
    b->n -= 1;
    if (a->i == b->i) return SL_SLOT_DROP_X | SL_SLOT_DROP_Y;
    bool a_shifts = a->i > b->i;
    a->i -= a_shifts;
    b->i -= !a_shifts;
    return 0;
}

#endif
