/* tls_cert.h - a certificate of one's own for a server on this machine. */
#ifndef SL_NET_TLS_CERT_H
#define SL_NET_TLS_CERT_H

#include "base/alloc.h"
#include "base/status.h"

/* Makes sure that `directory` (must exist) holds cert.pem and key.pem: a self-signed EC P-256
 * certificate for localhost, 127.0.0.1, ::1 and, if not NULL, `extra_host` (name or address), valid
 * for 825 days. A pair that is there is kept while it is valid for another day; one of our own that
 * has run out is renewed; anything else there is an error and stays untouched. The key file is
 * readable by the owner alone (0600) before anything is written into it. On success *cert_file and
 * *key_file are paths (owned, sl_delete with `alloc`) and *created (may be NULL) tells whether they
 * are new; on failure nothing is set. SL_ERR_STORAGE, SL_ERR_MEMORY. */
bool sl_tls_cert_ensure(const sl_alloc *alloc, const char *directory, const char *extra_host,
                        char **cert_file, char **key_file, bool *created, sl_status *st);

#endif
