#include "history/key_list.h"

#include "realm/read.h"

typedef struct reading {
    sl_key_list *list;
    bool failed;
} reading;

void sl_key_list_init(sl_key_list *list, const sl_alloc *alloc) {
    *list = (sl_key_list){.keys = NULL};
    sl_arena_init(&list->arena, alloc);
}

void sl_key_list_free(sl_key_list *list) {
    sl_delete(list->arena.alloc, list->keys);
    sl_arena_free(&list->arena);
}

static bool add_key(void *ctx, const sl_key *key) {
    reading *r = ctx;
    sl_key_list *list = r->list;
    r->failed = true;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        sl_key *keys = sl_resize(list->arena.alloc, list->keys, capacity * sizeof *keys);
        if (!keys) return false;
        list->keys = keys;
        list->capacity = capacity;
    }
    sl_key copy = *key;
    if (key->type == SL_TYPE_STRING) {
        copy.string = sl_arena_str(&list->arena, key->string);
        if (copy.string.size && !copy.string.data) return false;
    }
    list->keys[list->count++] = copy;
    r->failed = false;
    return true;
}

bool sl_key_list_read(sl_key_list *list, sl_realm *realm, sl_str class_name, sl_status *st) {
    reading r = {.list = list};
    if (!sl_realm_scan(realm, class_name, add_key, &r, st)) return false;
    return r.failed ? sl_fail_memory(st) : true;
}
