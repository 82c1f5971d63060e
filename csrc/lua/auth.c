/* auth.c - keys, tokens, password hashes and digests for Lua. Claims are JSON text here; the Lua
 * half (syncline.auth) turns them into tables. */
#include "lua/core.h"

#include <jansson.h>
#include <stdlib.h>

#include "auth/jwt.h"
#include "lua/auth.h"
#include "lua/check.h"
#include "net/system_env.h"

enum { MAX_KEYS = 64, MAX_AUDIENCES = 16, MAX_RANDOM = 4096 };

/* ---- keys ------------------------------------------------------------------------------------ */

typedef struct key_box {
    sl_lua_head head;
    sl_auth_key *key;
} key_box;

static void key_close(lua_State *L, void *self) {
    (void)L;
    key_box *box = self;
    sl_auth_key_free(box->key);
    box->key = NULL;
}

static int key_kid(lua_State *L);
static int key_alg(lua_State *L);

static const luaL_Reg key_methods[] = {{"kid", key_kid}, {"alg", key_alg}, {NULL, NULL}};
static const sl_lua_type key_type = {"syncline.auth.key", sizeof(key_box), key_close, key_methods,
                                     NULL};

static const sl_auth_key *check_key(lua_State *L, int index) {
    return ((key_box *)sl_lua_check(L, index, &key_type))->key;
}

static int key_kid(lua_State *L) {
    lua_pushstring(L, check_key(L, 1)->kid);
    return 1;
}

static int key_alg(lua_State *L) {
    lua_pushstring(L, sl_jwt_alg_name(check_key(L, 1)->alg));
    return 1;
}

/* key{alg=, kid=, secret= | pem= | jwk=} -> key, or nil, message, code. */
static int make_key(lua_State *L) {
    static const char *const known[] = {"alg", "kid", "secret", "pem", "jwk", NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    sl_lua_check_options(L, 1, known);
    sl_str kid = sl_lua_option_str(L, 1, "kid", ""), alg_name = sl_lua_option_str(L, 1, "alg", "");
    sl_str secret = sl_lua_option_str(L, 1, "secret", "");
    sl_str pem = sl_lua_option_str(L, 1, "pem", ""), jwk = sl_lua_option_str(L, 1, "jwk", "");
    sl_jwt_alg alg = SL_JWT_HS256;
    if (alg_name.size && !sl_jwt_alg_from_name(alg_name, &alg))
        return luaL_error(L, "option 'alg': HS256, RS256, ES256 or EdDSA expected");
    if ((secret.size > 0) + (pem.size > 0) + (jwk.size > 0) != 1)
        return luaL_error(L, "exactly one of the options 'secret', 'pem' and 'jwk' expected");
    if (secret.size && alg != SL_JWT_HS256)
        return luaL_error(L, "a secret is for HS256; %s needs 'pem' or 'jwk'",
                          sl_jwt_alg_name(alg));
    if (pem.size && !alg_name.size) return luaL_error(L, "option 'alg' is needed beside 'pem'");
    sl_status st = SL_STATUS_INIT;
    key_box *box = sl_lua_new(L, &key_type);
    bool ok = secret.size ? sl_auth_key_secret(NULL, kid, secret, &box->key, &st)
              : pem.size  ? sl_auth_key_pem(NULL, kid, alg, pem, &box->key, &st)
                          : sl_auth_key_jwk(NULL, jwk, &box->key, &st);
    return ok ? 1 : sl_lua_fail(L, &st);
}

/* Adds the usable keys of a JWKS to the table on top; returns how many. */
static int add_jwks(lua_State *L, const json_t *set) {
    int count = 0;
    const json_t *keys = json_object_get(set, "keys");
    for (size_t i = 0; i < json_array_size(keys) && count < MAX_KEYS; i++) {
        char *text = json_dumps(json_array_get(keys, i), JSON_ENCODE_ANY);
        key_box *box = sl_lua_new(L, &key_type);
        if (text && sl_auth_key_jwk(NULL, sl_str_c(text), &box->key, NULL))
            lua_rawseti(L, -2, ++count);
        else
            lua_pop(L, 1);
        free(text);
    }
    return count;
}

/* jwks(text) -> array of keys, or nil, message, code. Keys of kinds we do not know are left out. */
static int read_jwks(lua_State *L) {
    sl_str text = sl_lua_check_str(L, 1);
    json_t *set = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
    lua_createtable(L, 4, 0);
    int count = set ? add_jwks(L, set) : 0;
    json_decref(set);
    if (count > 0) return 1;
    sl_status st = SL_STATUS_INIT;
    sl_fail(&st, SL_ERR_AUTH, "", "the JSON Web Key Set holds no usable key");
    return sl_lua_fail(L, &st);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* Pushes the buffer's bytes and frees it. */
static int push_buf(lua_State *L, sl_buf *buf) {
    lua_pushlstring(L, buf->data ? buf->data : "", buf->size);
    sl_buf_free(buf);
    return 1;
}

static int fail_buf(lua_State *L, sl_buf *buf, const sl_status *st) {
    sl_buf_free(buf);
    return sl_lua_fail(L, st);
}

/* sign(claims, key) -> token */
static int sign(lua_State *L) {
    sl_str claims = sl_lua_check_str(L, 1);
    const sl_auth_key *key = check_key(L, 2);
    sl_buf out;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&out, NULL);
    if (!sl_jwt_sign(key, claims, &out, &st)) return fail_buf(L, &out, &st);
    return push_buf(L, &out);
}

/* Reads an option that is a string or an array of strings. */
static size_t read_audiences(lua_State *L, int index, sl_str out[MAX_AUDIENCES]) {
    size_t count = 0;
    lua_getfield(L, index, "audience");
    if (lua_type(L, -1) == LUA_TSTRING) {
        out[count++] = sl_lua_check_str(L, -1);
    } else if (lua_istable(L, -1)) {
        for (int i = 1; count < MAX_AUDIENCES; i++) {
            lua_rawgeti(L, -1, i);
            if (lua_type(L, -1) != LUA_TSTRING) break;
            out[count++] = sl_lua_check_str(L, -1); /* the table holds it */
            lua_pop(L, 1);
        }
    }
    return count;
}

/* verify(token, {key, ...}, {now=, leeway=, audience=, issuer=}) -> claims */
static int verify(lua_State *L) {
    static const char *const known[] = {"now", "leeway", "audience", "issuer", NULL};
    const sl_auth_key *keys[MAX_KEYS];
    sl_str audiences[MAX_AUDIENCES];
    sl_str token = sl_lua_check_str(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    sl_lua_check_options(L, 3, known);
    size_t count = lua_rawlen(L, 2);
    if (count > MAX_KEYS) return luaL_error(L, "at most %d keys", (int)MAX_KEYS);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (int)i + 1);
        keys[i] = check_key(L, -1); /* the table holds it */
        lua_pop(L, 1);
    }
    sl_jwt_expect expect = {
        .now = sl_lua_option_int(L, 3, "now", 0, INT64_MAX / 2, 0),
        .leeway = sl_lua_option_int(L, 3, "leeway", 0, 3600, 60),
        .issuer = sl_lua_option_str(L, 3, "issuer", ""),
        .audiences = audiences,
    };
    expect.audience_count = read_audiences(L, 3, audiences);
    sl_buf out;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&out, NULL);
    if (!sl_jwt_verify(token, keys, count, &expect, &out, &st)) return fail_buf(L, &out, &st);
    return push_buf(L, &out);
}

/* decode(token) -> claims, unverified */
static int decode(lua_State *L) {
    sl_str token = sl_lua_check_str(L, 1);
    sl_buf out;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&out, NULL);
    if (!sl_jwt_decode(token, &out, &st)) return fail_buf(L, &out, &st);
    return push_buf(L, &out);
}

/* ---- passwords and digests ------------------------------------------------------------------- */

sl_scrypt_cost sl_lua_check_cost(lua_State *L, int index) {
    static const char *const known[] = {"log_n", "r", "p", NULL};
    sl_scrypt_cost cost = SL_SCRYPT_DEFAULT;
    sl_lua_check_options(L, index, known);
    cost.log_n = (uint8_t)sl_lua_option_int(L, index, "log_n", 10, 20, cost.log_n);
    cost.r = (uint8_t)sl_lua_option_int(L, index, "r", 1, 32, cost.r);
    cost.p = (uint8_t)sl_lua_option_int(L, index, "p", 1, 16, cost.p);
    return cost;
}

/* hash_password(password[, {log_n=, r=, p=}]) -> text */
static int hash_password(lua_State *L) {
    sl_str password = sl_lua_check_str(L, 1);
    sl_scrypt_cost cost = sl_lua_check_cost(L, 2);
    sl_buf out;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&out, NULL);
    if (!sl_password_hash(password, cost, sl_system_env(), &out, &st))
        return fail_buf(L, &out, &st);
    return push_buf(L, &out);
}

/* check_password(password, text) -> boolean */
static int check_password(lua_State *L) {
    bool match;
    sl_status st = SL_STATUS_INIT;
    if (!sl_password_check(sl_lua_check_str(L, 1), sl_lua_check_str(L, 2), &match, &st))
        return sl_lua_fail(L, &st);
    lua_pushboolean(L, match);
    return 1;
}

/* password_needs_rehash(text[, cost]) -> boolean */
static int needs_rehash(lua_State *L) {
    lua_pushboolean(L, sl_password_needs_rehash(sl_lua_check_str(L, 1), sl_lua_check_cost(L, 2)));
    return 1;
}

/* random(count) -> that many bytes */
static int random_bytes(lua_State *L) {
    char bytes[MAX_RANDOM];
    size_t size = (size_t)sl_lua_check_int(L, 1, 0, MAX_RANDOM);
    const sl_env *env = sl_system_env();
    env->random(env->ctx, bytes, size);
    lua_pushlstring(L, bytes, size);
    return 1;
}

/* sha256(bytes) -> 32 bytes */
static int sha256(lua_State *L) {
    uint8_t digest[32];
    sl_sha256(sl_lua_check_str(L, 1), digest);
    lua_pushlstring(L, (const char *)digest, sizeof digest);
    return 1;
}

/* equal(a, b) -> boolean, in constant time */
static int equal(lua_State *L) {
    lua_pushboolean(L, sl_secret_eq(sl_lua_check_str(L, 1), sl_lua_check_str(L, 2)));
    return 1;
}

static int encode_base64(lua_State *L) {
    sl_buf out;
    sl_buf_init(&out, NULL);
    sl_auth_base64(sl_lua_check_str(L, 1), &out);
    return push_buf(L, &out);
}

/* base64_decode(text) -> bytes, or nil, message, code. Either alphabet. */
static int decode_base64(lua_State *L) {
    sl_buf out;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&out, NULL);
    if (sl_base64url_decode(sl_lua_check_str(L, 1), &out)) return push_buf(L, &out);
    sl_fail(&st, SL_ERR_AUTH, "base64", "not base64");
    return fail_buf(L, &out, &st);
}

int sl_lua_open_auth(lua_State *L) {
    static const luaL_Reg functions[] = {{"key", make_key},
                                         {"jwks", read_jwks},
                                         {"sign", sign},
                                         {"verify", verify},
                                         {"decode", decode},
                                         {"hash_password", hash_password},
                                         {"check_password", check_password},
                                         {"password_needs_rehash", needs_rehash},
                                         {"random", random_bytes},
                                         {"sha256", sha256},
                                         {"equal", equal},
                                         {"base64_encode", encode_base64},
                                         {"base64_decode", decode_base64},
                                         {NULL, NULL}};
    sl_lua_register(L, &key_type);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
