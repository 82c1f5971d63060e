#include "realm/change.h"

#include "realm/internal.h"

void sl_realm_changes(const sl_realm *realm, sl_change_visitor visit, void *ctx) {
    for (size_t i = 0; i < realm->touched_count; i++) {
        const sl_cell *cell = realm->touched[i];
        bool here = cell->object != NULL;
        if (cell->table->detached || (!cell->was_here && !here)) continue;
        sl_change change = {cell->table->cls, &cell->key, SL_CHANGE_MODIFIED, cell->properties};
        if (!cell->was_here) change.kind = SL_CHANGE_CREATED;
        if (!here) change.kind = SL_CHANGE_ERASED;
        if (!visit(ctx, &change)) return;
    }
}

size_t sl_realm_touched(const sl_realm *realm) {
    return realm->touched_count;
}

uint64_t sl_realm_commits(const sl_realm *realm) {
    return realm->commits;
}

bool sl_realm_changes_known(const sl_realm *realm) {
    return !realm->open && realm->tx == realm->committed_tx;
}

bool sl_realm_schema_changed(const sl_realm *realm) {
    return realm->schema_changed;
}
