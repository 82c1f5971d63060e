/* tls_core.h - TLS contexts and sessions, for the files of this room only. */
#ifndef SL_NET_TLS_CORE_H
#define SL_NET_TLS_CORE_H

#include "net/tls.h"

#include <openssl/ssl.h>
#include <stddef.h>

/* A client context: minimum version, trust, ALPN http/1.1. Owned by the caller. NULL with
 * SL_ERR_CONNECTION (code 1015) if the CA file is unusable. */
SSL_CTX *sl_tls_client_context(const sl_tls_client *tls, sl_status *st);
/* A server context with certificate and key. As above. */
SSL_CTX *sl_tls_server_context(const sl_tls_server *tls, sl_status *st);
/* A client session that will accept only a certificate for `host` (DNS name, or IPv4 or IPv6
 * literal without brackets) unless the context was made without verification. NULL = no memory. */
SSL *sl_tls_client_session(SSL_CTX *ctx, const char *host);
/* Why the handshake of `ssl` failed, with OpenSSL's error queue, which it empties. */
void sl_tls_describe_failure(SSL *ssl, char *text, size_t size);

#endif
