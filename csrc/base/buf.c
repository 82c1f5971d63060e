#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

void sl_buf_init(sl_buf *buf, const sl_alloc *alloc) {
    *buf = (sl_buf){alloc ? alloc : sl_alloc_default(), NULL, 0, 0, false};
}

void sl_buf_free(sl_buf *buf) {
    sl_delete(buf->alloc, buf->data);
    sl_buf_init(buf, buf->alloc);
}

void sl_buf_clear(sl_buf *buf) {
    buf->size = 0;
    buf->failed = false;
}

char *sl_buf_reserve(sl_buf *buf, size_t extra) {
    if (buf->failed) return NULL;
    if (extra > buf->capacity - buf->size) {
        size_t want = buf->capacity ? buf->capacity : 64;
        if (extra > SIZE_MAX / 4 || buf->size > SIZE_MAX / 4) {
            buf->failed = true;
            return NULL;
        }
        while (want < buf->size + extra)
            want *= 2;
        char *data = sl_resize(buf->alloc, buf->data, want);
        if (!data) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->capacity = want;
    }
    return buf->data + buf->size;
}

void sl_buf_add(sl_buf *buf, const void *data, size_t size) {
    if (size == 0) return;
    char *at = sl_buf_reserve(buf, size);
    if (!at) return;
    memcpy(at, data, size);
    buf->size += size;
}

void sl_buf_byte(sl_buf *buf, uint8_t byte) {
    sl_buf_add(buf, &byte, 1);
}

void sl_buf_str(sl_buf *buf, sl_str s) {
    sl_buf_add(buf, s.data, s.size);
}

void sl_buf_text(sl_buf *buf, const char *text) {
    sl_buf_add(buf, text, strlen(text));
}

void sl_buf_printf(sl_buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *at = n < 0 ? NULL : sl_buf_reserve(buf, (size_t)n + 1);
    if (!at) {
        buf->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(at, (size_t)n + 1, format, args);
    va_end(args);
    buf->size += (size_t)n;
}

void sl_buf_consume(sl_buf *buf, size_t size) {
    if (size >= buf->size) {
        buf->size = 0;
        return;
    }
    memmove(buf->data, buf->data + size, buf->size - size);
    buf->size -= size;
}
