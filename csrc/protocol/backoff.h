/* backoff.h - how long to wait before the next attempt. Source: protocol/1-wire.md, 8.2 and 8.3. */
#ifndef SL_PROTOCOL_BACKOFF_H
#define SL_PROTOCOL_BACKOFF_H

#include "base/env.h"
#include "protocol/message.h"

/* Growth of a delay. */
typedef struct sl_backoff_rule {
    int64_t first_ms, max_ms;
    int64_t factor;
    int64_t jitter; /* up to 1/jitter is taken off; 0 = none */
} sl_backoff_rule;

/* 1 s, 5 min, doubling, up to a quarter off. */
#define SL_BACKOFF_DEFAULT ((sl_backoff_rule){1000, 300000, 2, 4})
/* A delay that never ends. */
#define SL_BACKOFF_NEVER INT64_MAX

/* `reason` is any number that names why (sl_end_reason, or a session error number); current_ms is
 * -1 while no delay of this reason has been given. */
typedef struct sl_backoff {
    int reason;
    int64_t current_ms;
    sl_backoff_rule rule;
} sl_backoff;

void sl_backoff_init(sl_backoff *backoff);
/* Something failed for `reason`. A reason other than the last one starts the growth afresh with
 * `rule` (borrowed; NULL = SL_BACKOFF_DEFAULT; values below 1 are raised to 1). */
void sl_backoff_note(sl_backoff *backoff, int reason, const sl_backoff_rule *rule);
/* The next delay in ms, growing with every call. `env` borrowed (for chance). */
int64_t sl_backoff_next(sl_backoff *backoff, const sl_env *env);
/* Forgets everything: after the first PONG, or on a wish to reconnect now. */
void sl_backoff_reset(sl_backoff *backoff);

#endif
