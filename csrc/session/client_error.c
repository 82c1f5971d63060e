#include "session/client_private.h"

#include <stdio.h>

void sl_client_error_init(sl_client_error *error, sl_status_class cls, int code) {
    memset(error, 0, sizeof *error);
    error->cls = cls;
    error->code = code;
    const sl_error_info *info = sl_error_find(code);
    error->name = info ? info->name : "unknown error";
    error->advice = info ? info->advice : "";
    error->json = SL_STR("");
}

void sl_client_error_text(sl_client_error *error, sl_str text) {
    size_t size = text.size < sizeof error->message - 1 ? text.size : sizeof error->message - 1;
    if (size < text.size)
        while (size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80)
            size--;
    if (size) memcpy(error->message, text.data, size);
    error->message[size] = 0;
}

static void set_action(sl_client_error *error, sl_action action) {
    error->action = action;
    error->client_reset =
        action == SL_ACTION_CLIENT_RESET || action == SL_ACTION_CLIENT_RESET_NO_RECOVERY;
    error->no_recovery = action == SL_ACTION_CLIENT_RESET_NO_RECOVERY;
}

static sl_status_class class_of(int code) {
    return sl_error_is_connection(code) ? SL_ERR_CONNECTION : SL_ERR_SESSION;
}

void sl_client_error_from_json(sl_client_error *error, int code, const sl_json_error *json) {
    sl_client_error_init(error, class_of(code), code);
    sl_client_error_text(error, json->message);
    error->try_again = json->try_again;
    /* Before version 7 the body may have no action; then the flag of that time counts. */
    if (json->has_action)
        set_action(error, json->action);
    else if (json->should_client_reset)
        set_action(error, json->recovery_mode_disabled ? SL_ACTION_CLIENT_RESET_NO_RECOVERY
                                                       : SL_ACTION_CLIENT_RESET);
}

void sl_client_error_from_plain(sl_client_error *error, int code, bool try_again, sl_str text) {
    sl_client_error_init(error, class_of(code), code);
    sl_client_error_text(error, text);
    error->try_again = try_again;
    /* Numbers that ended older clients (1-wire.md, 7.3); these two are about the token. */
    if (code == 202 || code == 203) error->action = SL_ACTION_REFRESH_USER;
}
