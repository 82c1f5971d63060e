#include "net/lookup.h"

#include "base/alloc.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

/* Invariant: `loop` and `finished` are touched under `lock`. While `loop` is set the loop's thread
 * owns the lookup; without it (cancelled) whichever of the two threads comes last frees it. */
struct sl_lookup {
    pthread_mutex_t lock;
    sl_loop *loop;
    bool finished;
    sl_task task;
    sl_lookup_done done;
    void *ctx;
    int flags, error;
    struct addrinfo *list;
    char host[];
};

/* A thread may be inside this code when the program unloads it (a Lua state that closes, say), so
 * it stays. A program that has it linked in cannot unload it, and the call does nothing. */
static void stay_loaded(void) {
    Dl_info info;
    if (!dladdr((void *)(uintptr_t)&sl_lookup_start, &info) || !info.dli_fname) return;
    void *self = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    if (self) dlclose(self);
}

static void free_lookup(sl_lookup *lookup) {
    if (lookup->list) freeaddrinfo(lookup->list);
    pthread_mutex_destroy(&lookup->lock);
    sl_delete(NULL, lookup);
}

static void *run(void *arg) {
    sl_lookup *lookup = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = lookup->flags};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(lookup->host, NULL, &hints, &list);
    pthread_mutex_lock(&lookup->lock);
    lookup->error = error;
    lookup->list = error ? NULL : list;
    lookup->finished = true;
    bool wanted = lookup->loop != NULL;
    if (wanted) sl_loop_post(lookup->loop, &lookup->task);
    pthread_mutex_unlock(&lookup->lock);
    if (!wanted) free_lookup(lookup);
    return NULL;
}

static void tell(void *ctx) {
    sl_lookup *lookup = ctx;
    /* The thread has posted this under the lock: it is done with the lookup when the lock is free.
     */
    pthread_mutex_lock(&lookup->lock);
    pthread_mutex_unlock(&lookup->lock);
    lookup->done(lookup->ctx, lookup->error, lookup->list);
    free_lookup(lookup);
}

static bool start_thread(sl_lookup *lookup) {
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Signals are for the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&thread, &attributes, run, lookup) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return ok;
}

sl_lookup *sl_lookup_start(sl_loop *loop, const char *host, int flags, sl_lookup_done done,
                           void *ctx, sl_status *st) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t size = strlen(host) + 1;
    pthread_once(&once, stay_loaded);
    /* The thread frees it without the loop's allocator, which may be gone by then. */
    sl_lookup *lookup = sl_new_zero(NULL, 1, sizeof *lookup + size);
    if (!lookup) {
        sl_fail_memory(st);
        return NULL;
    }
    pthread_mutex_init(&lookup->lock, NULL);
    lookup->loop = loop;
    lookup->task.run = tell;
    lookup->task.ctx = lookup;
    lookup->done = done;
    lookup->ctx = ctx;
    lookup->flags = flags;
    memcpy(lookup->host, host, size);
    if (start_thread(lookup)) return lookup;
    free_lookup(lookup);
    sl_fail(st, SL_ERR_MEMORY, "", "there is no thread to look up %s", host);
    return NULL;
}

void sl_lookup_cancel(sl_lookup *lookup) {
    pthread_mutex_lock(&lookup->lock);
    bool finished = lookup->finished;
    if (finished) sl_loop_unpost(lookup->loop, &lookup->task);
    lookup->loop = NULL;
    pthread_mutex_unlock(&lookup->lock);
    if (finished) free_lookup(lookup);
}
