/* pipe.h - one direction of a link: messages on their way, in order. Private to this room. */
#ifndef SL_SIM_PIPE_H
#define SL_SIM_PIPE_H

#include "base/buf.h"
#include "sim/sim.h"

typedef struct sl_sim_packet {
    int64_t due;
    sl_buf bytes;
} sl_sim_packet;

/* Invariant: `due` never decreases; packets are at first .. first + count - 1. */
typedef struct sl_sim_pipe {
    const sl_alloc *alloc; /* borrowed */
    sl_sim_packet *packets;
    size_t first, count, capacity;
    size_t bytes, peak;
    int64_t busy_until; /* the line is taken by earlier messages */
    int64_t last_due;
} sl_sim_pipe;

void sl_sim_pipe_init(sl_sim_pipe *pipe, const sl_alloc *alloc);
void sl_sim_pipe_free(sl_sim_pipe *pipe);
/* Takes the content of `bytes` over. `chance`: for the spread. False without memory; `bytes` is
 * freed in any case. */
bool sl_sim_pipe_push(sl_sim_pipe *pipe, sl_buf *bytes, int64_t now,
                      const sl_sim_link_options *options, uint64_t chance);
/* When the first message arrives; INT64_MAX if there is none. */
int64_t sl_sim_pipe_due(const sl_sim_pipe *pipe);
/* Takes the first message (owned by the caller now). There must be one. */
sl_buf sl_sim_pipe_pop(sl_sim_pipe *pipe);
/* Loses all but the first `keep` messages. */
void sl_sim_pipe_truncate(sl_sim_pipe *pipe, size_t keep);

#endif
