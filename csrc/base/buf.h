/* buf.h - a growing byte buffer. */
#ifndef SL_BASE_BUF_H
#define SL_BASE_BUF_H

#include "base/alloc.h"
#include "base/str.h"

/* Appends never fail one by one: the first allocation that fails sets `failed`, later appends do
 * nothing, and the caller looks once at the end. `data` is owned; not NUL-terminated. */
typedef struct sl_buf {
    const sl_alloc *alloc; /* borrowed */
    char *data;
    size_t size, capacity;
    bool failed;
} sl_buf;

/* `alloc` borrowed (NULL = heap). Allocates nothing. */
void sl_buf_init(sl_buf *buf, const sl_alloc *alloc);
void sl_buf_free(sl_buf *buf);
/* Size 0, capacity kept, `failed` cleared. */
void sl_buf_clear(sl_buf *buf);
/* Makes room for `extra` more bytes and returns where they go, without changing `size`; NULL when
 * there is no memory. */
char *sl_buf_reserve(sl_buf *buf, size_t extra);
void sl_buf_add(sl_buf *buf, const void *data, size_t size);
void sl_buf_byte(sl_buf *buf, uint8_t byte);
void sl_buf_str(sl_buf *buf, sl_str s);
void sl_buf_text(sl_buf *buf, const char *text);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sl_buf_printf(sl_buf *buf, const char *format, ...);
/* Removes `size` bytes (at most all) from the front. */
void sl_buf_consume(sl_buf *buf, size_t size);

#endif
