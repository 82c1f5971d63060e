/* auth.h - what the files for passwords share. */
#ifndef SL_LUA_AUTH_H
#define SL_LUA_AUTH_H

#include "auth/password.h"
#include "lua/compat.h"

/* The option table {log_n=, r=, p=} at `index`, or nothing: the default cost. Raises for what is
 * out of range. */
sl_scrypt_cost sl_lua_check_cost(lua_State *L, int index);

#endif
