/* env.h - the clocks and the random source of the running process, for everything below lua/. */
#ifndef SL_LUA_ENV_H
#define SL_LUA_ENV_H

#include "base/env.h"

/* The system's clocks and OpenSSL's random source. Static storage. */
const sl_env *sl_lua_env(void);

#endif
