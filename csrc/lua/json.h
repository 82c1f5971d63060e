/* json.h - JSON for Lua without loss: 64-bit integers stay integers, null stays null, and an empty
 * array stays an array. */
#ifndef SL_LUA_JSON_H
#define SL_LUA_JSON_H

#include "lua/compat.h"

/* Pushes the table {decode, encode, array, null} and returns 1.
 *   decode(text) -> value, or nil, message, "json". Objects become tables, arrays tables that carry
 *     the array metatable, null syncline.null; integers any form of value.h; other numbers floats.
 *     Strict RFC 8259: UTF-8, no duplicate members, no more than one value, at most 512 levels.
 *   encode(value) -> text. Raises for what JSON cannot say (functions, NaN, cycles, invalid UTF-8).
 *     A table is an array if it carries the array metatable or has a value at index 1, else an
 *     object, its members in byte order. Typed objects are refused: turn them into EJSON first.
 *   array(table) -> table, marked as an array. */
int sl_lua_open_json(lua_State *L);

#endif
