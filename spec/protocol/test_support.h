/* test_support.h - what the tests of the protocol room share. */
#ifndef SL_SPEC_PROTOCOL_SUPPORT_H
#define SL_SPEC_PROTOCOL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "protocol/client_message.h"
#include "protocol/server_message.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void assert_text(sl_str actual, const char *expected) {
    if (!sl_str_eq(actual, sl_str_c(expected)))
        fail_msg("expected \"%s\", got \"%.*s\"", expected, (int)actual.size,
                 actual.data ? actual.data : "");
}

/* Parses in the direction, writes again, and demands the same octets. */
static inline bool same_again(bool from_client, sl_dialect dialect, sl_str wire, sl_status *st) {
    sl_buf out;
    sl_buf_init(&out, NULL);
    bool ok;
    if (from_client) {
        sl_client_message msg;
        ok = sl_client_message_parse(&msg, dialect, wire.data, wire.size, st);
        if (ok) sl_client_message_write(&out, dialect, &msg);
    } else {
        sl_server_message msg;
        ok = sl_server_message_parse(&msg, dialect, wire.data, wire.size, st);
        if (ok) sl_server_message_write(&out, dialect, &msg);
    }
    if (ok && !sl_str_eq(wire, sl_str_of(out.data, out.size)))
        ok = sl_fail(st, SL_ERR_INTERNAL, "", "written again as \"%.*s\"", (int)out.size, out.data);
    sl_buf_free(&out);
    return ok;
}

#endif
