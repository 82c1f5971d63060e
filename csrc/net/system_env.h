/* system_env.h - the real clocks and the real randomness. */
#ifndef SL_NET_SYSTEM_ENV_H
#define SL_NET_SYSTEM_ENV_H

#include "base/env.h"

/* CLOCK_REALTIME, CLOCK_MONOTONIC and OpenSSL's generator (which seeds itself from the kernel).
 * Static storage, thread-safe. A process whose generator cannot be seeded is stopped: there is no
 * safe way on. */
const sl_env *sl_system_env(void);

#endif
