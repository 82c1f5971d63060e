#include "value/utf8.h"

/* Length of the sequence that `lead` starts and the range its second byte must lie in; 0: none. */
static unsigned sequence(unsigned lead, unsigned *low, unsigned *high) {
    *low = 0x80;
    *high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) return 2;
    if (lead >= 0xe0 && lead <= 0xef) {
        if (lead == 0xe0) *low = 0xa0;
        if (lead == 0xed) *high = 0x9f;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if (lead == 0xf0) *low = 0x90;
        if (lead == 0xf4) *high = 0x8f;
        return 4;
    }
    return 0;
}

bool sl_utf8_valid(sl_str s) {
    const unsigned char *p = (const unsigned char *)s.data, *end = p + s.size;
    while (p < end) {
        if (*p < 0x80) {
            p++;
            continue;
        }
        unsigned low, high, n = sequence(*p, &low, &high);
        if (n == 0 || (size_t)(end - p) < n || p[1] < low || p[1] > high) return false;
        for (unsigned i = 2; i < n; i++) {
            if ((p[i] & 0xc0) != 0x80) return false;
        }
        p += n;
    }
    return true;
}
