/* collections.h - what the proxies of lists, sets and dictionaries share. */
#ifndef SL_LUA_COLLECTIONS_H
#define SL_LUA_COLLECTIONS_H

#include "lua/realm.h"

/* What is at the collection `self`; raises when it exists no more. */
sl_view sl_lua_view(lua_State *L, const sl_lua_place *self);
/* The Lua value at `index` as an element for the collection; raises with what was expected. Returns
 * false when it is a table or another collection, which only the Lua half takes apart, or when the
 * elements are embedded objects. */
bool sl_lua_element(lua_State *L, int index, const sl_lua_place *self, const sl_view *view,
                    sl_value *out, sl_link *link);
/* Pushes element `index` (from 0); the dictionary key goes below it if `with_key`. Returns the
 * number of values pushed, 0 beyond the end. */
int sl_lua_push_element(lua_State *L, const sl_lua_place *self, uint32_t index, bool with_key);

/* collection:count(), #collection */
int sl_lua_collection_count(lua_State *L);
/* aggregate.c: collection:aggregate() */
int sl_lua_collection_aggregate(lua_State *L);
/* collection:clear() */
int sl_lua_collection_clear(lua_State *L);
/* collection:element_type() -> type name, target class or "", whether elements are embedded objects
 */
int sl_lua_collection_element_type(lua_State *L);
/* for position, value in collection:each(); (key, value) for dictionaries. The collection may be
 * changed meanwhile: lists and sets go on at the next position, dictionaries walk over the keys
 * that were there at the start. */
int sl_lua_collection_each(lua_State *L);

#endif
