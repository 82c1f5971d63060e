/* Tokens, JSON Web Keys and stored password hashes from anybody. */
#include "auth/jwt.h"
#include "auth/password.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const sl_str secret = {"0123456789abcdef0123456789abcdef", 32, SL_NO_SYM};
    sl_auth_key *key, *jwk;
    sl_str input = sl_str_of((const char *)data, size);
    if (!sl_auth_key_secret(NULL, SL_STR(""), secret, &key, NULL)) return 0;
    const sl_auth_key *keys[] = {key};
    sl_jwt_expect expect = {.now = 1, .leeway = 60};
    sl_buf claims;
    sl_buf_init(&claims, NULL);
    sl_jwt_verify(input, keys, 1, &expect, &claims, NULL);
    sl_buf_clear(&claims);
    sl_jwt_decode(input, &claims, NULL);
    sl_buf_free(&claims);
    sl_auth_key_free(key);
    if (sl_auth_key_jwk(NULL, input, &jwk, NULL)) sl_auth_key_free(jwk);
    sl_password_needs_rehash(input, (sl_scrypt_cost)SL_SCRYPT_DEFAULT);
    return 0;
}
