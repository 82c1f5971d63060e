/* A changeset that parses comes out of the encoder as an equal one, in both arrangements, and
 * survives the text form; compaction and the rewrite of idents leave something that still encodes
 * and parses. */
#include <stdlib.h>

#include "changeset/compact.h"
#include "changeset/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) abort();
}

static bool same(const sl_buf *a, const sl_buf *b) {
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static void encode(const sl_changeset *cs, sl_encoding how, sl_buf *out) {
    sl_buf_clear(out);
    require(sl_changeset_encode(cs, how, out, NULL));
}

static void print(const sl_changeset *cs, bool raw, sl_buf *out) {
    sl_buf_clear(out);
    require(sl_changeset_to_json(cs, raw, out, NULL));
}

static void parse(sl_changeset *cs, const sl_buf *bytes) {
    sl_changeset_reset(cs);
    require(sl_changeset_parse(cs, bytes->data, bytes->size, NULL));
}

typedef struct scratch {
    sl_changeset first, second;
    sl_buf lazy, upfront, again, text, text2;
} scratch;

static void check(scratch *s) {
    encode(&s->first, SL_ENCODE_AS_PARSED, &s->lazy);
    encode(&s->first, SL_ENCODE_UPFRONT, &s->upfront);
    print(&s->first, true, &s->text);
    parse(&s->second, &s->lazy);
    print(&s->second, true, &s->text2);
    require(same(&s->text, &s->text2));
    encode(&s->second, SL_ENCODE_AS_PARSED, &s->again);
    require(same(&s->lazy, &s->again));

    sl_changeset_reset(&s->second);
    require(sl_changeset_from_json(&s->second, s->text.data, s->text.size, NULL));
    encode(&s->second, SL_ENCODE_AS_PARSED, &s->again);
    require(same(&s->lazy, &s->again));

    print(&s->first, false, &s->text);
    parse(&s->second, &s->upfront);
    print(&s->second, false, &s->text2);
    require(same(&s->text, &s->text2));
    encode(&s->second, SL_ENCODE_UPFRONT, &s->again);
    require(same(&s->upfront, &s->again));
    sl_changeset_reset(&s->second);
    require(sl_changeset_from_json(&s->second, s->text.data, s->text.size, NULL));
    print(&s->second, false, &s->text2);
    require(same(&s->text, &s->text2));

    bool changed;
    require(sl_changeset_compact(&s->first, NULL, NULL));
    require(sl_changeset_rewrite_ident(&s->first, 7, &changed, NULL));
    encode(&s->first, SL_ENCODE_AS_PARSED, &s->lazy);
    parse(&s->second, &s->lazy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    scratch s;
    sl_changeset_init(&s.first, NULL);
    sl_changeset_init(&s.second, NULL);
    sl_buf *bufs[] = {&s.lazy, &s.upfront, &s.again, &s.text, &s.text2};
    for (size_t i = 0; i < 5; i++)
        sl_buf_init(bufs[i], NULL);
    sl_status st = SL_STATUS_INIT;
    if (sl_changeset_parse(&s.first, data, size, &st)) {
        check(&s);
    } else {
        require(st.cls == SL_ERR_CHANGESET && st.id[0] == 'P' && st.offset <= size);
    }
    sl_changeset_free(&s.first);
    sl_changeset_free(&s.second);
    for (size_t i = 0; i < 5; i++)
        sl_buf_free(bufs[i]);
    return 0;
}
