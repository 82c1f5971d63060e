/* client_rows.h - the client table of a server's realm file as Lua values. */
#ifndef SL_LUA_CLIENT_ROWS_H
#define SL_LUA_CLIENT_ROWS_H

#include "lua/check.h"
#include "store/store.h"

/* Registers what is used inside; harmless when repeated. */
void sl_lua_open_client_rows(lua_State *L);
/* Pushes an array of {ident, type, proxy, client_version, reciprocal_base, locked_version,
 * last_seen (Unix seconds, 0 = expired), user}; false with `st` filled on failure. Salts are
 * secrets and stay. */
bool sl_lua_push_clients(lua_State *L, sl_store *store, sl_status *st);

#endif
