/* env.h - what the core may not reach for by itself: time and chance. */
#ifndef SL_BASE_ENV_H
#define SL_BASE_ENV_H

#include <stddef.h>
#include <stdint.h>

/* Both clocks in milliseconds. `wall_ms`: since 1970-01-01Z, may jump in both directions.
 * `mono_ms`: since any point, never decreases. `random`: fills `size` bytes from a
 * cryptographically secure source (a seeded generator in a simulation). None of them fails. */
typedef struct sl_env {
    int64_t (*wall_ms)(void *ctx);
    int64_t (*mono_ms)(void *ctx);
    void (*random)(void *ctx, void *data, size_t size);
    void *ctx;
} sl_env;

/* Milliseconds from the Unix epoch to 2015-01-01Z, where origin timestamps start
 * (protocol/4-history-and-sessions.md, 1.4). */
#define SL_SYNC_EPOCH_MS INT64_C(1420070400000)

/* Uniform in 1 .. 2^63-1: a salt. */
int64_t sl_env_salt(const sl_env *env);
/* Uniform in 0 .. limit-1 (limit > 0), without modulo bias. */
uint64_t sl_env_below(const sl_env *env, uint64_t limit);

#endif
