#include "sim/file.h"

sl_memory_disk *sl_sim_disk_new(const sl_alloc *alloc) {
    sl_memory_disk *disk = sl_memory_disk_new(alloc);
    if (disk) sl_memory_disk_keep_unflushed(disk);
    return disk;
}

bool sl_sim_file_open(sl_sim_file *file, const sl_sim_options *options,
                      const sl_client_history_options *history, int who, sl_status *st) {
    if (!file->disk) file->disk = sl_sim_disk_new(options->alloc);
    if (!file->disk) return sl_fail_memory(st);
    if (!sl_memory_disk_open(file->disk, &file->store, st)) return false;
    if (options->wrap) file->store = options->wrap(options->ctx, who, file->store);
    sl_realm_options realm = {.alloc = options->alloc,
                              .source = file->store->vtbl->source(file->store)};
    if (sl_realm_open(&file->realm, &realm, st))
        file->history = sl_client_history_open(file->store, file->realm, history, st);
    if (file->history) return true;
    sl_sim_file_close(file);
    return false;
}

void sl_sim_file_close(sl_sim_file *file) {
    sl_client_history_close(file->history);
    sl_realm_close(file->realm);
    if (file->store) file->store->vtbl->close(file->store);
    file->history = NULL;
    file->realm = NULL;
    file->store = NULL;
}

void sl_sim_file_free(sl_sim_file *file) {
    sl_sim_file_close(file);
    sl_memory_disk_free(file->disk);
    file->disk = NULL;
}
