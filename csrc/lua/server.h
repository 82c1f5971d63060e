/* server.h - what the userdata types of syncline.core.server share. */
#ifndef SL_LUA_SERVER_H
#define SL_LUA_SERVER_H

#include "lua/check.h"
#include "lua/net_core.h"
#include "session/server_connection.h"

/* Callbacks of a file may be called while a connection works, and the other way round, so the Lua
 * state in use is noted in one place that all of them share. `L` is NULL outside of calls. */
typedef struct sl_lua_server_room {
    sl_lua_head head;
    lua_State *L;
    sl_packer *packer; /* of all connections; NULL without memory */
} sl_lua_server_room;

/* First member (after the head) of both types. The user value is a table with the callbacks by
 * name; a connection also keeps the files lent to it there. */
typedef struct sl_lua_server_part {
    sl_lua_head head;
    sl_lua_server_room *room;
} sl_lua_server_part;

typedef struct sl_lua_server_file {
    sl_lua_server_part part;
    sl_server_file *file; /* NULL when closed */
} sl_lua_server_file;

extern const sl_lua_type sl_lua_server_file_type, sl_lua_server_connection_type;

/* Invariant: while `socket` is set the socket's sink is `sink`, and the socket is open. */
typedef struct sl_lua_server_connection {
    sl_lua_server_part part;
    sl_server_connection *connection; /* NULL when closed */
    sl_buf out;
    sl_lua_sink sink;
    sl_lua_connection *socket; /* NULL: messages pass through Lua */
    sl_loop *loop;             /* of the socket */
    sl_timer timer;            /* deadline of the connection, while there is a socket */
    sl_task pump;
    bool leaving; /* the socket has been told to end */
} sl_lua_server_connection;

/* connection:attach(socket), connection:pump() */
int sl_lua_server_attach(lua_State *L);
int sl_lua_server_pump(lua_State *L);
/* Lets go of the socket. */
void sl_lua_server_detach(sl_lua_server_connection *connection);

/* The room of this Lua universe. */
sl_lua_server_room *sl_lua_server_room_of(lua_State *L);
/* Gives the new userdata on top of the stack the callbacks `names` (NULL-terminated) out of the
 * option table at 1, and makes it findable by sl_lua_server_callback. */
void sl_lua_server_adopt(lua_State *L, sl_lua_server_part *part, const char *const *names);
/* Pushes the callback `name` of `part`; false (nothing pushed) if there is none, or no Lua code can
 * be called now. */
bool sl_lua_server_callback(const sl_lua_server_part *part, const char *name);
/* Pushes the userdata of `part` itself; nil when it is being collected. */
void sl_lua_server_push_self(lua_State *L, const sl_lua_server_part *part);
/* Pushes its table. */
void sl_lua_server_push_table(lua_State *L, const sl_lua_server_part *part);

/* Brackets of every method that may call back: returns what to give to leave. */
lua_State *sl_lua_server_enter(lua_State *L, const sl_lua_server_part *part);
void sl_lua_server_leave(const sl_lua_server_part *part, lua_State *before);

/* Fills the table on top of the stack with server.file. */
void sl_lua_open_server_file(lua_State *L);

#endif
