/* lookup.h - the addresses of a host, found on a thread of its own: the system's resolver may take
 * many seconds, cannot be interrupted, and must hold up neither the loop nor its end. */
#ifndef SL_NET_LOOKUP_H
#define SL_NET_LOOKUP_H

#include "net/loop.h"

#include <netdb.h>

typedef struct sl_lookup sl_lookup;

/* `list` is borrowed for the call, NULL on failure; `error` is one of getaddrinfo. */
typedef void (*sl_lookup_done)(void *ctx, int error, struct addrinfo *list);

/* `done` is called once, inside a step of the loop, unless the lookup is cancelled before; the
 * lookup is gone then. NULL with SL_ERR_MEMORY: there is no thread or memory for it. */
sl_lookup *sl_lookup_start(sl_loop *loop, const char *host, int flags, sl_lookup_done done,
                           void *ctx, sl_status *st);
/* Returns at once; what still runs ends by itself and tells nobody. */
void sl_lookup_cancel(sl_lookup *lookup);

#endif
