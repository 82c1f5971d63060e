/* client.h - what the userdata types of syncline.core.client share. */
#ifndef SL_LUA_CLIENT_H
#define SL_LUA_CLIENT_H

#include "lua/net_core.h"
#include "lua/realm.h"
#include "session/client_session.h"

typedef struct sl_lua_client_session sl_lua_client_session;

/* What went over the wire: messages as they are, and the same with bodies as if nothing had been
 * compressed (both ways). */
typedef struct sl_lua_traffic {
    uint64_t sent, received, uncompressed, messages;
} sl_lua_traffic;

/* Invariants: every session of `connection` that Lua holds is in the list `sessions`; a session's
 * `session` is NULL once it has ended, and then it is in no list and its realm does not know it.
 * While `socket` is set its sink is `sink`, and it is open. */
typedef struct sl_lua_client_connection {
    sl_lua_head head;
    sl_client_connection *connection;
    sl_lua_client_session *sessions;
    sl_lua_sink sink;
    sl_lua_connection *socket; /* NULL: messages pass through Lua */
    sl_loop *loop;             /* of the socket */
    sl_lua_loop *pace;         /* the same with its budget; NULL: nothing was attached */
    sl_timer timer;            /* deadline of the connection, while there is a socket */
    sl_task task;              /* the end of the loop's turn */
    uint64_t attempt;          /* that the socket and the inbox belong to */
    sl_buf inbox;              /* messages, each behind its size */
    size_t taken;              /* bytes of the inbox that were dealt with */
    sl_buf out;
    sl_lua_traffic traffic;
    bool eager; /* Lua is woken without events, too */
    bool held;  /* the budget ended before what there was to do */
} sl_lua_client_connection;

struct sl_lua_client_session {
    sl_lua_head head;
    sl_client_session *session;
    sl_lua_client_connection *owner;
    sl_lua_realm *realm;
    sl_lua_client_session *next;
};

extern const sl_lua_type sl_lua_client_connection_type;

/* ---- client_socket.c: methods of the connection ---------------------------------------------- */

int sl_lua_client_attach(lua_State *L);
int sl_lua_client_attached(lua_State *L);
int sl_lua_client_eager(lua_State *L);
int sl_lua_client_turn(lua_State *L);
int sl_lua_client_waiting(lua_State *L);
int sl_lua_client_traffic(lua_State *L);
/* Lets go of the socket; messages that have come stay in the inbox. */
void sl_lua_client_detach(sl_lua_client_connection *connection);

#endif
