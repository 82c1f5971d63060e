#include "net/system_env.h"

#include <limits.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
    struct timespec ts = {0, 0};
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t wall_ms(void *ctx) {
    (void)ctx;
    return read_clock(CLOCK_REALTIME);
}

static int64_t mono_ms(void *ctx) {
    (void)ctx;
    return read_clock(CLOCK_MONOTONIC);
}

static void fill_random(void *ctx, void *data, size_t size) {
    unsigned char *at = data;
    (void)ctx;
    while (size > 0) {
        int piece = size > INT_MAX ? INT_MAX : (int)size;
        /* Nothing an input can do makes this fail; going on with predictable bytes would be worse
         * than stopping. */
        if (RAND_bytes(at, piece) != 1) abort();
        at += piece;
        size -= (size_t)piece;
    }
}

const sl_env *sl_system_env(void) {
    static const sl_env env = {wall_ms, mono_ms, fill_random, NULL};
    return &env;
}
