/* tls.h - what of TLS is for the caller to decide. */
#ifndef SL_NET_TLS_H
#define SL_NET_TLS_H

#include "base/status.h"

#include <stdbool.h>

/* Lowest version to speak; 1.3 unless somebody asks for less. */
typedef enum sl_tls_min { SL_TLS_1_3 = 0, SL_TLS_1_2 = 1 } sl_tls_min;

typedef struct sl_tls_server {
    const char *cert_file; /* PEM chain, own certificate first */
    const char *key_file;  /* PEM */
    sl_tls_min min;
} sl_tls_server;

typedef struct sl_tls_client {
    const char *ca_file; /* PEM with trusted roots; NULL = the system's store */
    bool no_verify;      /* accept any certificate and name: only when a person asked for it */
    sl_tls_min min;
} sl_tls_client;

#endif
