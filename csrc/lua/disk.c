/* disk.c - what plain Lua cannot do with files: flush them, keep them private, look at them. */
#include "lua/core.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/check.h"
#include "net/private_file.h"

/* write_private(path, text) -> true, or nil, message, code */
static int write_private(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    sl_status st = SL_STATUS_INIT;
    if (!sl_private_file_write(path, sl_lua_check_str(L, 2), 0600, &st))
        return sl_lua_fail_or_raise(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

/* look(path) -> its size in bytes, or nil if nothing is there, or nil and why it cannot be seen */
static int look(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    struct stat info;
    if (stat(path, &info) == 0) {
        lua_pushnumber(L, (lua_Number)info.st_size);
        return 1;
    }
    int error = errno;
    lua_pushnil(L);
    if (error == ENOENT || error == ENOTDIR) return 1;
    lua_pushfstring(L, "%s: %s", path, strerror(error));
    return 2;
}

/* make_private(path) -> true, or nil, message: a file that is not there is made, for its owner
 * only. */
static int make_private(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        int error = errno;
        lua_pushnil(L);
        lua_pushfstring(L, "%s: %s", path, strerror(error));
        return 2;
    }
    close(fd);
    lua_pushboolean(L, 1);
    return 1;
}

int sl_lua_open_disk(lua_State *L) {
    static const luaL_Reg functions[] = {{"write_private", write_private},
                                         {"make_private", make_private},
                                         {"look", look},
                                         {NULL, NULL}};
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
