/* jwt.h - JSON Web Tokens: sign and verify (RFC 7519; protocol/5-app-services-http.md, 14 and 16).
 */
#ifndef SL_AUTH_JWT_H
#define SL_AUTH_JWT_H

#include "auth/key.h"

/* Longest token that is looked at. */
enum { SL_JWT_MAX = 65536 };

/* What a token must say. Empty members are not checked. */
typedef struct sl_jwt_expect {
    int64_t now;             /* Unix seconds */
    int64_t leeway;          /* seconds of tolerance for exp, nbf and iat */
    const sl_str *audiences; /* the claim `aud` must contain one of them */
    size_t audience_count;
    sl_str issuer;
} sl_jwt_expect;

/* Appends the compact form of a token with the claims `claims` (a JSON object as text). Fails with
 * SL_ERR_AUTH if the key cannot sign. */
bool sl_jwt_sign(const sl_auth_key *key, sl_str claims, sl_buf *out, sl_status *st);

/* Verifies `token` with the first of `keys` (borrowed) that has its kid, or, for a token without a
 * kid, with each key in turn; only with the key's own algorithm. Then the claims: `exp` is
 * required; exp, nbf and iat must be integers. On success the claims as JSON text are appended to
 * `claims` (may be NULL). Fails with SL_ERR_AUTH and a reason that holds no part of the token. */
bool sl_jwt_verify(sl_str token, const sl_auth_key *const *keys, size_t key_count,
                   const sl_jwt_expect *expect, sl_buf *claims, sl_status *st);

/* Appends the claims of a token without looking at its signature: for clients, and for finding out
 * whom to ask. Never a basis for trust. */
bool sl_jwt_decode(sl_str token, sl_buf *claims, sl_status *st);

#endif
