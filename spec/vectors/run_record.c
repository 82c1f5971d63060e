/* The recorder against recorded changesets: every transaction of changesets*.jsonl that the
 * reference recorded is made again through our recorder, write by write, and has to give the same
 * bytes. */
#include <stdlib.h>
#include <string.h>

#include "changeset/json.h"
#include "realm/apply.h"
#include "realm/read.h"
#include "realm/record.h"
#include "vectors.h"

typedef struct runner {
    vec_count count;
    sl_realm *realm;
    bool invalidates; /* the row erases an object that is still linked to */
    sl_changeset want, got;
    sl_buf bytes, out;
} runner;

/* The place an instruction names, without its last `cut` path elements. */
static sl_place place_of(const sl_changeset *cs, const sl_instruction *in, uint32_t cut,
                         sl_step *steps) {
    sl_place place = {.class_name = sl_changeset_string(cs, in->class_name),
                      .key = in->key,
                      .property = sl_changeset_string(cs, in->field),
                      .steps = steps,
                      .step_count = in->path_size - cut};
    for (uint32_t i = 0; i < place.step_count; i++) {
        const sl_path_elem *elem = &in->path[i];
        steps[i] = (sl_step){.is_index = elem->is_index, .index = elem->number};
        if (!elem->is_index) steps[i].name = sl_changeset_string(cs, elem->number);
    }
    return place;
}

static bool write_path(runner *r, const sl_instruction *in, sl_status *st) {
    sl_step steps[SL_MAX_PATH];
    bool element = in->op >= SL_OP_ARRAY_INSERT && in->op <= SL_OP_ARRAY_ERASE;
    uint32_t at = element ? in->path[in->path_size - 1].number : 0;
    sl_place place = place_of(&r->want, in, element ? 1 : 0, steps);
    switch (in->op) {
    case SL_OP_UPDATE:
        if (in->value.type == SL_TYPE_ERASED)
            return sl_record_dict_erase(r->realm, &place, NULL, st);
        return sl_record_set(r->realm, &place, &in->value, in->is_default, st);
    case SL_OP_ADD_INTEGER:
        return sl_record_add_integer(r->realm, &place, in->value.integer, st);
    case SL_OP_ARRAY_INSERT:
        return sl_record_list_insert(r->realm, &place, at, &in->value, st);
    case SL_OP_ARRAY_MOVE:
        return sl_record_list_move(r->realm, &place, at, in->to, st);
    case SL_OP_ARRAY_ERASE:
        return sl_record_list_erase(r->realm, &place, at, st);
    case SL_OP_CLEAR:
        return sl_record_clear(r->realm, &place, st);
    case SL_OP_SET_INSERT:
        return sl_record_set_insert(r->realm, &place, &in->value, NULL, st);
    default:
        return sl_record_set_erase(r->realm, &place, &in->value, NULL, st);
    }
}

static bool write_add_table(runner *r, const sl_instruction *in, sl_status *st) {
    sl_class cls = {.name = sl_changeset_string(&r->want, in->class_name), .kind = in->table_kind};
    if (in->table_kind != SL_TABLE_EMBEDDED && in->type != SL_TYPE_GLOBALKEY) {
        cls.has_key = true;
        cls.key_name = sl_changeset_string(&r->want, in->field);
        cls.key_type = in->type;
        cls.key_nullable = in->nullable;
    }
    return sl_record_add_class(r->realm, &cls, st);
}

static bool write_add_column(runner *r, const sl_instruction *in, sl_status *st) {
    sl_property property = {.name = sl_changeset_string(&r->want, in->field),
                            .type = in->type,
                            .collection = in->collection,
                            .nullable = in->nullable};
    if (in->type == SL_TYPE_LINK) property.target = sl_changeset_string(&r->want, in->target);
    return sl_record_add_property(r->realm, sl_changeset_string(&r->want, in->class_name),
                                  &property, st);
}

/* A GlobalKey is chosen by the recorder and has to come out the same. */
static bool write_create(runner *r, const sl_instruction *in, sl_status *st) {
    const sl_key *key = in->key.type == SL_TYPE_GLOBALKEY ? NULL : &in->key;
    return sl_record_create(r->realm, sl_changeset_string(&r->want, in->class_name), key, NULL,
                            NULL, st);
}

static bool note_referrer(void *ctx, sl_str class_name, const sl_key *key) {
    (void)class_name, (void)key;
    *(bool *)ctx = true;
    return false;
}

/* An application erases an object after every link to it was taken out; the reference can also turn
 * it into a stand-in, which no application can ask for. */
static bool write_erase(runner *r, const sl_instruction *in, sl_status *st) {
    sl_str cls = sl_changeset_string(&r->want, in->class_name);
    if (!sl_realm_referrers(r->realm, cls, &in->key, note_referrer, &r->invalidates, st))
        return false;
    if (r->invalidates) return sl_fail(st, SL_ERR_INTERNAL, "", "made a stand-in");
    return sl_record_erase(r->realm, cls, &in->key, st);
}

static bool write_one(runner *r, const sl_instruction *in, sl_status *st) {
    sl_str cls = sl_changeset_string(&r->want, in->class_name);
    switch (in->op) {
    case SL_OP_ADD_TABLE:
        return write_add_table(r, in, st);
    case SL_OP_ADD_COLUMN:
        return write_add_column(r, in, st);
    case SL_OP_ERASE_TABLE:
        return sl_record_erase_class(r->realm, cls, st);
    case SL_OP_ERASE_COLUMN:
        return sl_record_erase_property(r->realm, cls, sl_changeset_string(&r->want, in->field),
                                        st);
    case SL_OP_CREATE_OBJECT:
        return write_create(r, in, st);
    case SL_OP_ERASE_OBJECT:
        return write_erase(r, in, st);
    default:
        return write_path(r, in, st);
    }
}

/* One write may give several instructions; the next one to repeat is the first that is missing. */
static bool write_all(runner *r, sl_status *st) {
    while (r->got.count < r->want.count) {
        uint32_t before = r->got.count;
        if (!write_one(r, &r->want.instructions[before], st)) return false;
        if (r->got.count == before)
            return sl_fail(st, SL_ERR_INTERNAL, "", "instruction %u: nothing was recorded", before);
    }
    return true;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The instructions as text, sorted; NULL-terminated, to be freed with free_texts. */
static char **sorted_texts(const sl_changeset *cs) {
    char **texts = calloc(cs->count + 1, sizeof *texts);
    for (uint32_t i = 0; texts && i < cs->count; i++) {
        sl_buf out;
        sl_buf_init(&out, NULL);
        sl_instruction_to_json(cs, &cs->instructions[i], &out, NULL);
        sl_buf_byte(&out, 0);
        texts[i] = out.data;
    }
    if (texts) qsort(texts, cs->count, sizeof *texts, by_text);
    return texts;
}

static void free_texts(char **texts) {
    for (char **text = texts; text && *text; text++)
        free(*text);
    free(texts);
}

/* The same bytes. Where one write gives several instructions about different holders of a link,
 * their order is free (12.7, 12.8). */
static bool same_recording(const runner *r) {
    if (r->out.size != r->bytes.size) return false;
    if (!r->out.size || memcmp(r->out.data, r->bytes.data, r->out.size) == 0) return true;
    char **want = sorted_texts(&r->want), **got = sorted_texts(&r->got);
    bool same = want && got && r->want.count == r->got.count;
    for (uint32_t i = 0; same && i < r->want.count; i++)
        same = strcmp(want[i], got[i]) == 0;
    free_texts(want);
    free_texts(got);
    return same;
}

/* hi of the GlobalKeys that the recording file made. */
static uint64_t ident_of(const sl_changeset *cs) {
    for (uint32_t i = 0; i < cs->count; i++) {
        const sl_instruction *in = &cs->instructions[i];
        if (in->op == SL_OP_CREATE_OBJECT && in->key.type == SL_TYPE_GLOBALKEY)
            return in->key.global.hi;
    }
    return 2;
}

static bool repeat(runner *r, sl_status *st) {
    sl_changeset_reset(&r->got);
    sl_buf_clear(&r->out);
    if (!sl_realm_begin_write(r->realm, &r->got, ident_of(&r->want), st)) return false;
    bool ok = write_all(r, st) && sl_changeset_encode(&r->got, SL_ENCODE_AS_PARSED, &r->out, st);
    if (ok && !same_recording(r)) ok = sl_fail(st, SL_ERR_INTERNAL, "", "the bytes differ");
    if (ok)
        sl_realm_commit(r->realm);
    else
        sl_realm_discard(r->realm);
    return ok;
}

/* A row that does not build on the rows before it cannot be repeated. */
static bool applies(runner *r) {
    sl_status st = SL_STATUS_INIT;
    bool ok = sl_realm_begin(r->realm, &st) && sl_realm_apply(r->realm, &r->want, &st);
    sl_realm_discard(r->realm);
    return ok;
}

/* After a failure the file goes on from what the reference did. */
static void apply_instead(runner *r, const char *name) {
    sl_status st = SL_STATUS_INIT;
    if (sl_realm_begin(r->realm, &st) && sl_realm_apply(r->realm, &r->want, &st)) {
        sl_realm_commit(r->realm);
        return;
    }
    sl_realm_discard(r->realm);
    fprintf(stderr, "%s cannot be applied either: %s %s\n", name, st.id, st.message);
}

/* Rows of one file follow one another; a row with a schema begins the next file. */
static bool open_session(runner *r, const char *name) {
    if (r->realm && strncmp(name, "random_schema_", 14) != 0) return true;
    sl_realm_close(r->realm);
    r->realm = NULL;
    const sl_realm_options options = {.keep_asymmetric = true};
    return sl_realm_open(&r->realm, &options, NULL);
}

static bool one_row(void *ctx, const char *file, unsigned line, const json_t *row) {
    (void)file, (void)line;
    runner *r = ctx;
    sl_status st = SL_STATUS_INIT;
    const char *name = vec_text(row, "name");
    if (strchr(name, '/')) return true; /* hand-made, not recorded */
    if (!open_session(r, name)) return false;
    sl_buf_clear(&r->bytes);
    sl_changeset_reset(&r->want);
    if (!vec_hex_json(json_object_get(row, "hex"), &r->bytes) ||
        !sl_changeset_parse(&r->want, r->bytes.data, r->bytes.size, &st))
        return vec_check(&r->count, name, false, "%s", st.message) || true;
    if (!applies(r)) return true;
    r->invalidates = false;
    bool ok = repeat(r, &st);
    if (r->invalidates || !vec_check(&r->count, name, ok, "%s %s", st.id, st.message))
        apply_instead(r, name);
    return true;
}

int main(int argc, char **argv) {
    runner r = {.count = {"record", 0, 0}};
    sl_changeset_init(&r.want, NULL);
    sl_changeset_init(&r.got, NULL);
    sl_buf_init(&r.bytes, NULL);
    sl_buf_init(&r.out, NULL);
    bool read = vec_each(vec_dir(argc, argv), "changesets", one_row, &r);
    sl_realm_close(r.realm);
    sl_changeset_free(&r.want);
    sl_changeset_free(&r.got);
    sl_buf_free(&r.bytes);
    sl_buf_free(&r.out);
    return vec_finish(&r.count) || !read;
}
