/* A changeset that parses is applied to a realm with every kind of container, or refused; either
 * way the realm is as before once the transaction is discarded, and a refused one leaves nothing
 * behind even inside the transaction. What was applied is then recorded back: deleting every object
 * with all links to it must work on any content. */
#include "../spec/support/notation.h"
#include "realm/apply.h"
#include "realm/record.h"
#include "realm/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char *const schema =
    "table S(_id:string); table T(_id:int); embedded E; table N(); table D(_id:int);"
    "column E.i:int; column E.s:string?; column E.li:int[]; column E.di:int{}; column E.le:->E[];"
    "column S.i:int; column S.s:string?; column N.i:int; column N.link:->T;"
    "column D.v:int; column D.l:int[]; column D.m:mixed;"
    "column T.i:int; column T.in:int?; column T.s:string; column T.sn:string?; column T.m:mixed;"
    "column T.link:->T; column T.slink:->S; column T.li:int[]; column T.ls:string[];"
    "column T.ll:->T[]; column T.lm:mixed[]; column T.si:int(); column T.ss:string();"
    "column T.sl:->T(); column T.sm:mixed(); column T.di:int{}; column T.dm:mixed{};"
    "column T.dl:->T{}; column T.e:->E; column T.le:->E[]; column T.de:->E{}; column T.x:int;"
    "column T.xl:int[]; create T1; create T2; create T3; create T4; create D1; create D2;"
    "T1.in = 20; T1.s = \"hello\"; T1.link = T3; ins T1.li[0] 0 |0|; ins T1.li[1] 10 |1|;"
    "ins T1.li[2] 20 |2|; ins T1.li[3] 30 |3|; ins T1.ll[0] T2 |0|; ins T1.ll[1] T3 |1|;"
    "ins T1.ll[2] T4 |2|; ins T1.lm[0] 1 |0|; ins T1.lm[1] \"two\" |1|; ins T1.lm[2] list |2|;"
    "ins T1.lm[2][0] 100 |0|; ins T1.lm[3] dict |3|; T1.lm[3].x = 1; add T1.si 1; add T1.si 2;"
    "add T1.sm 1; add T1.sl T3; T1.di.a = 1; T1.di.b = 2; T1.dm.l = list; ins T1.dm.l[0] 1 |0|;"
    "T1.dm.d = dict; T1.dm.d.k = \"v\"; T1.dl.a = T3; T1.e = object; T1.e.i = 5;"
    "ins T1.e.li[0] 1 |0|; ins T1.le[0] object |0|; ins T1.le[0].li[0] 0 |0|;"
    "ins T1.le[1] object |1|; T1.de.k = object; ins T1.xl[0] 5 |0|; T1.m = list;"
    "ins T1.m[0] 1 |0|; ins T1.m[1] T9 |1|; ins T1.m[2] list |2|; ins T1.m[2][0] 10 |0|;"
    "ins T1.m[3] dict |3|; T1.m[3].x = 1; T2.m = dict; T2.m.a = 1; T2.m.l = list";

static sl_realm *realm;
static sl_buf before;

static void require(bool ok) {
    if (!ok) abort();
}

static void dump(sl_buf *out) {
    sl_buf_clear(out);
    require(sl_realm_state_text(realm, out, NULL));
}

static void require_unchanged(void) {
    sl_buf now;
    sl_buf_init(&now, NULL);
    dump(&now);
    require(now.size == before.size && memcmp(now.data, before.data, now.size) == 0);
    sl_buf_free(&now);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    sl_buf_init(&before, NULL);
    require(sl_realm_open(&realm, NULL, NULL) && notation_read(&cs, schema) &&
            sl_realm_begin(realm, NULL));
    sl_status st = SL_STATUS_INIT;
    if (!sl_realm_apply(realm, &cs, &st)) {
        fprintf(stderr, "%s %s\n", st.id, st.message);
        abort();
    }
    sl_realm_commit(realm);
    sl_changeset_free(&cs);
    dump(&before);
    return 0;
}

static void erase_everything(void) {
    const sl_schema *s = sl_realm_schema(realm);
    for (uint32_t i = 0; i < s->count; i++) {
        sl_status st = SL_STATUS_INIT;
        if (s->classes[i]->kind == SL_TABLE_EMBEDDED) continue;
        if (sl_record_erase_all(realm, s->classes[i]->name, &st)) continue;
        fprintf(stderr, "%s %s\n", st.id, st.message);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sl_changeset cs, recorded;
    sl_changeset_init(&cs, NULL);
    sl_changeset_init(&recorded, NULL);
    if (sl_changeset_parse(&cs, data, size, NULL)) {
        sl_status st = SL_STATUS_INIT;
        require(sl_realm_begin_write(realm, &recorded, 2, NULL));
        if (sl_realm_apply(realm, &cs, &st)) {
            erase_everything();
        } else {
            require(st.cls == SL_ERR_CHANGESET && st.id[0] == 'A' && st.offset < cs.count);
            require_unchanged();
        }
        sl_realm_discard(realm);
        require_unchanged();
    }
    sl_changeset_free(&recorded);
    sl_changeset_free(&cs);
    return 0;
}
