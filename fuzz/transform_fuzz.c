/* Two changesets that parse merge or are refused, with and without index and in either role alike;
 * what comes out encodes and parses again. Input: one byte of options, two bytes with the size of
 * the first changeset (little endian), the first, the second. */
#include <stdlib.h>

#include "changeset/json.h"
#include "transform/transform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) abort();
}

typedef struct pair {
    sl_changeset left, right;
    sl_merge_item items[2];
} pair;

static bool load(pair *p, const uint8_t *data, size_t size) {
    size_t first = (size_t)data[1] | (size_t)data[2] << 8;
    if (first > size - 3) first = size - 3;
    sl_changeset_reset(&p->left);
    sl_changeset_reset(&p->right);
    if (!sl_changeset_parse(&p->left, data + 3, first, NULL) ||
        !sl_changeset_parse(&p->right, data + 3 + first, size - 3 - first, NULL))
        return false;
    p->items[0] = (sl_merge_item){&p->left, 10, 2, false};
    p->items[1] = (sl_merge_item){&p->right, data[0] & 1 ? 20 : 10, 3, false};
    if (data[0] & 2) p->items[1].origin_file = 1;
    return true;
}

static void print(const pair *p, sl_buf *out) {
    sl_buf_clear(out);
    require(sl_changeset_to_json(&p->left, false, out, NULL));
    require(sl_changeset_to_json(&p->right, false, out, NULL));
    sl_buf_printf(out, "%d %d", p->items[0].modified, p->items[1].modified);
    require(!out->failed);
}

static void encodes(const sl_changeset *cs, sl_buf *out) {
    sl_changeset again;
    sl_buf_clear(out);
    require(sl_changeset_encode(cs, SL_ENCODE_UPFRONT, out, NULL));
    sl_changeset_init(&again, NULL);
    require(sl_changeset_parse(&again, out->data, out->size, NULL));
    require(again.count == cs->count);
    sl_changeset_free(&again);
}

static void ignore_event(void *ctx, const sl_merge_event *event) {
    *(size_t *)ctx += event->item;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static pair p;
    static sl_buf first, other;
    size_t events = 0;
    if (size < 3 || !load(&p, data, size)) return 0;
    sl_merge_options plain = {.no_index = true, .set_erase = SL_SET_ERASE_CONTENT};
    sl_merge_options indexed = {.set_erase = SL_SET_ERASE_CONTENT};
    sl_merge_options explained = {
        .set_erase = SL_SET_ERASE_LITERAL, .explain = ignore_event, .explain_ctx = &events};
    bool ok = sl_transform(&p.items[0], 1, &p.items[1], 1, &plain, NULL);
    if (ok) print(&p, &first);
    require(load(&p, data, size));
    require(sl_transform(&p.items[0], 1, &p.items[1], 1, &indexed, NULL) == ok);
    if (ok) {
        print(&p, &other);
        require(first.size == other.size && memcmp(first.data, other.data, first.size) == 0);
        encodes(&p.left, &other);
        encodes(&p.right, &other);
    }
    require(load(&p, data, size));
    require(sl_transform(&p.items[1], 1, &p.items[0], 1, &indexed, NULL) == ok);
    if (ok) {
        print(&p, &other);
        require(first.size == other.size && memcmp(first.data, other.data, first.size) == 0);
    }
    require(load(&p, data, size));
    sl_transform(&p.items[0], 1, &p.items[1], 1, &explained, NULL);
    return 0;
}
