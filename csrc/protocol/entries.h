/* entries.h - the changesets inside UPLOAD and DOWNLOAD, and body compression.
 * Source: protocol/1-wire.md, 3.2, 4.3 and 5.3. */
#ifndef SL_PROTOCOL_ENTRIES_H
#define SL_PROTOCOL_ENTRIES_H

#include "protocol/message.h"

/* One changeset of an UPLOAD (4.3). */
typedef struct sl_upload_entry {
    uint64_t client_version, server_version;
    uint64_t origin_timestamp; /* ms since 2015-01-01Z */
    uint64_t origin_file;      /* 0 = the sender */
    sl_str changeset;          /* borrowed */
} sl_upload_entry;

/* One changeset of a DOWNLOAD (5.3). */
typedef struct sl_download_entry {
    uint64_t server_version, client_version;
    uint64_t origin_timestamp; /* ms since 2015-01-01Z */
    uint64_t origin_file;      /* 1 = the server itself */
    uint64_t original_size;    /* octets before history compaction */
    sl_str changeset;          /* borrowed */
} sl_download_entry;

/* Walks over the entries of an opened body. */
typedef struct sl_entry_reader {
    sl_str bytes; /* borrowed */
    size_t at;
} sl_entry_reader;

/* Gives the plain entries of `body` in *entries. A compressed body is inflated into `inflated` (an
 * initialised buffer, cleared first; *entries then points into it), otherwise *entries points into
 * the message. The stream must end exactly with the input and fill exactly `uncompressed_size`.
 * `limit`: greatest uncompressed size accepted (0 = SL_MAX_INFLATED). Fails with SL_ERR_PROTOCOL
 * code 110 (does not inflate) or 112 (above the limit), or SL_ERR_MEMORY. */
bool sl_body_open(const sl_body *body, uint64_t limit, sl_buf *inflated, sl_str *entries,
                  sl_status *st);

/* What compression needs, some 270 kB, kept from body to body: taking and clearing that memory
 * costs more than compressing a short body. Made on first use. NULL without memory. */
typedef struct sl_packer sl_packer;
sl_packer *sl_packer_new(const sl_alloc *alloc);
void sl_packer_free(sl_packer *packer);

/* Makes the wire form of `entries` (borrowed, must outlive *body): compressed with zlib level 1
 * into `packed` (initialised, cleared first) if it is longer than 1024 octets and gets smaller,
 * else as it is. `packer` borrowed; NULL: with memory of its own. Fails with SL_ERR_MEMORY only. */
bool sl_body_pack(sl_packer *packer, sl_str entries, sl_buf *packed, sl_body *body, sl_status *st);

/* `entries` borrowed. */
void sl_entry_reader_init(sl_entry_reader *reader, sl_str entries);
/* Reads the next entry; *more = false (and true returned) at the end. Fails with SL_ERR_PROTOCOL
 * code 111 (header malformed or out of range) or 112 (size beyond the body) and the offset. Order
 * and cursors are not checked here. */
bool sl_entry_reader_upload(sl_entry_reader *reader, sl_upload_entry *entry, bool *more,
                            sl_status *st);
bool sl_entry_reader_download(sl_entry_reader *reader, sl_download_entry *entry, bool *more,
                              sl_status *st);

/* Appends one entry to the body under construction. Look at out->failed. */
void sl_upload_entry_write(sl_buf *out, const sl_upload_entry *entry);
void sl_download_entry_write(sl_buf *out, const sl_download_entry *entry);

#endif
