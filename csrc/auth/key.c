#include "auth/key.h"

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

enum { MIN_SECRET = 32, MIN_RSA_BITS = 2048 };

static const char *const names[] = {"HS256", "RS256", "ES256", "EdDSA"};

const char *sl_jwt_alg_name(sl_jwt_alg alg) {
    return names[alg];
}

bool sl_jwt_alg_from_name(sl_str name, sl_jwt_alg *alg) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (sl_str_eq(name, sl_str_c(names[i]))) {
            *alg = (sl_jwt_alg)i;
            return true;
        }
    }
    return false;
}

void sl_auth_wipe(void *data, size_t size) {
    OPENSSL_cleanse(data, size);
}

void sl_auth_key_free(sl_auth_key *key) {
    if (!key) return;
    if (key->secret) sl_auth_wipe(key->secret, key->secret_size);
    sl_delete(key->alloc, key->secret);
    EVP_PKEY_free(key->pkey);
    sl_delete(key->alloc, key);
}

static bool make_key(const sl_alloc *alloc, sl_str kid, sl_jwt_alg alg, sl_auth_key **key,
                     sl_status *st) {
    *key = NULL;
    if (kid.size > SL_KID_MAX)
        return sl_fail(st, SL_ERR_AUTH, "", "a key name may have %d bytes, this one has %u",
                       SL_KID_MAX, (unsigned)kid.size);
    sl_auth_key *made = sl_new_zero(alloc, 1, sizeof *made);
    if (!made) return sl_fail_memory(st);
    made->alloc = alloc;
    made->alg = alg;
    if (kid.size) memcpy(made->kid, kid.data, kid.size);
    *key = made;
    return true;
}

static bool give_up(sl_auth_key **key) {
    sl_auth_key_free(*key);
    *key = NULL;
    return false;
}

static bool looks_like_pem(sl_str secret) {
    sl_str mark = SL_STR("-----BEGIN");
    return secret.size >= mark.size && memmem(secret.data, secret.size, mark.data, mark.size);
}

bool sl_auth_key_secret(const sl_alloc *alloc, sl_str kid, sl_str secret, sl_auth_key **key,
                        sl_status *st) {
    *key = NULL;
    if (looks_like_pem(secret))
        return sl_fail(st, SL_ERR_AUTH, "", "an HS256 secret must be random bytes, not a PEM file");
    if (secret.size < MIN_SECRET)
        return sl_fail(st, SL_ERR_AUTH, "", "an HS256 secret needs at least %d bytes, this has %u",
                       MIN_SECRET, (unsigned)secret.size);
    if (!make_key(alloc, kid, SL_JWT_HS256, key, st)) return false;
    (*key)->secret = sl_new(alloc, secret.size);
    if (!(*key)->secret) {
        give_up(key);
        return sl_fail_memory(st);
    }
    memcpy((*key)->secret, secret.data, secret.size);
    (*key)->secret_size = secret.size;
    (*key)->can_sign = true;
    return true;
}

/* Does this key belong to its algorithm? */
static bool check_kind(const sl_auth_key *key, sl_status *st) {
    int kind = EVP_PKEY_get_base_id(key->pkey);
    switch (key->alg) {
    case SL_JWT_RS256:
        if (kind != EVP_PKEY_RSA) break;
        if (EVP_PKEY_get_bits(key->pkey) < MIN_RSA_BITS)
            return sl_fail(st, SL_ERR_AUTH, "", "an RSA key needs at least %d bits", MIN_RSA_BITS);
        return true;
    case SL_JWT_ES256: {
        char group[64] = "";
        EVP_PKEY_get_group_name(key->pkey, group, sizeof group, NULL);
        if (kind == EVP_PKEY_EC && strcmp(group, "prime256v1") == 0) return true;
        break;
    }
    case SL_JWT_EDDSA:
        if (kind == EVP_PKEY_ED25519) return true;
        break;
    case SL_JWT_HS256:
        break;
    }
    return sl_fail(st, SL_ERR_AUTH, "", "this kind of key cannot be used with %s", names[key->alg]);
}

bool sl_auth_key_pem(const sl_alloc *alloc, sl_str kid, sl_jwt_alg alg, sl_str pem,
                     sl_auth_key **key, sl_status *st) {
    *key = NULL;
    if (pem.size == 0 || pem.size > INT32_MAX)
        return sl_fail(st, SL_ERR_AUTH, "", "the PEM text is empty or too long");
    if (!make_key(alloc, kid, alg, key, st)) return false;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio) {
        (*key)->pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        (*key)->can_sign = (*key)->pkey != NULL;
        if (!(*key)->pkey) {
            BIO_free(bio);
            bio = BIO_new_mem_buf(pem.data, (int)pem.size);
            if (bio) (*key)->pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
        }
        BIO_free(bio);
    }
    ERR_clear_error();
    if (!(*key)->pkey) {
        give_up(key);
        return sl_fail(st, SL_ERR_AUTH, "",
                       "the PEM text holds neither a private nor a public key");
    }
    return check_kind(*key, st) || give_up(key);
}

/* ---- JSON Web Keys --------------------------------------------------------------------------- */

/* The decoded base64url member `name`; false if it is missing or malformed. */
static bool member(const json_t *jwk, const char *name, sl_buf *out) {
    const json_t *value = json_object_get(jwk, name);
    sl_buf_clear(out);
    return json_is_string(value) &&
           sl_base64url_decode(sl_str_of(json_string_value(value), json_string_length(value)),
                               out) &&
           out->size > 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build) {
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static EVP_PKEY *rsa_key(const json_t *jwk, sl_buf *bytes) {
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = NULL, *e = NULL;
    if (member(jwk, "n", bytes))
        n = BN_bin2bn((unsigned char *)bytes->data, (int)bytes->size, NULL);
    if (member(jwk, "e", bytes))
        e = BN_bin2bn((unsigned char *)bytes->data, (int)bytes->size, NULL);
    if (build && n && e && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
        pkey = from_params("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return pkey;
}

static EVP_PKEY *ec_key(const json_t *jwk, sl_buf *bytes) {
    unsigned char point[65] = {4}; /* uncompressed */
    const json_t *curve = json_object_get(jwk, "crv");
    if (!json_is_string(curve) || strcmp(json_string_value(curve), "P-256") != 0) return NULL;
    if (!member(jwk, "x", bytes) || bytes->size != 32) return NULL;
    memcpy(point + 1, bytes->data, 32);
    if (!member(jwk, "y", bytes) || bytes->size != 32) return NULL;
    memcpy(point + 33, bytes->data, 32);
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point))
        pkey = from_params("EC", build);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

static EVP_PKEY *okp_key(const json_t *jwk, sl_buf *bytes) {
    const json_t *curve = json_object_get(jwk, "crv");
    if (!json_is_string(curve) || strcmp(json_string_value(curve), "Ed25519") != 0) return NULL;
    if (!member(jwk, "x", bytes) || bytes->size != 32) return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (unsigned char *)bytes->data, 32);
}

static sl_str text_member(const json_t *jwk, const char *name) {
    const json_t *value = json_object_get(jwk, name);
    if (!json_is_string(value)) return SL_STR("");
    return sl_str_of(json_string_value(value), json_string_length(value));
}

static bool read_jwk(const sl_alloc *alloc, const json_t *jwk, sl_buf *bytes, sl_auth_key **key,
                     sl_status *st) {
    static const struct {
        const char *type;
        sl_jwt_alg alg;
        EVP_PKEY *(*read)(const json_t *, sl_buf *);
    } kinds[] = {{"RSA", SL_JWT_RS256, rsa_key},
                 {"EC", SL_JWT_ES256, ec_key},
                 {"OKP", SL_JWT_EDDSA, okp_key}};
    sl_str type = text_member(jwk, "kty"), alg = text_member(jwk, "alg");
    sl_str kid = text_member(jwk, "kid");
    if (sl_str_eq(type, SL_STR("oct")) && (alg.size == 0 || sl_str_eq(alg, SL_STR("HS256"))) &&
        member(jwk, "k", bytes))
        return sl_auth_key_secret(alloc, kid, sl_str_of(bytes->data, bytes->size), key, st);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!sl_str_eq(type, sl_str_c(kinds[i].type))) continue;
        if (alg.size && !sl_str_eq(alg, sl_str_c(names[kinds[i].alg]))) break;
        EVP_PKEY *pkey = kinds[i].read(jwk, bytes);
        ERR_clear_error();
        if (!pkey) break;
        if (!make_key(alloc, kid, kinds[i].alg, key, st)) {
            EVP_PKEY_free(pkey);
            return false;
        }
        (*key)->pkey = pkey;
        return check_kind(*key, st) || give_up(key);
    }
    return sl_fail(st, SL_ERR_AUTH, "",
                   "not a usable JSON Web Key: RSA, EC P-256, OKP Ed25519 and oct are known");
}

bool sl_auth_key_jwk(const sl_alloc *alloc, sl_str json, sl_auth_key **key, sl_status *st) {
    *key = NULL;
    json_t *jwk = json_loadb(json.data, json.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(jwk)) {
        json_decref(jwk);
        return sl_fail(st, SL_ERR_AUTH, "", "a JSON Web Key must be a JSON object");
    }
    sl_buf bytes;
    sl_buf_init(&bytes, alloc);
    bool ok = read_jwk(alloc, jwk, &bytes, key, st);
    if (bytes.data) sl_auth_wipe(bytes.data, bytes.capacity);
    sl_buf_free(&bytes);
    json_decref(jwk);
    return ok;
}
