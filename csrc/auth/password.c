#include "auth/password.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "auth/key.h"

enum { SALT_SIZE = 16, HASH_SIZE = 32, STORED_MAX = 160 };

typedef struct stored_hash {
    sl_scrypt_cost cost;
    uint8_t salt[SALT_SIZE], hash[HASH_SIZE];
} stored_hash;

static bool cost_is_sane(sl_scrypt_cost cost) {
    return cost.log_n >= 10 && cost.log_n <= 20 && cost.r >= 1 && cost.r <= 32 && cost.p >= 1 &&
           cost.p <= 16;
}

static bool derive(sl_str password, const uint8_t *salt, sl_scrypt_cost cost, uint8_t *out) {
    uint64_t n = UINT64_C(1) << cost.log_n;
    uint32_t r = cost.r, p = cost.p;
    /* OpenSSL refuses more memory than this, and counts a little beside the 128 * N * r. */
    uint64_t memory = 128 * n * r + 128 * (uint64_t)r * p + (1 << 20);
    static char nothing[] = "";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(
            OSSL_KDF_PARAM_PASSWORD, password.size ? (void *)(uintptr_t)password.data : nothing,
            password.size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, SALT_SIZE),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end()};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx && EVP_KDF_derive(ctx, out, HASH_SIZE, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

bool sl_password_hash(sl_str password, sl_scrypt_cost cost, const sl_env *env, sl_buf *out,
                      sl_status *st) {
    uint8_t salt[SALT_SIZE], hash[HASH_SIZE];
    if (!cost_is_sane(cost))
        return sl_fail(st, SL_ERR_USAGE, "", "scrypt cost out of range: ln 10-20, r 1-32, p 1-16");
    env->random(env->ctx, salt, sizeof salt);
    if (!derive(password, salt, cost, hash))
        return sl_fail(st, SL_ERR_MEMORY, "", "scrypt needs %u MiB and did not get them",
                       (unsigned)((UINT64_C(128) << cost.log_n) * cost.r >> 20));
    sl_buf_printf(out, "$scrypt$ln=%u,r=%u,p=%u$", cost.log_n, cost.r, cost.p);
    sl_base64url_encode(sl_str_of((char *)salt, sizeof salt), out);
    sl_buf_byte(out, '$');
    sl_base64url_encode(sl_str_of((char *)hash, sizeof hash), out);
    return !out->failed || sl_fail_memory(st);
}

static bool decode_exactly(sl_str text, uint8_t *out, size_t size) {
    sl_buf bytes;
    sl_buf_init(&bytes, NULL);
    bool ok = sl_base64url_decode(text, &bytes) && bytes.size == size;
    if (ok) memcpy(out, bytes.data, size);
    sl_buf_free(&bytes);
    return ok;
}

static bool read_stored(sl_str stored, stored_hash *out) {
    char text[STORED_MAX + 1], salt[STORED_MAX + 1], hash[STORED_MAX + 1];
    unsigned ln, r, p;
    if (stored.size > STORED_MAX) return false;
    memcpy(text, stored.data, stored.size);
    text[stored.size] = 0;
    if (sscanf(text, "$scrypt$ln=%3u,r=%3u,p=%3u$%160[^$]$%160s", &ln, &r, &p, salt, hash) != 5 ||
        ln > 255 || r > 255 || p > 255)
        return false;
    out->cost = (sl_scrypt_cost){(uint8_t)ln, (uint8_t)r, (uint8_t)p};
    return cost_is_sane(out->cost) && decode_exactly(sl_str_c(salt), out->salt, SALT_SIZE) &&
           decode_exactly(sl_str_c(hash), out->hash, HASH_SIZE);
}

bool sl_password_check(sl_str password, sl_str stored, bool *match, sl_status *st) {
    stored_hash known;
    uint8_t hash[HASH_SIZE];
    *match = false;
    if (!read_stored(stored, &known))
        return sl_fail(st, SL_ERR_AUTH, "", "the stored password hash cannot be read");
    if (!derive(password, known.salt, known.cost, hash))
        return sl_fail(st, SL_ERR_MEMORY, "", "scrypt did not get the memory it needs");
    *match = CRYPTO_memcmp(hash, known.hash, HASH_SIZE) == 0;
    return true;
}

bool sl_password_needs_rehash(sl_str stored, sl_scrypt_cost cost) {
    stored_hash known;
    if (!read_stored(stored, &known)) return true;
    uint64_t had = ((uint64_t)known.cost.r * known.cost.p) << known.cost.log_n;
    return had < ((uint64_t)cost.r * cost.p) << cost.log_n;
}

void sl_sha256(sl_str bytes, uint8_t out[32]) {
    SHA256((const unsigned char *)(bytes.size ? bytes.data : ""), bytes.size, out);
}

bool sl_secret_eq(sl_str a, sl_str b) {
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}
