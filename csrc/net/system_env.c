#include "net/system_env.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

static void generate(unsigned char *at, size_t size) {
    while (size > 0) {
        int piece = size > INT_MAX ? INT_MAX : (int)size;
        /* Nothing an input can do makes this fail; going on with predictable bytes would be worse
         * than stopping. */
        if (RAND_bytes(at, piece) != 1) abort();
        at += piece;
        size -= (size_t)piece;
    }
}

/* Masks and salts are a few bytes each, and a call of the generator costs the same for 4 as for
 * 256. What was given out is wiped; a child process never goes on with its parent's bytes. */
static void fill_random(void *ctx, void *data, size_t size) {
    static _Thread_local struct {
        unsigned char bytes[256];
        size_t left;
        pid_t owner;
    } pool;
    (void)ctx;
    if (size > 16) {
        generate(data, size);
        return;
    }
    if (pool.left < size || pool.owner != getpid()) {
        generate(pool.bytes, sizeof pool.bytes);
        pool.left = sizeof pool.bytes;
        pool.owner = getpid();
    }
    pool.left -= size;
    memcpy(data, pool.bytes + pool.left, size);
    OPENSSL_cleanse(pool.bytes + pool.left, size);
}

const sl_env *sl_system_env(void) {
    static const sl_env env = {wall_ms, mono_ms, fill_random, NULL};
    return &env;
}
