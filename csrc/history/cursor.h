/* cursor.h - a place in one history together with what was known of the other one.
 * Source: protocol/4-history-and-sessions.md, section 2. */
#ifndef SL_HISTORY_CURSOR_H
#define SL_HISTORY_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

/* Download cursor: `own` = server version, `other` = last client version integrated there.
 * Upload cursor: `own` = client version, `other` = last server version integrated there. */
typedef struct sl_cursor {
    uint64_t own, other;
} sl_cursor;

/* Rule 1 of 2.2: at the beginning nothing of the other side is known. */
static inline bool sl_cursor_consistent(sl_cursor c) {
    return c.own != 0 || c.other == 0;
}

/* Rule 2 of 2.2: two cursors of one history do not contradict each other. */
static inline bool sl_cursor_agrees(sl_cursor x, sl_cursor y) {
    if (x.own < y.own) return x.other <= y.other;
    if (x.own > y.own) return x.other >= y.other;
    return x.other == y.other;
}

#endif
