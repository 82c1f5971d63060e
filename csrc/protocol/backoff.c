#include "protocol/backoff.h"

void sl_backoff_init(sl_backoff *backoff) {
    *backoff = (sl_backoff){0, -1, SL_BACKOFF_DEFAULT};
}

static int64_t at_least_one(int64_t value) {
    return value < 1 ? 1 : value;
}

void sl_backoff_note(sl_backoff *backoff, int reason, const sl_backoff_rule *rule) {
    if (backoff->reason == reason && backoff->current_ms >= 0) return;
    sl_backoff_rule r = rule ? *rule : SL_BACKOFF_DEFAULT;
    backoff->reason = reason;
    backoff->current_ms = -1;
    backoff->rule = (sl_backoff_rule){at_least_one(r.first_ms), at_least_one(r.max_ms),
                                      at_least_one(r.factor), r.jitter < 0 ? 0 : r.jitter};
    if (backoff->rule.first_ms > backoff->rule.max_ms)
        backoff->rule.first_ms = backoff->rule.max_ms;
}

static int64_t grown(const sl_backoff *backoff) {
    const sl_backoff_rule *rule = &backoff->rule;
    if (backoff->current_ms < 0) return rule->first_ms;
    if (backoff->current_ms > rule->max_ms / rule->factor) return rule->max_ms;
    return backoff->current_ms * rule->factor;
}

int64_t sl_backoff_next(sl_backoff *backoff, const sl_env *env) {
    int64_t delay = backoff->current_ms = grown(backoff);
    if (backoff->rule.jitter < 1) return delay;
    uint64_t share = (uint64_t)(delay / backoff->rule.jitter);
    return delay - (int64_t)sl_env_below(env, share + 1);
}

void sl_backoff_reset(sl_backoff *backoff) {
    sl_backoff_init(backoff);
}
