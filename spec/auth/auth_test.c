#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "auth/jwt.h"
#include "auth/password.h"

static const sl_str SECRET = {"0123456789abcdef0123456789abcdef", 32, SL_NO_SYM};
static const sl_str AUDIENCE = {"app", 3, SL_NO_SYM};

enum { NOW = 1700000000 };

static sl_jwt_expect expectation(void) {
    return (sl_jwt_expect){.now = NOW, .leeway = 30, .audiences = &AUDIENCE, .audience_count = 1};
}

static sl_auth_key *secret_key(const char *kid) {
    sl_auth_key *key;
    sl_status st = SL_STATUS_INIT;
    assert_true(sl_auth_key_secret(NULL, sl_str_c(kid), SECRET, &key, &st));
    return key;
}

/* PEM texts of a fresh key pair; to be freed. */
static void make_pem(EVP_PKEY *pkey, char **private_pem, char **public_pem) {
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    assert_true(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL));
    long size = BIO_get_mem_data(bio, &text);
    *private_pem = strndup(text, (size_t)size);
    BIO_free(bio);
    bio = BIO_new(BIO_s_mem());
    assert_true(PEM_write_bio_PUBKEY(bio, pkey));
    size = BIO_get_mem_data(bio, &text);
    *public_pem = strndup(text, (size_t)size);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

static bool verify(const char *token, const sl_auth_key *key, sl_status *st) {
    sl_jwt_expect expect = expectation();
    return sl_jwt_verify(sl_str_c(token), &key, 1, &expect, NULL, st);
}

/* A token with these claims; to be freed. */
static char *signed_token(const sl_auth_key *key, const char *claims) {
    sl_buf out;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&out, NULL);
    assert_true(sl_jwt_sign(key, sl_str_c(claims), &out, &st));
    char *token = strndup(out.data, out.size);
    sl_buf_free(&out);
    return token;
}

static void expect_claims(const char *claims, bool good, const char *reason) {
    sl_auth_key *key = secret_key("k");
    char *token = signed_token(key, claims);
    sl_status st = SL_STATUS_INIT;
    assert_int_equal(verify(token, key, &st), good);
    if (!good) assert_non_null(strstr(st.message, reason));
    free(token);
    sl_auth_key_free(key);
}

static void claims_are_checked(void **state) {
    (void)state;
    expect_claims("{\"aud\":\"app\",\"exp\":1700000100,\"iat\":1700000000}", true, "");
    expect_claims("{\"aud\":[\"x\",\"app\"],\"exp\":1700000100}", true, "");
    expect_claims("{\"aud\":\"app\",\"exp\":1699999980}", true, ""); /* inside the leeway */
    expect_claims("{\"aud\":\"app\",\"exp\":1699999900}", false, "expired");
    expect_claims("{\"aud\":\"app\"}", false, "no expiry");
    expect_claims("{\"aud\":\"app\",\"exp\":1.7e9}", false, "integer");
    expect_claims("{\"aud\":\"app\",\"exp\":\"1700000100\"}", false, "integer");
    expect_claims("{\"aud\":\"app\",\"exp\":-1}", false, "integer");
    expect_claims("{\"aud\":\"app\",\"exp\":1700000100,\"nbf\":1700000050}", false,
                  "not valid yet");
    expect_claims("{\"aud\":\"app\",\"exp\":1700000100,\"iat\":1700000050}", false,
                  "not valid yet");
    expect_claims("{\"aud\":\"other\",\"exp\":1700000100}", false, "somebody else");
    expect_claims("{\"exp\":1700000100}", false, "somebody else");
    expect_claims("{\"aud\":\"app\",\"aud\":\"app\",\"exp\":1700000100}", false,
                  "not a JSON object");
    expect_claims("[1]", false, "not a JSON object");
}

/* The example of RFC 7515, appendix A.1, with its own key. */
static void a_published_token_verifies(void **state) {
    (void)state;
    sl_auth_key *key;
    sl_status st = SL_STATUS_INIT;
    const char *jwk =
        "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
        "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}";
    assert_true(sl_auth_key_jwk(NULL, sl_str_c(jwk), &key, &st));
    const char *token =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p"
        "c19yb290Ijp0cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const sl_auth_key *keys[] = {key};
    sl_jwt_expect expect = {.now = 1300819000, .issuer = SL_STR("joe")};
    sl_buf claims;
    sl_buf_init(&claims, NULL);
    assert_true(sl_jwt_verify(sl_str_c(token), keys, 1, &expect, &claims, &st));
    assert_memory_equal(claims.data, "{\"iss\":\"joe\"", 12);
    sl_buf_free(&claims);
    sl_auth_key_free(key);
}

static void check_algorithm(sl_jwt_alg alg, EVP_PKEY *pkey) {
    char *private_pem, *public_pem;
    make_pem(pkey, &private_pem, &public_pem);
    sl_auth_key *signer, *verifier, *other = secret_key("");
    sl_status st = SL_STATUS_INIT;
    assert_true(sl_auth_key_pem(NULL, SL_STR("k"), alg, sl_str_c(private_pem), &signer, &st));
    assert_true(sl_auth_key_pem(NULL, SL_STR("k"), alg, sl_str_c(public_pem), &verifier, &st));
    char *token = signed_token(signer, "{\"aud\":\"app\",\"exp\":1700000100}");
    assert_true(verify(token, verifier, &st));
    assert_true(verify(token, signer, &st));
    assert_false(verify(token, other, &st));

    /* One changed character anywhere in claims or signature breaks it. */
    char *end = token + strlen(token);
    for (char *at = strchr(token, '.') + 1; at < end; at += 7) {
        if (*at == '.') continue;
        char kept = *at;
        *at = kept == 'A' ? 'B' : 'A';
        assert_false(verify(token, verifier, &st));
        *at = kept;
    }
    /* A verifying key cannot sign. */
    sl_buf out;
    sl_buf_init(&out, NULL);
    assert_false(sl_jwt_sign(verifier, SL_STR("{}"), &out, &st));
    sl_buf_free(&out);
    free(token);
    free(private_pem);
    free(public_pem);
    sl_auth_key_free(signer);
    sl_auth_key_free(verifier);
    sl_auth_key_free(other);
}

static void every_algorithm_signs_and_verifies(void **state) {
    (void)state;
    check_algorithm(SL_JWT_RS256, EVP_RSA_gen(2048));
    check_algorithm(SL_JWT_ES256, EVP_EC_gen("P-256"));
    check_algorithm(SL_JWT_EDDSA, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

/* Header {"alg":ALG,...} with claims that would pass. */
static char *forged(const char *header, const char *signature) {
    sl_buf out;
    sl_buf_init(&out, NULL);
    sl_base64url_encode(sl_str_c(header), &out);
    sl_buf_byte(&out, '.');
    sl_base64url_encode(SL_STR("{\"aud\":\"app\",\"exp\":1700000100}"), &out);
    sl_buf_byte(&out, '.');
    sl_buf_text(&out, signature);
    char *token = strndup(out.data, out.size);
    sl_buf_free(&out);
    return token;
}

static void a_token_cannot_choose_its_algorithm(void **state) {
    (void)state;
    static const char *const headers[] = {"{\"alg\":\"none\"}",
                                          "{\"alg\":\"NONE\"}",
                                          "{}",
                                          "{\"alg\":\"RS256\"}",
                                          "{\"alg\":1}",
                                          "[]",
                                          "{\"alg\":\"HS256\",\"crit\":[\"x\"]}"};
    sl_auth_key *key = secret_key("");
    sl_status st = SL_STATUS_INIT;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char *token = forged(headers[i], "");
        assert_false(verify(token, key, &st));
        free(token);
    }
    sl_auth_key_free(key);
}

/* Signing with the text of a public key as an HMAC secret must not work on either side. */
static void a_public_key_is_no_secret(void **state) {
    (void)state;
    char *private_pem, *public_pem;
    make_pem(EVP_RSA_gen(2048), &private_pem, &public_pem);
    sl_auth_key *key = NULL, *verifier;
    sl_status st = SL_STATUS_INIT;
    assert_false(sl_auth_key_secret(NULL, SL_STR(""), sl_str_c(public_pem), &key, &st));
    assert_null(key);
    assert_true(
        sl_auth_key_pem(NULL, SL_STR(""), SL_JWT_RS256, sl_str_c(public_pem), &verifier, &st));
    char *token = forged("{\"alg\":\"HS256\"}", "AAAA");
    assert_false(verify(token, verifier, &st));
    free(token);
    sl_auth_key_free(verifier);
    free(private_pem);
    free(public_pem);
}

static void weak_or_unsuitable_keys_are_refused(void **state) {
    (void)state;
    char *private_pem, *public_pem;
    sl_auth_key *key;
    sl_status st = SL_STATUS_INIT;
    assert_false(sl_auth_key_secret(NULL, SL_STR(""), SL_STR("short"), &key, &st));
    make_pem(EVP_RSA_gen(1024), &private_pem, &public_pem);
    assert_false(sl_auth_key_pem(NULL, SL_STR(""), SL_JWT_RS256, sl_str_c(private_pem), &key, &st));
    assert_false(sl_auth_key_pem(NULL, SL_STR(""), SL_JWT_ES256, sl_str_c(private_pem), &key, &st));
    assert_false(sl_auth_key_pem(NULL, SL_STR(""), SL_JWT_RS256, SL_STR("rubbish"), &key, &st));
    assert_false(sl_auth_key_jwk(NULL, SL_STR("{\"kty\":\"RSA\",\"n\":\"AQ\"}"), &key, &st));
    assert_false(sl_auth_key_jwk(
        NULL, SL_STR("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}"), &key, &st));
    assert_false(sl_auth_key_jwk(NULL, SL_STR("7"), &key, &st));
    free(private_pem);
    free(public_pem);
}

/* RFC 8037, appendix A: an Ed25519 public key as JWK. */
static void an_okp_key_is_read(void **state) {
    (void)state;
    sl_auth_key *key;
    sl_status st = SL_STATUS_INIT;
    assert_true(sl_auth_key_jwk(NULL,
                                SL_STR("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\",\"x\":"
                                       "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"),
                                &key, &st));
    assert_int_equal(key->alg, SL_JWT_EDDSA);
    assert_string_equal(key->kid, "ed");
    assert_false(key->can_sign);
    sl_auth_key_free(key);
}

static void the_key_name_selects_the_key(void **state) {
    (void)state;
    sl_auth_key *old_key = secret_key("old"), *other;
    sl_status st = SL_STATUS_INIT;
    assert_true(sl_auth_key_secret(NULL, SL_STR("new"), SL_STR("abcdefghijklmnopabcdefghijklmnop"),
                                   &other, &st));
    char *token = signed_token(old_key, "{\"aud\":\"app\",\"exp\":1700000100}");
    const sl_auth_key *both[] = {other, old_key};
    sl_jwt_expect expect = expectation();
    assert_true(sl_jwt_verify(sl_str_c(token), both, 2, &expect, NULL, &st));
    assert_false(sl_jwt_verify(sl_str_c(token), both, 1, &expect, NULL, &st));
    assert_false(sl_jwt_verify(sl_str_c(token), both, 0, &expect, NULL, &st));
    free(token);
    sl_auth_key_free(old_key);
    sl_auth_key_free(other);
}

static void malformed_tokens_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",    ".",       "..",        "...",
                                      "a.b", "a.b.c.d", "!!.e30.AA", "e30.e30.e30"};
    sl_auth_key *key = secret_key("");
    sl_status st = SL_STATUS_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(verify(bad[i], key, &st));
    sl_auth_key_free(key);
}

/* One value has one spelling: leftover bits must be zero. */
static void base64url_has_one_spelling(void **state) {
    (void)state;
    sl_buf out;
    sl_buf_init(&out, NULL);
    assert_true(sl_base64url_decode(SL_STR("Zg"), &out));
    assert_memory_equal(out.data, "f", 1);
    assert_false(sl_base64url_decode(SL_STR("Zh"), &out));
    assert_false(sl_base64url_decode(SL_STR("Z"), &out));
    assert_false(sl_base64url_decode(SL_STR("Zg==="), &out));
    sl_buf_clear(&out);
    sl_auth_base64(SL_STR("foob"), &out);
    assert_memory_equal(out.data, "Zm9vYg==", 8);
    sl_buf_free(&out);
}

static void test_random(void *ctx, void *data, size_t size) {
    memset(data, (*(int *)ctx)++, size);
}

static void passwords_are_hashed_and_checked(void **state) {
    (void)state;
    int counter = 1;
    sl_env env = {NULL, NULL, test_random, &counter};
    sl_scrypt_cost cheap = {10, 8, 1}, dearer = {11, 8, 1};
    sl_buf one, two;
    sl_status st = SL_STATUS_INIT;
    bool match;
    sl_buf_init(&one, NULL);
    sl_buf_init(&two, NULL);
    assert_true(sl_password_hash(SL_STR("secret"), cheap, &env, &one, &st));
    assert_true(sl_password_hash(SL_STR("secret"), cheap, &env, &two, &st));
    sl_str stored = sl_str_of(one.data, one.size);
    assert_false(sl_str_eq(stored, sl_str_of(two.data, two.size))); /* salts differ */
    assert_true(sl_password_check(SL_STR("secret"), stored, &match, &st) && match);
    assert_true(sl_password_check(SL_STR("Secret"), stored, &match, &st) && !match);
    assert_true(sl_password_check(SL_STR(""), stored, &match, &st) && !match);
    assert_false(sl_password_needs_rehash(stored, cheap));
    assert_true(sl_password_needs_rehash(stored, dearer));
    assert_false(
        sl_password_check(SL_STR("secret"), SL_STR("$scrypt$ln=99,r=8,p=1$AA$AA"), &match, &st));
    assert_false(sl_password_check(SL_STR("secret"), SL_STR("plain"), &match, &st));
    sl_buf_free(&one);
    sl_buf_free(&two);
}

static void digests_agree_with_the_standard(void **state) {
    (void)state;
    static const uint8_t abc[4] = {0xba, 0x78, 0x16, 0xbf}; /* FIPS 180-4 example */
    uint8_t digest[32];
    sl_sha256(SL_STR("abc"), digest);
    assert_memory_equal(digest, abc, sizeof abc);
    assert_true(sl_secret_eq(SL_STR("x"), SL_STR("x")));
    assert_false(sl_secret_eq(SL_STR("x"), SL_STR("y")));
    assert_false(sl_secret_eq(SL_STR("x"), SL_STR("xx")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_checked),
        cmocka_unit_test(a_published_token_verifies),
        cmocka_unit_test(every_algorithm_signs_and_verifies),
        cmocka_unit_test(a_token_cannot_choose_its_algorithm),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(weak_or_unsuitable_keys_are_refused),
        cmocka_unit_test(an_okp_key_is_read),
        cmocka_unit_test(the_key_name_selects_the_key),
        cmocka_unit_test(malformed_tokens_are_refused),
        cmocka_unit_test(base64url_has_one_spelling),
        cmocka_unit_test(passwords_are_hashed_and_checked),
        cmocka_unit_test(digests_agree_with_the_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
