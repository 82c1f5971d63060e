#include "net/ws_handshake.h"

#include <openssl/evp.h>

enum { BAD_ANSWER = 4405, UPGRADE_REQUIRED = 426, BAD = 400 };

void sl_ws_accept(sl_str key, char accept[SL_WS_ACCEPT_SIZE + 1]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    accept[0] = '\0';
    if (md && EVP_DigestInit_ex(md, EVP_sha1(), NULL) == 1 &&
        EVP_DigestUpdate(md, key.data, key.size) == 1 &&
        EVP_DigestUpdate(md, guid, sizeof guid - 1) == 1 &&
        EVP_DigestFinal_ex(md, digest, &size) == 1)
        EVP_EncodeBlock((unsigned char *)accept, digest, (int)size);
    EVP_MD_CTX_free(md);
}

/* 16 bytes in base64: 22 characters and "==". */
static bool key_ok(sl_str key) {
    if (key.size != SL_WS_KEY_SIZE || key.data[22] != '=' || key.data[23] != '=') return false;
    for (int i = 0; i < 22; i++) {
        char c = key.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '+' || c == '/'))
            return false;
    }
    return true;
}

bool sl_ws_check_request(const sl_http_head *head, sl_status *st) {
    const sl_http_header *version = sl_http_head_get(head, "Sec-WebSocket-Version");
    const sl_http_header *key = sl_http_head_get(head, "Sec-WebSocket-Key");
    if (!version || !sl_http_same(version->value, "13"))
        return sl_fail_code(st, SL_ERR_CONNECTION, UPGRADE_REQUIRED,
                            "upgrade: WebSocket version 13 is needed");
    if (!key || !key_ok(key->value))
        return sl_fail_code(st, SL_ERR_CONNECTION, BAD, "upgrade: bad Sec-WebSocket-Key");
    return true;
}

static sl_str element_at(sl_str list, uint32_t *at) {
    uint32_t start = *at, end = start;
    while (end < list.size && list.data[end] != ',')
        end++;
    *at = end + 1;
    while (start < end && strchr(" \t\r\n", list.data[start]))
        start++;
    while (end > start && strchr(" \t\r\n", list.data[end - 1]))
        end--;
    return sl_str_of(list.data + start, end - start);
}

bool sl_ws_list_has(sl_str list, sl_str element) {
    uint32_t at = 0;
    while (at < list.size)
        if (sl_str_eq(element_at(list, &at), element)) return true;
    return false;
}

static bool offered(const sl_http_head *head, sl_str protocol) {
    for (size_t i = 0; i < head->count; i++)
        if (sl_http_same(head->fields[i].name, "Sec-WebSocket-Protocol") &&
            sl_ws_list_has(head->fields[i].value, protocol))
            return true;
    return false;
}

bool sl_http_check_fields(const sl_http_header *fields, size_t count, sl_status *st) {
    static const char *const ours[] = {"Connection",
                                       "Content-Length",
                                       "Transfer-Encoding",
                                       "Upgrade",
                                       "Host",
                                       "Sec-WebSocket-Accept",
                                       "Sec-WebSocket-Extensions",
                                       "Sec-WebSocket-Key",
                                       "Sec-WebSocket-Protocol"};
    for (size_t i = 0; i < count; i++) {
        if (!sl_http_valid_name(fields[i].name) || !sl_http_valid_value(fields[i].value))
            return sl_fail(st, SL_ERR_USAGE, "", "header field %zu has forbidden characters",
                           i + 1);
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++)
            if (sl_http_same(fields[i].name, ours[k]))
                return sl_fail(st, SL_ERR_USAGE, "", "header field %s is set by the library",
                               ours[k]);
    }
    return true;
}

void sl_http_write_fields(const sl_http_header *fields, size_t count, sl_buf *out) {
    for (size_t i = 0; i < count; i++) {
        sl_buf_str(out, fields[i].name);
        sl_buf_text(out, ": ");
        sl_buf_str(out, fields[i].value);
        sl_buf_text(out, "\r\n");
    }
}

bool sl_ws_write_answer(const sl_http_head *head, sl_str protocol, const sl_http_header *fields,
                        size_t count, sl_buf *out, sl_status *st) {
    char accept[SL_WS_ACCEPT_SIZE + 1];
    if (!sl_http_check_fields(fields, count, st)) return false;
    if (protocol.size && !offered(head, protocol))
        return sl_fail(st, SL_ERR_USAGE, "", "upgrade: '%.*s' was not offered",
                       protocol.size > 60 ? 60 : (int)protocol.size, protocol.data);
    sl_ws_accept(sl_http_head_get(head, "Sec-WebSocket-Key")->value, accept);
    sl_buf_text(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    sl_buf_text(out, accept);
    sl_buf_text(out, "\r\n");
    if (protocol.size) {
        sl_buf_text(out, "Sec-WebSocket-Protocol: ");
        sl_buf_str(out, protocol);
        sl_buf_text(out, "\r\n");
    }
    sl_http_write_fields(fields, count, out);
    sl_buf_text(out, "\r\n");
    return !out->failed || sl_fail_memory(st);
}

bool sl_ws_write_request(const sl_url *url, sl_str protocols, const sl_http_header *fields,
                         size_t count, const sl_env *env, char key[SL_WS_KEY_SIZE + 1], sl_buf *out,
                         sl_status *st) {
    unsigned char nonce[16];
    char host[264];
    if (!sl_http_check_fields(fields, count, st)) return false;
    if (!sl_http_valid_value(protocols))
        return sl_fail(st, SL_ERR_USAGE, "", "the protocol list has forbidden characters");
    env->random(env->ctx, nonce, sizeof nonce);
    EVP_EncodeBlock((unsigned char *)key, nonce, sizeof nonce);
    sl_url_host_field(url, host, sizeof host);
    sl_buf_text(out, "GET ");
    sl_buf_str(out, url->target);
    sl_buf_text(out, " HTTP/1.1\r\nHost: ");
    sl_buf_text(out, host);
    sl_buf_text(out, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
    sl_buf_text(out, key);
    if (protocols.size) {
        sl_buf_text(out, "\r\nSec-WebSocket-Protocol: ");
        sl_buf_str(out, protocols);
    }
    sl_buf_text(out, "\r\n");
    sl_http_write_fields(fields, count, out);
    sl_buf_text(out, "\r\n");
    return !out->failed || sl_fail_memory(st);
}

static bool bad_answer(sl_status *st, const char *why) {
    return sl_fail_code(st, SL_ERR_CONNECTION, BAD_ANSWER, "upgrade: %s", why);
}

bool sl_ws_check_answer(const sl_http_head *head, const char *key, sl_str protocols,
                        sl_str *protocol, sl_status *st) {
    char accept[SL_WS_ACCEPT_SIZE + 1];
    *protocol = sl_str_of(NULL, 0);
    if (head->status != 101)
        return sl_fail_code(st, SL_ERR_CONNECTION, (int)head->status,
                            "upgrade refused: HTTP status %u %s", head->status,
                            sl_http_reason(head->status));
    if (!head->websocket) return bad_answer(st, "status 101 without Upgrade: websocket");
    const sl_http_header *given = sl_http_head_get(head, "Sec-WebSocket-Accept");
    sl_ws_accept(sl_str_c(key), accept);
    if (!given || !sl_str_eq(given->value, sl_str_c(accept)))
        return bad_answer(st, "Sec-WebSocket-Accept does not fit the key");
    if (sl_http_head_get(head, "Sec-WebSocket-Extensions"))
        return bad_answer(st, "an extension that was not offered");
    const sl_http_header *chosen = sl_http_head_get(head, "Sec-WebSocket-Protocol");
    if (!chosen) return true;
    if (chosen->value.size == 0 || !sl_ws_list_has(protocols, chosen->value))
        return bad_answer(st, "a protocol that was not offered");
    *protocol = chosen->value;
    return true;
}
