/* key.h - keys for JSON Web Tokens. A key is bound to one algorithm for life; a token never chooses
 * (protocol/5-app-services-http.md, 18 row 6). */
#ifndef SL_AUTH_KEY_H
#define SL_AUTH_KEY_H

#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

typedef enum sl_jwt_alg {
    SL_JWT_HS256, /* HMAC with SHA-256; secret of at least 32 bytes */
    SL_JWT_RS256, /* RSA PKCS #1 v1.5 with SHA-256; at least 2048 bits */
    SL_JWT_ES256, /* ECDSA on P-256 with SHA-256 */
    SL_JWT_EDDSA  /* Ed25519 */
} sl_jwt_alg;

enum { SL_KID_MAX = 128 };

/* `kid` is "" for a key without a name. `secret` only for HS256, `pkey` only for the others. */
typedef struct sl_auth_key {
    const sl_alloc *alloc;
    sl_jwt_alg alg;
    char kid[SL_KID_MAX + 1];
    bool can_sign;
    char *secret;
    size_t secret_size;
    EVP_PKEY *pkey;
} sl_auth_key;

/* "HS256", "RS256", "ES256", "EdDSA". Static storage. */
const char *sl_jwt_alg_name(sl_jwt_alg alg);
bool sl_jwt_alg_from_name(sl_str name, sl_jwt_alg *alg);

/* Makers: on success *key is owned by the caller (sl_auth_key_free); on failure it is NULL and `st`
 * says what is wrong with the key (SL_ERR_AUTH). `alloc` borrowed (NULL = heap), `kid` may be "".
 */

/* HS256 from raw bytes. A secret that looks like PEM is refused: signing with the text of a public
 * key is a known attack. */
bool sl_auth_key_secret(const sl_alloc *alloc, sl_str kid, sl_str secret, sl_auth_key **key,
                        sl_status *st);
/* RS256, ES256 or EdDSA from PEM: a private key can sign and verify, a public key only verify. The
 * kind of key must suit `alg`. */
bool sl_auth_key_pem(const sl_alloc *alloc, sl_str kid, sl_jwt_alg alg, sl_str pem,
                     sl_auth_key **key, sl_status *st);
/* One JSON Web Key (RFC 7517): RSA, EC P-256, OKP Ed25519 (public parts) or oct. `alg`, if stated,
 * must suit the kind; its `kid` is taken. */
bool sl_auth_key_jwk(const sl_alloc *alloc, sl_str json, sl_auth_key **key, sl_status *st);
void sl_auth_key_free(sl_auth_key *key);

/* Overwrites memory in a way the compiler keeps. */
void sl_auth_wipe(void *data, size_t size);

/* base64url without padding, appended to `out`. */
void sl_base64url_encode(sl_str bytes, sl_buf *out);
/* base64url or base64, with or without padding; false for any other character. */
bool sl_base64url_decode(sl_str text, sl_buf *out);
/* Plain base64 with padding. */
void sl_auth_base64(sl_str bytes, sl_buf *out);

#endif
