/* file.h - a client's realm file in a simulation: disk, store, realm, history. Private to this
 * room. */
#ifndef SL_SIM_FILE_H
#define SL_SIM_FILE_H

#include "history/client_history.h"
#include "sim/sim.h"

/* Invariant: store, realm and history are all set or all NULL; `disk` outlives them. */
typedef struct sl_sim_file {
    sl_memory_disk *disk;
    sl_store *store;
    sl_realm *realm;
    sl_client_history *history;
} sl_sim_file;

/* An empty disk that remembers what was not flushed; NULL without memory. `alloc` borrowed. */
sl_memory_disk *sl_sim_disk_new(const sl_alloc *alloc);
/* Opens what lies on the disk (which is made if there is none). `wrap` as in sl_sim_options, for
 * `who`; NULL is allowed. Nothing is open after a failure. */
bool sl_sim_file_open(sl_sim_file *file, const sl_sim_options *options,
                      const sl_client_history_options *history, int who, sl_status *st);
void sl_sim_file_close(sl_sim_file *file);
/* Closes it and throws the disk away. */
void sl_sim_file_free(sl_sim_file *file);

#endif
