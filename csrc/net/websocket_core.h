/* websocket_core.h - making a WebSocket out of an upgraded stream; for the files of this room. */
#ifndef SL_NET_WEBSOCKET_CORE_H
#define SL_NET_WEBSOCKET_CORE_H

#include "net/websocket.h"

/* Takes over `stream` (open, or still connecting for a client) with its events. A client is not
 * open until its upgrade. NULL = no memory; the stream is untouched then. */
sl_websocket *sl_websocket_adopt(sl_stream *stream, bool server,
                                 const sl_websocket_options *options,
                                 const sl_websocket_events *events, void *ctx);
/* Bytes that came behind the upgrade request; delivered in the next step. False = no memory. */
bool sl_websocket_preload(sl_websocket *ws, const char *data, size_t size);

#endif
