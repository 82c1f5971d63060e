/* How errors are told to a peer (protocol/1-wire.md, section 7). */
#include "protocol/json_error.h"
#include "session/server_private.h"

/* Texts may quote what a client sent, and JSON wants UTF-8. */
static void copy_text(char *to, size_t size, const char *from) {
    size_t i = 0;
    for (; from[i] && i + 1 < size; i++)
        to[i] = (uint8_t)from[i] < 0x80 ? from[i] : '?';
    to[i] = 0;
}

void sl_pending_error_set(sl_pending_error *error, int code, int version, const char *text,
                          int *close_code) {
    sl_error_form form = sl_error_form_for(code, version);
    *close_code = form.form == SL_FORM_CLOSE ? form.close_code : 0;
    error->code = form.code;
    error->try_again = form.try_again;
    error->action = form.action;
    copy_text(error->text, sizeof(error->text), text);
}

static bool resets(sl_action action) {
    return action == SL_ACTION_CLIENT_RESET || action == SL_ACTION_CLIENT_RESET_NO_RECOVERY ||
           action == SL_ACTION_MIGRATE_TO_FLX || action == SL_ACTION_REVERT_TO_PBS;
}

static void write_json(const sl_pending_error *error, sl_dialect dialect, uint64_t session,
                       sl_buf *out) {
    sl_json_error json = {.message = sl_str_c(error->text),
                          .try_again = error->try_again,
                          .log_url = SL_STR(""),
                          .should_client_reset = resets(error->action),
                          .has_action = true,
                          .action = error->action,
                          .partition_query = SL_STR("")};
    sl_buf body;
    sl_buf_init(&body, out->alloc);
    sl_json_error_write(&body, &json);
    if (body.failed) {
        out->failed = true;
    } else {
        sl_server_message msg = {
            .type = SL_MSG_JSON_ERROR,
            .session = session,
            .json_error = {.code = error->code, .json = sl_str_of(body.data, body.size)}};
        sl_server_message_write(out, dialect, &msg);
    }
    sl_buf_free(&body);
}

void sl_pending_error_write(const sl_pending_error *error, sl_dialect dialect, uint64_t session,
                            sl_buf *out) {
    if (dialect.version > SL_PROTOCOL_LAST_LEGACY) {
        write_json(error, dialect, session, out);
        return;
    }
    sl_server_message msg = {.type = SL_MSG_ERROR,
                             .session = session,
                             .error = {.code = error->code,
                                       .try_again = error->try_again,
                                       .text = sl_str_c(error->text)}};
    sl_server_message_write(out, dialect, &msg);
}
