/* net_support.h - what the C tests of the network share: a loop, a deadline, a certificate, and an
 * allocator that fails on demand and counts what is left. */
#ifndef SPEC_NET_SUPPORT_H
#define SPEC_NET_SUPPORT_H

#include "net/loop.h"
#include "net/tls_cert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct count_alloc {
    sl_alloc alloc;
    long live;    /* blocks */
    long fail_at; /* this allocation fails, counted down; 0 = none */
    bool failed;
} count_alloc;

static inline void *count_realloc(void *ctx, void *block, size_t size) {
    count_alloc *c = ctx;
    if (size == 0) {
        if (block) c->live--;
        free(block);
        return NULL;
    }
    if (c->fail_at > 0 && --c->fail_at == 0) {
        c->failed = true;
        return NULL;
    }
    void *to = realloc(block, size);
    if (to && !block) c->live++;
    return to;
}

static inline void count_alloc_init(count_alloc *c, long fail_at) {
    *c = (count_alloc){{count_realloc, c}, 0, fail_at, false};
}

/* Steps the loop until the condition holds; fails the test after ten seconds. */
#define UNTIL(loop, condition)                                                                     \
    do {                                                                                           \
        int64_t until_deadline_ = sl_loop_now(loop) + 10 * 1000;                                   \
        while (!(condition)) {                                                                     \
            if (sl_loop_now(loop) > until_deadline_) fail_msg("not within 10 s: %s", #condition);  \
            sl_loop_step((loop), 50, NULL);                                                        \
        }                                                                                          \
    } while (0)

typedef struct test_cert {
    char directory[64];
    char *cert, *key;
} test_cert;

static inline void test_cert_make(test_cert *c, const char *extra_host) {
    sl_status st = SL_STATUS_INIT;
    strcpy(c->directory, "/tmp/slnetXXXXXX");
    assert_non_null(mkdtemp(c->directory));
    if (!sl_tls_cert_ensure(NULL, c->directory, extra_host, &c->cert, &c->key, NULL, &st))
        fail_msg("%s", st.message);
}

static inline void test_cert_free(test_cert *c) {
    unlink(c->cert);
    unlink(c->key);
    rmdir(c->directory);
    sl_delete(NULL, c->cert);
    sl_delete(NULL, c->key);
}

#endif
