/* url.h - an absolute URL taken apart. */
#ifndef SL_NET_URL_H
#define SL_NET_URL_H

#include "base/status.h"
#include "base/str.h"

/* Views into the text it was parsed from, except `host`. */
typedef struct sl_url {
    bool tls; /* https, wss, realms */
    bool explicit_port;
    uint16_t port;  /* of the scheme if none is written: 80 or 443 */
    char host[254]; /* without brackets, NUL-terminated */
    sl_str target;  /* path and query, at least "/" (then a literal) */
} sl_url;

/* Schemes: http, https, ws, wss, realm (as ws), realms (as wss): protocol/1-wire.md, 1.1. User info
 * and fragments are refused. SL_ERR_USAGE; the text does not repeat the query, where tokens are. */
bool sl_url_parse(sl_url *url, const char *text, sl_status *st);
/* "host", "host:port" or "[v6]:port" as a Host field wants it: the port only if it is not the
 * scheme's. `out` >= 264 bytes. */
void sl_url_host_field(const sl_url *url, char *out, size_t size);

#endif
