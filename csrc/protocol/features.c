#include "protocol/features.h"

static const struct {
    const char *word;
    unsigned bit;
} words[] = {
    {"transact", SL_FEATURE_TRANSACT}, {"state", SL_FEATURE_STATE}, {"alloc", SL_FEATURE_ALLOC}};

enum { WORDS = sizeof words / sizeof *words };

static unsigned bit_of(sl_str word) {
    for (size_t i = 0; i < WORDS; i++)
        if (sl_str_eq(word, sl_str_c(words[i].word))) return words[i].bit;
    return 0;
}

static bool separates(char c) {
    return c == ',' || c == ' ' || c == '\t';
}

unsigned sl_features_read(sl_str value) {
    unsigned features = 0;
    for (size_t at = 0; at < value.size;) {
        size_t end = at;
        while (end < value.size && !separates(value.data[end]))
            end++;
        features |= bit_of(sl_str_of(value.data + at, end - at));
        at = end + 1;
    }
    return features;
}

void sl_features_write(sl_buf *out, unsigned features) {
    bool any = false;
    for (size_t i = 0; i < WORDS; i++) {
        if (!(features & words[i].bit)) continue;
        if (any) sl_buf_text(out, ", ");
        sl_buf_text(out, words[i].word);
        any = true;
    }
}
