#include "history/client_state.h"

/* A line of text, so that a person who opens the file with a database tool can read it. */
static const char state_name[] = "client_state";

#define STATE_FIELDS 18

typedef struct field {
    const char *name;
    uint64_t *value;
} field;

static void name_fields(sl_client_state *s, uint64_t *salt, uint64_t *latest_salt,
                        field out[STATE_FIELDS]) {
    const field fields[STATE_FIELDS] = {
        {"version", &s->version},
        {"base", &s->base},
        {"ident", &s->ident},
        {"salt", salt},
        {"size", &s->size},
        {"latest_sv", &s->cursors.latest_sv},
        {"latest_salt", latest_salt},
        {"dl_sv", &s->cursors.dl_sv},
        {"dl_cv", &s->cursors.dl_cv},
        {"ul_cv", &s->cursors.ul_cv},
        {"ul_sv", &s->cursors.ul_sv},
        {"uploaded_bytes", &s->progress.uploaded_bytes},
        {"uploadable_bytes", &s->progress.uploadable_bytes},
        {"downloaded_bytes", &s->progress.downloaded_bytes},
        {"downloadable_bytes", &s->progress.downloadable_bytes},
        {"uploaded_changesets", &s->progress.uploaded_changesets},
        {"uploadable_changesets", &s->progress.uploadable_changesets},
        {"downloaded_changesets", &s->progress.downloaded_changesets},
    };
    memcpy(out, fields, sizeof fields);
}

/* Reads "name=digits" at *at, then a blank or the end. */
static bool read_field(sl_str text, size_t *at, const field *f) {
    size_t name_size = strlen(f->name);
    if (text.size - *at <= name_size || memcmp(text.data + *at, f->name, name_size) != 0)
        return false;
    *at += name_size;
    if (text.data[(*at)++] != '=') return false;
    uint64_t value = 0;
    size_t digits = 0;
    for (; *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9'; ++*at, ++digits) {
        if (digits == 19) return false;
        value = value * 10 + (uint64_t)(text.data[*at] - '0');
    }
    if (digits == 0 || value > INT64_MAX) return false;
    if (*at < text.size && text.data[(*at)++] != ' ') return false;
    *f->value = value;
    return true;
}

void sl_client_state_add(sl_client_state *state, const sl_history_entry *entry) {
    state->version = entry->version;
    state->size = entry->cumulative_size;
    if (entry->origin_file != 0 || entry->changeset.size == 0) return;
    state->progress.uploadable_bytes += entry->changeset.size;
    state->progress.uploadable_changesets++;
}

static bool add_entry(void *ctx, const sl_history_entry *entry) {
    sl_client_state_add(ctx, entry);
    return true;
}

static bool load_record(sl_client_state *state, sl_store *store, sl_status *st) {
    sl_str text;
    if (!store->vtbl->meta_get_bytes(store, state_name, &text, st)) return false;
    sl_client_state loaded = {0};
    *state = loaded;
    if (text.size == 0) return true;
    uint64_t salt = 0, latest_salt = 0;
    field fields[STATE_FIELDS];
    name_fields(&loaded, &salt, &latest_salt, fields);
    size_t at = 0;
    for (size_t i = 0; i < STATE_FIELDS; i++)
        if (!read_field(text, &at, &fields[i]))
            return sl_fail(st, SL_ERR_STORAGE, "STATE",
                           "the record '%s' of the store is damaged at '%s'; restore the file from "
                           "a copy, or delete it and synchronise anew",
                           state_name, fields[i].name);
    if (at != text.size || loaded.base > loaded.version)
        return sl_fail(st, SL_ERR_STORAGE, "STATE", "the record '%s' of the store is damaged",
                       state_name);
    loaded.salt = (int64_t)salt;
    loaded.cursors.latest_salt = (int64_t)latest_salt;
    *state = loaded;
    return true;
}

bool sl_client_state_load(sl_client_state *state, uint64_t *recorded, sl_store *store,
                          sl_status *st) {
    if (!load_record(state, store, st)) return false;
    *recorded = state->version;
    return store->vtbl->entry_scan(store, state->version, UINT64_MAX, false, add_entry, state, st);
}

/* Most commits write the record: by hand, because printf takes longer than all the rest of it. */
static char *put_field(char *at, const field *f) {
    char digits[20];
    size_t name = strlen(f->name), count = 0;
    uint64_t rest = *f->value;
    memcpy(at, f->name, name);
    at += name;
    *at++ = '=';
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    while (count)
        *at++ = digits[--count];
    return at;
}

bool sl_client_state_save(const sl_client_state *state, sl_store *store, sl_status *st) {
    char text[STATE_FIELDS * 48], *at = text;
    sl_client_state copy = *state;
    uint64_t salt = (uint64_t)state->salt, latest_salt = (uint64_t)state->cursors.latest_salt;
    field fields[STATE_FIELDS];
    name_fields(&copy, &salt, &latest_salt, fields);
    for (size_t i = 0; i < STATE_FIELDS; i++) {
        if (i) *at++ = ' ';
        at = put_field(at, &fields[i]);
    }
    return store->vtbl->meta_put_bytes(store, state_name, sl_str_of(text, (size_t)(at - text)), st);
}

uint64_t sl_client_state_next_version(const sl_client_state *state) {
    /* An empty file counts as snapshot 1, so the first commit makes 2 (part 4, 1.3). */
    return state->version == 0 ? 2 : state->version + 1;
}
