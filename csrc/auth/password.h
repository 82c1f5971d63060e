/* password.h - password hashes with scrypt (protocol/5-app-services-http.md, 18 rows 1 to 3). */
#ifndef SL_AUTH_PASSWORD_H
#define SL_AUTH_PASSWORD_H

#include "base/buf.h"
#include "base/env.h"
#include "base/status.h"
#include "base/str.h"

/* Cost: N = 2^log_n, block size r, parallelism p. Memory = 128 * N * r bytes. */
typedef struct sl_scrypt_cost {
    uint8_t log_n; /* 10 .. 20 */
    uint8_t r;     /* 1 .. 32 */
    uint8_t p;     /* 1 .. 16 */
} sl_scrypt_cost;

/* N = 2^15, r = 8, p = 3: 32 MiB, the setting for small machines. */
#define SL_SCRYPT_DEFAULT                                                                          \
    { 15, 8, 3 }

/* Appends "$scrypt$ln=..,r=..,p=..$salt$hash" with a fresh 16-byte salt from `env`. */
bool sl_password_hash(sl_str password, sl_scrypt_cost cost, const sl_env *env, sl_buf *out,
                      sl_status *st);
/* *match tells whether `password` is the one. Fails (SL_ERR_AUTH) only if `stored` is not a hash of
 * this form. The comparison takes the same time wherever the difference is. */
bool sl_password_check(sl_str password, sl_str stored, bool *match, sl_status *st);
/* True if `stored` was made with less than `cost`, or cannot be read. */
bool sl_password_needs_rehash(sl_str stored, sl_scrypt_cost cost);

/* SHA-256 of bytes. */
void sl_sha256(sl_str bytes, uint8_t out[32]);
/* Equal in size and content, in constant time for equal sizes. */
bool sl_secret_eq(sl_str a, sl_str b);

#endif
