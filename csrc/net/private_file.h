/* private_file.h - files that only their owner may read: keys, secrets of a run. */
#ifndef SL_NET_PRIVATE_FILE_H
#define SL_NET_PRIVATE_FILE_H

#include "base/status.h"
#include "base/str.h"

/* Writes a whole file with exactly these permissions, all or nothing: the file and its folder are
 * flushed before it returns, and what was there stays until then. False: SL_ERR_STORAGE. */
bool sl_private_file_write(const char *path, sl_str data, int mode, sl_status *st);

#endif
