#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool fill(sl_status *st, sl_status_class cls, int code, const char *id, size_t offset,
                 const char *format, va_list args) {
    if (!st) return false;
    st->cls = cls;
    st->code = code;
    st->offset = offset;
    snprintf(st->id, sizeof st->id, "%s", id ? id : "");
    vsnprintf(st->message, sizeof st->message, format, args);
    return false;
}

bool sl_fail(sl_status *st, sl_status_class cls, const char *id, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(st, cls, 0, id, SL_STATUS_NO_OFFSET, format, args);
    va_end(args);
    return false;
}

bool sl_fail_at(sl_status *st, sl_status_class cls, const char *id, size_t offset,
                const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(st, cls, 0, id, offset, format, args);
    va_end(args);
    return false;
}

bool sl_fail_code(sl_status *st, sl_status_class cls, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(st, cls, code, "", SL_STATUS_NO_OFFSET, format, args);
    va_end(args);
    return false;
}

bool sl_fail_memory(sl_status *st) {
    return sl_fail(st, SL_ERR_MEMORY, "", "out of memory; nothing was changed");
}

const char *sl_status_class_name(sl_status_class cls) {
    static const char *const names[] = {"ok",       "usage",   "memory",     "changeset",
                                        "protocol", "session", "connection", "storage",
                                        "auth",     "internal"};
    size_t i = (size_t)cls;
    return i < sizeof names / sizeof *names ? names[i] : "unknown";
}
