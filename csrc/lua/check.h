/* check.h - habits that every userdata of the module shares: argument checks, errors, closing. */
#ifndef SL_LUA_CHECK_H
#define SL_LUA_CHECK_H

#include "base/status.h"
#include "base/str.h"
#include "lua/compat.h"

/* ---- errors ---------------------------------------------------------------------------------- */

/* Operational failure: pushes nil, message, code and returns 3, for use after return. The code is
 * the protocol or HTTP number if the status has one, else its short id ("P-INT"), else the name of
 * its class ("storage"). A byte offset is appended to the message. */
int sl_lua_fail(lua_State *L, const sl_status *st);
/* A programming mistake: raises the message. Does not return (int for use after return). The caller
 * must hold nothing that only it can free. */
int sl_lua_raise(lua_State *L, const sl_status *st);
/* SL_ERR_USAGE raises, everything else is returned. */
int sl_lua_fail_or_raise(lua_State *L, const sl_status *st);
/* Raises what went wrong where nothing can be returned (inside metamethods): a text with position
 * for SL_ERR_USAGE, else a table {message=, code=, class=} with the metatable syncline.error, which
 * prints as its message and which realm:write turns into nil, message, code. */
int sl_lua_throw(lua_State *L, const sl_status *st);
/* Pushes what sl_lua_fail pushes as code: a number or a string. */
void sl_lua_push_code(lua_State *L, const sl_status *st);

/* ---- arguments ------------------------------------------------------------------------------- */

/* The string argument `index` (raises if it is none; numbers are refused). Borrowed from Lua: valid
 * while the value is on the stack. Raises above 2^32 - 2 bytes. */
sl_str sl_lua_check_str(lua_State *L, int index);
/* As above, `fallback` for none or nil. */
sl_str sl_lua_opt_str(lua_State *L, int index, const char *fallback);
/* An integer argument in any accepted form (value.h); raises outside min .. max. */
int64_t sl_lua_check_int(lua_State *L, int index, int64_t min, int64_t max);
int64_t sl_lua_opt_int(lua_State *L, int index, int64_t min, int64_t max, int64_t fallback);
/* A boolean argument; raises for anything else. `fallback` for none or nil. */
bool sl_lua_opt_bool(lua_State *L, int index, bool fallback);

/* Fields of the option table at `index` (absolute or relative; must be a table, or nil/none for all
 * fallbacks). A value of the wrong type raises "option 'name': string expected, got number". The
 * string is borrowed from the table and valid while the table keeps it. */
sl_str sl_lua_option_str(lua_State *L, int index, const char *name, const char *fallback);
int64_t sl_lua_option_int(lua_State *L, int index, const char *name, int64_t min, int64_t max,
                          int64_t fallback);
bool sl_lua_option_bool(lua_State *L, int index, const char *name, bool fallback);
double sl_lua_option_number(lua_State *L, int index, const char *name, double fallback);
/* Raises for a field of the option table at `index` (if there is one) that is none of `names`, a
 * list that ends with NULL: "unknown option 'tiemout'; did you mean 'timeout'?" */
void sl_lua_check_options(lua_State *L, int index, const char *const *names);
/* Pushes the field `name`, which must be a function, or nil when absent; returns whether it is
 * there. */
bool sl_lua_option_function(lua_State *L, int index, const char *name);

/* ---- userdata -------------------------------------------------------------------------------- */

/* First member of every userdata struct. `closed` is set before anything is torn down, so that a
 * call back into Lua during the close finds the object closed. */
typedef struct sl_lua_head {
    bool closed;
} sl_lua_head;

/* One userdata type; a constant with static storage. `name` is the metatable's name in the registry
 * and what error messages call it ("syncline.realm"). `close` (may be NULL) is called exactly once,
 * by :close(), __gc or __close, whichever comes first, and must not raise. `methods` are found by
 * indexing, unless `metamethods` has an __index of its own; `metamethods` (may be NULL) go into the
 * metatable. The helper adds close, __gc, __close, __name and a __tostring. */
typedef struct sl_lua_type {
    const char *name;
    size_t size;
    void (*close)(lua_State *L, void *self);
    const luaL_Reg *methods;
    const luaL_Reg *metamethods;
} sl_lua_type;

/* Makes the metatable. Call once per type from the sl_lua_open_* function; harmless when repeated.
 */
void sl_lua_register(lua_State *L, const sl_lua_type *type);
/* Pushes a new userdata of `type`, all bytes zero. Fill it so that `close` is safe at any moment.
 */
void *sl_lua_new(lua_State *L, const sl_lua_type *type);
/* The open userdata at `index`; raises for another type and for a closed one. */
void *sl_lua_check(lua_State *L, int index, const sl_lua_type *type);
/* As above without raising: NULL for another type; a closed one is returned too. */
void *sl_lua_test(lua_State *L, int index, const sl_lua_type *type);

/* ---- references and callbacks ---------------------------------------------------------------- */

/* Calls the function below `args` arguments with a traceback; leaves `results` values, or an error
 * text on failure (returns false). */
bool sl_lua_call(lua_State *L, int args, int results);

#endif
