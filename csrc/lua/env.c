#include "lua/env.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <time.h>

static int64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t wall_ms(void *ctx) {
    (void)ctx;
    return read_clock(CLOCK_REALTIME);
}

static int64_t mono_ms(void *ctx) {
    (void)ctx;
    return read_clock(CLOCK_MONOTONIC);
}

/* Without randomness there are no salts, and without salts no safety: nothing to go on with. */
static void random_bytes(void *ctx, void *data, size_t size) {
    (void)ctx;
    if (size > INT32_MAX || RAND_bytes(data, (int)size) != 1) abort();
}

const sl_env *sl_lua_env(void) {
    static const sl_env env = {wall_ms, mono_ms, random_bytes, NULL};
    return &env;
}
