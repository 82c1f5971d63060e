#include "base/env.h"

static uint64_t draw(const sl_env *env) {
    uint64_t bits = 0;
    env->random(env->ctx, &bits, sizeof bits);
    return bits;
}

int64_t sl_env_salt(const sl_env *env) {
    for (;;) {
        uint64_t bits = draw(env) >> 1;
        if (bits != 0) return (int64_t)bits;
    }
}

uint64_t sl_env_below(const sl_env *env, uint64_t limit) {
    uint64_t unusable = (UINT64_MAX % limit + 1) % limit; /* values at the top that would bias */
    for (;;) {
        uint64_t bits = draw(env);
        if (bits <= UINT64_MAX - unusable) return bits % limit;
    }
}
