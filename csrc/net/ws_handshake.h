/* ws_handshake.h - the upgrade from HTTP to WebSocket, without I/O. */
#ifndef SL_NET_WS_HANDSHAKE_H
#define SL_NET_WS_HANDSHAKE_H

#include "base/buf.h"
#include "base/env.h"
#include "net/http_head.h"
#include "net/url.h"

enum { SL_WS_KEY_SIZE = 24, SL_WS_ACCEPT_SIZE = 28 };

/* base64(SHA-1(key + GUID)) into `accept`, NUL-terminated. */
void sl_ws_accept(sl_str key, char accept[SL_WS_ACCEPT_SIZE + 1]);

/* Whether an upgrade request may be accepted. SL_ERR_CONNECTION with code 400, or 426 for another
 * version than 13. `head` must have `websocket` set. */
bool sl_ws_check_request(const sl_http_head *head, sl_status *st);
/* Appends the 101 answer. `protocol` may be empty; no extension is ever accepted. SL_ERR_USAGE for
 * a protocol that the client did not offer, or bad header fields. */
bool sl_ws_write_answer(const sl_http_head *head, sl_str protocol, const sl_http_header *fields,
                        size_t count, sl_buf *out, sl_status *st);

/* Appends a client's request; `key` gets the fresh nonce, NUL-terminated. `protocols` is the value
 * of Sec-WebSocket-Protocol, of any length, or empty. SL_ERR_USAGE for bad header fields. */
bool sl_ws_write_request(const sl_url *url, sl_str protocols, const sl_http_header *fields,
                         size_t count, const sl_env *env, char key[SL_WS_KEY_SIZE + 1], sl_buf *out,
                         sl_status *st);
/* Judges the answer. *protocol is a view into it, empty if none was chosen. SL_ERR_CONNECTION: code
 * = the HTTP status if it is not 101, 4405 for an answer that breaks RFC 6455 or chooses a protocol
 * that was not offered. */
bool sl_ws_check_answer(const sl_http_head *head, const char *key, sl_str protocols,
                        sl_str *protocol, sl_status *st);

/* Whether a comma list has exactly this element. */
bool sl_ws_list_has(sl_str list, sl_str element);
/* Fields that a caller may not set by himself, and bad ones: SL_ERR_USAGE. */
bool sl_http_check_fields(const sl_http_header *fields, size_t count, sl_status *st);
void sl_http_write_fields(const sl_http_header *fields, size_t count, sl_buf *out);

#endif
