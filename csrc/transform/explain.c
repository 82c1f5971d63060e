#include "transform/explain.h"

#include <inttypes.h>

#include "base/env.h"
#include "changeset/print.h"
#include "value/date.h"

/* What each rule says when it drops an instruction and when it changes one. `by_age`: dropping is
 * decided by who is younger. */
typedef struct rule_text {
    const char *rule;
    bool by_age;
    const char *dropped, *changed;
} rule_text;

static const rule_text texts[] = {
    {"F1", false, "both sides add the same class; it is there already", NULL},
    {"F2", false, "the class is erased by the other side", NULL},
    {"F3", false, "both sides erase the class; it is gone already", NULL},
    {"F4", false, "the class that the property links to is erased by the other side",
     "devices that have the property already must lose it before its target class goes"},
    {"F5", false, "both sides add the same property; it is there already", NULL},
    {"F6", false, "the property is erased by the other side", NULL},
    {"F7", false, "both sides erase the property; it is gone already", NULL},
    {"F8", false, "the property is erased by the other side", NULL},
    {"F9", false, "erasing an object prevails over creating it", NULL},
    {"F10", true, "both sides erase the object; the younger erasure stays", NULL},
    {"F11", true, "both sides assign to one place; the younger value stays", NULL},
    {"F12", true, "a younger assignment replaces the increment",
     "the increment is added to the older assignment"},
    {"F13", false, NULL, "an element was inserted into the list"},
    {"F14", false, NULL, "the element was moved"},
    {"F15", false, "the element was erased", "another element was erased"},
    {"F16", true, "one side assigns, the other clears; the younger stays", NULL},
    {"F17", false, "clearing prevails over incrementing", NULL},
    {"F18", false, NULL, "another element was inserted; at one place the older one goes first"},
    {"F19", false, NULL, "an element was inserted, another one moved"},
    {"F20", false, NULL, "an element was inserted, another one erased"},
    {"F21", true, "both sides move the element, or to where it already is",
     "another element was moved"},
    {"F22", false, "the element was erased, or is already where it should go",
     "one element was moved, another one erased"},
    {"F23", false, "both sides erase the element; it is gone already",
     "another element was erased"},
    {"F24", true, "both sides clear the collection; the younger clearing stays", NULL},
    {"F25", false, "clearing the set prevails over inserting into it", NULL},
    {"F26", false, "clearing the set prevails over erasing from it", NULL},
    {"F27", true, "both sides insert the value; the younger insertion stays", NULL},
    {"F28", true, "one side inserts the value, the other erases it; the younger stays", NULL},
    {"F29", true, "both sides erase the value; the younger erasure stays", NULL},
    {"N1", false, "its class is erased by the other side", NULL},
    {"N2", false, "its object is erased by the other side", NULL},
    {"N3", false, "the other side assigns something else to what contains it", NULL},
    {"N4", false, "the other side increments what contains it, so that is a number", NULL},
    {"N5", false, NULL, "an element was inserted before the one that contains it"},
    {"N6", false, NULL, "the other side changes something inside the list (devices do the same)"},
    {"N7", false, "the element that contains it was erased",
     "an element before the one that contains it was erased"},
    {"N8", false, "the collection that contains it is cleared by the other side", NULL},
};

static const rule_text *text_of(const char *rule) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].rule, rule) == 0) return &texts[i];
    return NULL;
}

void sl_explanation_init(sl_explanation *e, const sl_alloc *alloc, const sl_merge_item *local,
                         const sl_merge_item *incoming) {
    *e = (sl_explanation){.local = local, .incoming = incoming};
    sl_arena_init(&e->arena, alloc);
}

void sl_explanation_free(sl_explanation *e) {
    sl_arena_free(&e->arena);
    sl_explanation_init(e, e->arena.alloc, NULL, NULL);
}

static sl_merge_record *add_record(sl_explanation *e) {
    if (e->count == e->capacity) {
        uint32_t capacity = e->capacity ? e->capacity * 2 : 8;
        sl_merge_record *records = sl_arena_alloc(&e->arena, capacity * sizeof *records);
        if (!records) return NULL;
        if (e->count) memcpy(records, e->records, e->count * sizeof *records);
        e->records = records;
        e->capacity = capacity;
    }
    return &e->records[e->count++];
}

/* One instruction in one line; data is NULL when there was no memory. */
static sl_str print(sl_explanation *e, const sl_changeset *cs, const sl_instruction *in) {
    if (!in) return SL_STR("");
    sl_changeset one = *cs;
    sl_instruction copy = *in;
    sl_buf line;
    one.instructions = &copy;
    one.count = 1;
    sl_buf_init(&line, e->arena.alloc);
    bool ok = sl_changeset_to_text(&one, false, &line, NULL);
    sl_str text = {NULL, 0, SL_NO_SYM};
    if (ok && line.size) text = sl_arena_str(&e->arena, sl_str_of(line.data, line.size - 1));
    sl_buf_free(&line);
    return text;
}

static bool is_default(const sl_instruction *in) {
    return in->is_default && !sl_path_ends_with_index(in);
}

/* Two rules decide by age only if nothing else does. */
static void refine(sl_merge_record *record, const sl_merge_event *event) {
    const sl_instruction *own = event->before, *other = event->other;
    if (!event->dropped || own == NULL) return;
    if (strcmp(event->rule, "F11") == 0) {
        bool creates = own->value.type == SL_TYPE_OBJECT;
        if (creates != (other->value.type == SL_TYPE_OBJECT)) {
            record->why = "creating an embedded object gives way to any other value";
            record->by_age = false;
        } else if (is_default(own) && !is_default(other)) {
            record->why = "a default value gives way to an explicit one";
            record->by_age = false;
        }
    }
    bool survived_age = record->timestamp != record->other_timestamp
                            ? record->timestamp > record->other_timestamp
                            : record->file > record->other_file;
    if (strcmp(event->rule, "F12") == 0 && (survived_age || is_default(other))) {
        record->why = "the assigned value is not a number that can be incremented";
        record->by_age = false;
    }
    if (survived_age) record->by_age = false;
}

void sl_explanation_event(void *explanation, const sl_merge_event *event) {
    sl_explanation *e = explanation;
    const rule_text *text = text_of(event->rule);
    sl_merge_record *record = add_record(e);
    if (!record || !text) {
        e->failed = true;
        return;
    }
    const sl_merge_item *own = &(event->local ? e->local : e->incoming)[event->item];
    const sl_merge_item *other = &(event->local ? e->incoming : e->local)[event->other_item];
    const char *why = event->dropped ? text->dropped : text->changed;
    *record = (sl_merge_record){.rule = text->rule,
                                .local = event->local,
                                .dropped = event->dropped,
                                .added = event->before == NULL,
                                .item = event->item,
                                .other_item = event->other_item,
                                .timestamp = own->origin_timestamp,
                                .file = own->origin_file,
                                .other_timestamp = other->origin_timestamp,
                                .other_file = other->origin_file,
                                .before = print(e, event->changeset, event->before),
                                .after = print(e, event->changeset, event->after),
                                .other = print(e, event->other_changeset, event->other),
                                .why = why ? why : "the other side changes what it refers to",
                                .by_age = event->dropped && text->by_age};
    refine(record, event);
    if (!record->before.data || !record->after.data || !record->other.data) e->failed = true;
}

static void put_origin(uint64_t timestamp, uint64_t file, sl_buf *out) {
    sl_buf_printf(out, "file %" PRIu64 ", timestamp %" PRIu64, file, timestamp);
    if (timestamp > INT64_MAX - (uint64_t)SL_SYNC_EPOCH_MS) return;
    sl_timestamp t = sl_date_from_ms((int64_t)timestamp + SL_SYNC_EPOCH_MS);
    sl_buf_text(out, " = ");
    if (!sl_date_to_text(t, out)) sl_buf_text(out, "far away");
}

static void put_record(const sl_merge_record *r, sl_buf *out) {
    sl_buf_printf(out, "%s %s %zu, %s: %.*s\n", r->rule, r->local ? "left" : "right", r->item + 1,
                  r->dropped ? "dropped"
                  : r->added ? "added"
                             : "changed",
                  (int)(r->added ? r->after : r->before).size,
                  (r->added ? r->after : r->before).data);
    if (!r->dropped && !r->added)
        sl_buf_printf(out, "    becomes  %.*s\n", (int)r->after.size, r->after.data);
    sl_buf_printf(out, "    against  %.*s (%s %zu)\n", (int)r->other.size, r->other.data,
                  r->local ? "right" : "left", r->other_item + 1);
    sl_buf_printf(out, "    because  %s\n", r->why);
    if (!r->by_age) return;
    sl_buf_text(out, "    younger  ");
    put_origin(r->other_timestamp, r->other_file, out);
    sl_buf_text(out, "\n    older    ");
    put_origin(r->timestamp, r->file, out);
    sl_buf_byte(out, '\n');
}

bool sl_explanation_text(const sl_explanation *e, sl_buf *out, sl_status *st) {
    if (e->failed) return sl_fail_memory(st);
    if (e->count == 0) sl_buf_text(out, "nothing meets: both sides stay as they are\n");
    for (uint32_t i = 0; i < e->count; i++)
        put_record(&e->records[i], out);
    return !out->failed || sl_fail_memory(st);
}
