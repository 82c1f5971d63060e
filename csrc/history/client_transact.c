#include "history/client_transact.h"

#include "history/client_history_private.h"
#include "protocol/message.h"

/* Numbers of keyless objects that the changeset names must not be given out again: the objects may
 * come into being on the server. */
static bool skip_numbers(sl_client_history *history, sl_status *st) {
    const sl_changeset *cs = &history->recorded;
    for (uint32_t i = 0; i < cs->count; i++) {
        const sl_instruction *in = &cs->instructions[i];
        if (in->op != SL_OP_CREATE_OBJECT || in->key.type != SL_TYPE_GLOBALKEY) continue;
        if (!sl_realm_skip_numbers(history->realm, cs->strings[in->class_name],
                                   in->key.global.lo + 1, st))
            return false;
    }
    return true;
}

static bool reserve_place(sl_client_history *history, sl_status *st) {
    uint64_t now = 0;
    if (!sl_client_history_now(history, &now, st) || !sl_client_history_begin_private(history, st))
        return false;
    sl_client_state state = history->state;
    sl_history_entry entry = {.peer_version = state.cursors.dl_sv, .origin_timestamp = now};
    if (!skip_numbers(history, st)) return sl_client_history_abandon(history);
    return sl_client_history_finish(history, &state, &entry, false, st);
}

static bool changes_schema(const sl_changeset *cs) {
    for (uint32_t i = 0; i < cs->count; i++) {
        uint8_t op = cs->instructions[i].op;
        if (op == SL_OP_ADD_TABLE || op == SL_OP_ERASE_TABLE || op == SL_OP_ADD_COLUMN ||
            op == SL_OP_ERASE_COLUMN)
            return true;
    }
    return false;
}

static bool check(const sl_client_history *history, sl_status *st) {
    if (!history->writing)
        return sl_fail(st, SL_ERR_USAGE, "", "no write is open; realm:write opens one");
    if (history->state.ident == 0)
        return sl_fail(st, SL_ERR_USAGE, "",
                       "the server has given this file no ident yet; wait for the first connection "
                       "before a serialized transaction");
    if (history->author != 0)
        return sl_fail(st, SL_ERR_USAGE, "",
                       "a serialized transaction is made by the file itself, for nobody else");
    if (changes_schema(&history->recorded))
        return sl_fail(st, SL_ERR_USAGE, "",
                       "a serialized transaction cannot change the schema; change it in a write of "
                       "its own");
    return true;
}

bool sl_client_history_withdraw(sl_client_history *history, sl_buf *changeset, sl_client_base *base,
                                sl_status *st) {
    sl_buf_clear(changeset);
    bool ok = check(history, st);
    bool empty = history->recorded.count == 0;
    ok = ok &&
         (empty || sl_changeset_encode(&history->recorded, SL_ENCODE_AS_PARSED, changeset, st));
    if (ok && changeset->failed) ok = sl_fail_memory(st);
    uint64_t limit = history->max_message ? history->max_message : SL_MAX_CLIENT_MESSAGE;
    if (ok && changeset->size + SL_MAX_HEAD > limit)
        ok = sl_fail(
            st, SL_ERR_SESSION, "too_big",
            "the transaction is too large: %zu bytes, where a serialized one may have %llu; "
            "nothing was done, write it in smaller pieces",
            changeset->size, (unsigned long long)(limit - SL_MAX_HEAD));
    sl_client_history_rollback(history);
    if (ok && !empty) ok = reserve_place(history, st);
    if (!ok) sl_buf_clear(changeset);
    *base = (sl_client_base){history->state.version, history->state.cursors.dl_sv};
    return ok;
}
