#include "store/memory_internal.h"

void sl_memory_source_init(sl_memory_store *store) {
    memset(&store->source, 0, sizeof store->source);
}
