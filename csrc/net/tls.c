#include "net/tls.h"

#include "net/tls_core.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { TLS_FAILED = 1015 };

static const unsigned char http11[] = "\x08http/1.1";

static void error_text(char *text, size_t size, const char *fallback) {
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    snprintf(text, size, "%s", reason ? reason : fallback);
    ERR_clear_error();
}

static void common_modes(SSL_CTX *ctx, sl_tls_min min) {
    SSL_CTX_set_min_proto_version(ctx, min == SL_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    /* RELEASE_BUFFERS: an idle connection keeps no record buffers (2 x 17 KB). The other two let
     * the stream retry a write from wherever its queue lies by then. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

SSL_CTX *sl_tls_client_context(const sl_tls_client *tls, sl_status *st) {
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx) {
        sl_fail_memory(st);
        return NULL;
    }
    common_modes(ctx, tls->min);
    SSL_CTX_set_alpn_protos(ctx, http11, sizeof http11 - 1);
    SSL_CTX_set_verify(ctx, tls->no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (tls->no_verify) return ctx;
    int ok = tls->ca_file ? SSL_CTX_load_verify_file(ctx, tls->ca_file)
                          : SSL_CTX_set_default_verify_paths(ctx);
    if (ok == 1) return ctx;
    char why[160];
    error_text(why, sizeof why, "unreadable");
    sl_fail_code(st, SL_ERR_CONNECTION, TLS_FAILED, "CA file %s: %s",
                 tls->ca_file ? tls->ca_file : "of the system", why);
    SSL_CTX_free(ctx);
    return NULL;
}

SSL *sl_tls_client_session(SSL_CTX *ctx, const char *host) {
    SSL *ssl = SSL_new(ctx);
    if (!ssl) return NULL;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1) return ssl; /* no SNI for an address */
    if (*host && X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
        SSL_set_tlsext_host_name(ssl, host) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

void sl_tls_describe_failure(SSL *ssl, char *text, size_t size) {
    long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
        snprintf(text, size, "certificate refused: %s", X509_verify_cert_error_string(verdict));
        ERR_clear_error();
        return;
    }
    error_text(text, size, "the peer ended the handshake");
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                       const unsigned char *in, unsigned int in_size, void *arg) {
    (void)ssl;
    (void)arg;
    unsigned char *chosen = NULL;
    int found = SSL_select_next_proto(&chosen, out_size, http11, sizeof http11 - 1, in, in_size);
    *out = chosen;
    /* A client that offers something else only goes on without ALPN and is told by HTTP. */
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static bool file_fails(sl_status *st, const char *what, const char *path) {
    char why[160];
    error_text(why, sizeof why, "unreadable");
    return sl_fail_code(st, SL_ERR_CONNECTION, TLS_FAILED, "%s %s: %s", what, path, why);
}

static bool load_identity(SSL_CTX *ctx, const sl_tls_server *tls, sl_status *st) {
    if (SSL_CTX_use_certificate_chain_file(ctx, tls->cert_file) != 1)
        return file_fails(st, "certificate", tls->cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, tls->key_file, SSL_FILETYPE_PEM) != 1)
        return file_fails(st, "key", tls->key_file);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return file_fails(st, "key does not belong to the certificate:", tls->key_file);
    return true;
}

SSL_CTX *sl_tls_server_context(const sl_tls_server *tls, sl_status *st) {
    if (!tls->cert_file || !tls->key_file) {
        sl_fail(st, SL_ERR_USAGE, "", "TLS needs a certificate file and a key file");
        return NULL;
    }
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) {
        sl_fail_memory(st);
        return NULL;
    }
    common_modes(ctx, tls->min);
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    SSL_CTX_set_num_tickets(ctx, 1);
    if (load_identity(ctx, tls, st)) return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}
