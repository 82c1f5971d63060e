#include "auth/jwt.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum { MAC_SIZE = 32, ES256_HALF = 32 };

/* ---- signatures ------------------------------------------------------------------------------ */

static bool hmac(const sl_auth_key *key, sl_str text, unsigned char out[MAC_SIZE]) {
    unsigned size = 0;
    return key->secret_size <= INT32_MAX &&
           HMAC(EVP_sha256(), key->secret, (int)key->secret_size, (const unsigned char *)text.data,
                text.size, out, &size) &&
           size == MAC_SIZE;
}

static const EVP_MD *digest_of(const sl_auth_key *key) {
    return key->alg == SL_JWT_EDDSA ? NULL : EVP_sha256();
}

/* JOSE wants r and s side by side, OpenSSL speaks DER. */
static bool raw_from_der(const unsigned char *der, size_t size, unsigned char raw[2 * ES256_HALF]) {
    const unsigned char *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)size);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, ES256_HALF) == ES256_HALF &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + ES256_HALF, ES256_HALF) == ES256_HALF;
    ECDSA_SIG_free(sig);
    return ok;
}

static int der_from_raw(sl_str raw, unsigned char **der) {
    *der = NULL;
    if (raw.size != 2 * ES256_HALF) return 0;
    const unsigned char *bytes = (const unsigned char *)raw.data;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, ES256_HALF, NULL);
    BIGNUM *s = BN_bin2bn(bytes + ES256_HALF, ES256_HALF, NULL);
    int size = 0;
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
        size = i2d_ECDSA_SIG(sig, der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    return size;
}

static bool pkey_sign(const sl_auth_key *key, sl_str text, sl_buf *signature) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t size = 0;
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, digest_of(key), NULL, key->pkey) == 1 &&
              EVP_DigestSign(ctx, NULL, &size, bytes, text.size) == 1;
    unsigned char *at = ok ? (unsigned char *)sl_buf_reserve(signature, size) : NULL;
    ok = at && EVP_DigestSign(ctx, at, &size, bytes, text.size) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok) return false;
    unsigned char raw[2 * ES256_HALF];
    if (key->alg != SL_JWT_ES256) {
        signature->size += size;
        return true;
    }
    if (!raw_from_der(at, size, raw)) return false;
    sl_buf_add(signature, raw, sizeof raw);
    return !signature->failed;
}

static bool pkey_verify(const sl_auth_key *key, sl_str text, sl_str signature) {
    unsigned char *der = NULL;
    const unsigned char *sig = (const unsigned char *)signature.data;
    size_t size = signature.size;
    if (key->alg == SL_JWT_ES256) {
        int der_size = der_from_raw(signature, &der);
        if (der_size <= 0) return false;
        sig = der;
        size = (size_t)der_size;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, digest_of(key), NULL, key->pkey) == 1 &&
              EVP_DigestVerify(ctx, sig, size, (const unsigned char *)text.data, text.size) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ERR_clear_error();
    return ok;
}

static bool signature_fits(const sl_auth_key *key, sl_str text, sl_str signature) {
    unsigned char mac[MAC_SIZE];
    if (key->alg != SL_JWT_HS256) return pkey_verify(key, text, signature);
    return signature.size == MAC_SIZE && hmac(key, text, mac) &&
           CRYPTO_memcmp(mac, signature.data, MAC_SIZE) == 0;
}

/* ---- signing --------------------------------------------------------------------------------- */

static void add_header(const sl_auth_key *key, sl_buf *out) {
    json_t *header = json_pack("{s:s, s:s}", "alg", sl_jwt_alg_name(key->alg), "typ", "JWT");
    if (header && key->kid[0]) json_object_set_new(header, "kid", json_string(key->kid));
    char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    if (text)
        sl_base64url_encode(sl_str_c(text), out);
    else
        out->failed = true;
    free(text);
    json_decref(header);
}

bool sl_jwt_sign(const sl_auth_key *key, sl_str claims, sl_buf *out, sl_status *st) {
    if (!key->can_sign)
        return sl_fail(st, SL_ERR_AUTH, "",
                       "this key can only verify; signing needs a private key");
    size_t start = out->size;
    add_header(key, out);
    sl_buf_byte(out, '.');
    sl_base64url_encode(claims, out);
    if (out->failed) return sl_fail_memory(st);
    sl_str text = sl_str_of(out->data + start, out->size - start);
    sl_buf signature;
    sl_buf_init(&signature, out->alloc);
    unsigned char mac[MAC_SIZE];
    bool ok = key->alg == SL_JWT_HS256 ? hmac(key, text, mac) : pkey_sign(key, text, &signature);
    if (ok && key->alg == SL_JWT_HS256) sl_buf_add(&signature, mac, sizeof mac);
    sl_buf_byte(out, '.');
    if (ok) sl_base64url_encode(sl_str_of(signature.data, signature.size), out);
    ok = ok && !signature.failed && !out->failed;
    sl_buf_free(&signature);
    if (!ok) {
        out->size = start;
        return sl_fail(st, SL_ERR_AUTH, "", "the token could not be signed");
    }
    return true;
}

/* ---- verifying ------------------------------------------------------------------------------- */

typedef struct parts {
    sl_str header, claims, signature, signed_text;
} parts;

static bool split(sl_str token, parts *out, sl_status *st) {
    if (token.size > SL_JWT_MAX)
        return sl_fail(st, SL_ERR_AUTH, "", "the token is longer than %d bytes", SL_JWT_MAX);
    const char *end = token.data + token.size;
    const char *first = token.size ? memchr(token.data, '.', token.size) : NULL;
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return sl_fail(st, SL_ERR_AUTH, "", "a token has three parts with dots in between");
    out->header = sl_str_of(token.data, (size_t)(first - token.data));
    out->claims = sl_str_of(first + 1, (size_t)(second - first - 1));
    out->signature = sl_str_of(second + 1, (size_t)(end - second - 1));
    out->signed_text = sl_str_of(token.data, (size_t)(second - token.data));
    return true;
}

/* Decodes one part into `bytes` and parses it; NULL if it is not a JSON object. */
static json_t *read_part(sl_str part, sl_buf *bytes) {
    sl_buf_clear(bytes);
    if (!sl_base64url_decode(part, bytes)) return NULL;
    json_t *json =
        json_loadb(bytes->data ? bytes->data : "", bytes->size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json)) return json;
    json_decref(json);
    return NULL;
}

static bool header_suits(const json_t *header, const sl_auth_key *key) {
    const json_t *alg = json_object_get(header, "alg"), *kid = json_object_get(header, "kid");
    if (!json_is_string(alg) || strcmp(json_string_value(alg), sl_jwt_alg_name(key->alg)) != 0)
        return false;
    if (json_object_get(header, "crit")) return false; /* extensions we do not know */
    return !kid || (json_is_string(kid) && strcmp(json_string_value(kid), key->kid) == 0);
}

static bool check_signature(const parts *token, const sl_auth_key *const *keys, size_t key_count,
                            const sl_alloc *alloc, sl_status *st) {
    sl_buf bytes, signature;
    sl_buf_init(&bytes, alloc);
    sl_buf_init(&signature, alloc);
    json_t *header = read_part(token->header, &bytes);
    bool ok = false, suits = false;
    if (header && sl_base64url_decode(token->signature, &signature)) {
        for (size_t i = 0; i < key_count && !ok; i++) {
            if (!header_suits(header, keys[i])) continue;
            suits = true;
            ok = signature_fits(keys[i], token->signed_text,
                                sl_str_of(signature.data, signature.size));
        }
    }
    if (!ok && suits)
        sl_fail(st, SL_ERR_AUTH, "", "signature is invalid");
    else if (!ok)
        sl_fail(st, SL_ERR_AUTH, "",
                "no configured key has the algorithm and key name of the token");
    json_decref(header);
    sl_buf_free(&bytes);
    sl_buf_free(&signature);
    return ok;
}

/* An integer claim; *present tells whether it is there. */
static bool time_claim(const json_t *claims, const char *name, bool *present, int64_t *value,
                       sl_status *st) {
    const json_t *claim = json_object_get(claims, name);
    *present = claim != NULL;
    if (!claim) return true;
    if (!json_is_integer(claim) || json_integer_value(claim) < 0 ||
        json_integer_value(claim) > INT64_MAX / 2)
        return sl_fail(st, SL_ERR_AUTH, "", "the claim '%s' must be seconds as an integer", name);
    *value = json_integer_value(claim);
    return true;
}

static bool check_times(const json_t *claims, const sl_jwt_expect *expect, sl_status *st) {
    static const char *const starts[] = {"nbf", "iat"};
    bool present;
    int64_t value = 0;
    if (!time_claim(claims, "exp", &present, &value, st)) return false;
    if (!present) return sl_fail(st, SL_ERR_AUTH, "", "the token has no expiry ('exp')");
    if (value + expect->leeway < expect->now)
        return sl_fail(st, SL_ERR_AUTH, "expired", "the token has expired");
    for (size_t i = 0; i < 2; i++) {
        if (!time_claim(claims, starts[i], &present, &value, st)) return false;
        if (present && value - expect->leeway > expect->now)
            return sl_fail(st, SL_ERR_AUTH, "", "the token is not valid yet ('%s')", starts[i]);
    }
    return true;
}

static bool is_one_of(const json_t *text, const sl_jwt_expect *expect) {
    if (!json_is_string(text)) return false;
    sl_str value = sl_str_of(json_string_value(text), json_string_length(text));
    for (size_t i = 0; i < expect->audience_count; i++)
        if (sl_str_eq(value, expect->audiences[i])) return true;
    return false;
}

static bool check_parties(const json_t *claims, const sl_jwt_expect *expect, sl_status *st) {
    const json_t *aud = json_object_get(claims, "aud"), *iss = json_object_get(claims, "iss");
    bool meant_for_us = expect->audience_count == 0 || is_one_of(aud, expect);
    for (size_t i = 0; !meant_for_us && i < json_array_size(aud); i++)
        meant_for_us = is_one_of(json_array_get(aud, i), expect);
    if (!meant_for_us)
        return sl_fail(st, SL_ERR_AUTH, "", "the token is meant for somebody else ('aud')");
    if (expect->issuer.size &&
        (!json_is_string(iss) ||
         !sl_str_eq(expect->issuer, sl_str_of(json_string_value(iss), json_string_length(iss)))))
        return sl_fail(st, SL_ERR_AUTH, "", "the token has another issuer ('iss')");
    return true;
}

bool sl_jwt_verify(sl_str token, const sl_auth_key *const *keys, size_t key_count,
                   const sl_jwt_expect *expect, sl_buf *claims, sl_status *st) {
    parts split_token;
    const sl_alloc *alloc = claims ? claims->alloc : NULL;
    if (!split(token, &split_token, st) ||
        !check_signature(&split_token, keys, key_count, alloc, st))
        return false;
    sl_buf bytes;
    sl_buf_init(&bytes, alloc);
    json_t *json = read_part(split_token.claims, &bytes);
    bool ok = json ? check_times(json, expect, st) && check_parties(json, expect, st)
                   : sl_fail(st, SL_ERR_AUTH, "", "the claims of the token are not a JSON object");
    if (ok && claims) {
        sl_buf_add(claims, bytes.data, bytes.size);
        ok = !claims->failed || sl_fail_memory(st);
    }
    json_decref(json);
    sl_buf_free(&bytes);
    return ok;
}

bool sl_jwt_decode(sl_str token, sl_buf *claims, sl_status *st) {
    parts split_token;
    if (!split(token, &split_token, st)) return false;
    sl_buf bytes;
    sl_buf_init(&bytes, claims->alloc);
    json_t *json = read_part(split_token.claims, &bytes);
    if (json) sl_buf_add(claims, bytes.data, bytes.size);
    bool ok = json && !claims->failed;
    json_decref(json);
    sl_buf_free(&bytes);
    return ok || sl_fail(st, SL_ERR_AUTH, "", "the claims of the token are not a JSON object");
}
