/* partition.h - what a client binds to: partition values and legacy paths in one canonical
 * spelling. Source: protocol/5-app-services-http.md, 17.1; protocol/1-wire.md, 4.1 and 9.1. */
#ifndef SL_SESSION_PARTITION_H
#define SL_SESSION_PARTITION_H

#include "base/buf.h"
#include "base/status.h"

typedef enum sl_partition_kind {
    SL_PARTITION_TEXT,
    SL_PARTITION_INT,
    SL_PARTITION_OID,
    SL_PARTITION_UUID,
    SL_PARTITION_NULL,
    SL_PARTITION_PATH /* legacy server path */
} sl_partition_kind;

/* Octets of a partition as sent, if nothing else is said. */
enum { SL_MAX_PARTITION = 1024 };

/* Appends the canonical form of `path` (the first body part of BIND) to `out`: two spellings of the
 * same value give the same octets, different values never do. A text partition is a JSON string, a
 * number {"$numberLong":"n"}, an object id {"$oid":"..."}, a UUID {"$binary":{...}}, null is null;
 * a legacy path starts with "/". It is a name, not a place in a file system. Fails with
 * SL_ERR_SESSION code 204 (not a legal partition value or path) or SL_ERR_MEMORY. */
bool sl_partition_canonical(sl_str path, sl_buf *out, sl_partition_kind *kind, sl_status *st);

#endif
