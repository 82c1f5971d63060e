#include "base/nearest.h"

enum { LONGEST = 63 };

static char folded(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '-' ? '_' : c;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Letters inserted, left out, replaced, or two neighbours swapped. Both have LONGEST bytes at most.
 */
static uint32_t distance_of(sl_str a, sl_str b) {
    uint32_t rows[3][LONGEST + 1];
    uint32_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (uint32_t j = 0; j <= b.size; j++)
        last[j] = j;
    for (uint32_t i = 1; i <= a.size; i++) {
        row[0] = i;
        for (uint32_t j = 1; j <= b.size; j++) {
            bool same = folded(a.data[i - 1]) == folded(b.data[j - 1]);
            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + !same);
            if (i > 1 && j > 1 && folded(a.data[i - 1]) == folded(b.data[j - 2]) &&
                folded(a.data[i - 2]) == folded(b.data[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        uint32_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b.size];
}

void sl_nearest_try(sl_nearest *nearest, sl_str candidate) {
    sl_str wanted = nearest->wanted;
    if (wanted.size == 0 || wanted.size > LONGEST || candidate.size > LONGEST) return;
    uint32_t distance = distance_of(wanted, candidate);
    /* One mistake in three letters is a slip, more is another word. */
    if (distance > (wanted.size + 2) / 3 || distance >= candidate.size) return;
    if (nearest->best.size && nearest->distance <= distance) return;
    nearest->best = candidate;
    nearest->distance = distance;
}
