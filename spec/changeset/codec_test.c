/* Encoding, interning, the text form, ident rewrite and compaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "changeset/compact.h"
#include "changeset/json.h"
#include "changeset/print.h"
#include "failing_alloc.h"
#include "vectors.h"

typedef struct fixture {
    sl_changeset cs, other;
    sl_buf bytes, out, text, text2;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    sl_changeset_init(&f->cs, NULL);
    sl_changeset_init(&f->other, NULL);
    sl_buf_init(&f->bytes, NULL);
    sl_buf_init(&f->out, NULL);
    sl_buf_init(&f->text, NULL);
    sl_buf_init(&f->text2, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    sl_changeset_free(&f->cs);
    sl_changeset_free(&f->other);
    sl_buf_free(&f->bytes);
    sl_buf_free(&f->out);
    sl_buf_free(&f->text);
    sl_buf_free(&f->text2);
    free(f);
    return 0;
}

static void assert_same(const sl_buf *a, const sl_buf *b, const char *what) {
    if (a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0)) return;
    fail_msg("%s: %zu bytes against %zu\n%.*s\n%.*s", what, a->size, b->size, (int)a->size, a->data,
             (int)b->size, b->data);
}

static void encode(const sl_changeset *cs, sl_encoding how, sl_buf *out) {
    sl_status st = SL_STATUS_INIT;
    sl_buf_clear(out);
    if (!sl_changeset_encode(cs, how, out, &st)) fail_msg("%s", st.message);
}

static void print(const sl_changeset *cs, bool raw, sl_buf *out) {
    sl_buf_clear(out);
    assert_true(sl_changeset_to_json(cs, raw, out, NULL));
}

static void read_json(sl_changeset *cs, const char *text, size_t size) {
    sl_status st = SL_STATUS_INIT;
    sl_changeset_reset(cs);
    if (!sl_changeset_from_json(cs, text, size, &st)) fail_msg("%s", st.message);
}

static void parse(sl_changeset *cs, const sl_buf *bytes) {
    sl_status st = SL_STATUS_INIT;
    sl_changeset_reset(cs);
    if (!sl_changeset_parse(cs, bytes->data, bytes->size, &st)) fail_msg("%s", st.message);
}

static bool example_row(void *ctx, const char *file, unsigned line, const json_t *row) {
    (void)file;
    (void)line;
    fixture *f = ctx;
    const char *name = vec_text(row, "name");
    sl_status st = SL_STATUS_INIT;
    sl_buf_clear(&f->bytes);
    assert_true(vec_hex_json(json_object_get(row, "hex"), &f->bytes));
    parse(&f->cs, &f->bytes);
    sl_changeset_reset(&f->other);
    const json_t *instructions = json_object_get(row, "instructions");
    if (!sl_changeset_from_json_value(&f->other, instructions, &st))
        fail_msg("%s: %s", name, st.message);
    print(&f->cs, false, &f->text);
    print(&f->other, false, &f->text2);
    assert_same(&f->text, &f->text2, name);
    encode(&f->cs, SL_ENCODE_AS_PARSED, &f->out);
    assert_same(&f->out, &f->bytes, name);
    print(&f->cs, true, &f->text);
    read_json(&f->other, f->text.data, f->text.size);
    encode(&f->other, SL_ENCODE_AS_PARSED, &f->out);
    assert_same(&f->out, &f->bytes, name);
    sl_buf_clear(&f->text);
    assert_true(sl_changeset_to_text(&f->cs, true, &f->text, NULL));
    uint32_t lines = 0;
    for (size_t i = 0; i < f->text.size; i++)
        lines += f->text.data[i] == '\n';
    assert_int_equal(lines, f->cs.count + f->cs.string_count);
    return true;
}

static void worked_examples_read_as_documented(void **state) {
    assert_true(vec_each("spec/changeset", "examples", example_row, *state));
}

static void upfront_keeps_unused_strings_unless_nothing_is_left(void **state) {
    fixture *f = *state;
    sl_str a = SL_STR("a"), b = SL_STR("b"), unused = SL_STR("unused");
    assert_int_equal(sl_changeset_intern(&f->cs, a), 0);
    assert_int_equal(sl_changeset_intern(&f->cs, unused), 1);
    encode(&f->cs, SL_ENCODE_UPFRONT, &f->out);
    assert_int_equal(f->out.size, 0);
    encode(&f->cs, SL_ENCODE_AS_PARSED, &f->out);
    assert_int_equal(f->out.size, 4 + 9);
    sl_changeset_append(&f->cs, SL_OP_ERASE_TABLE)->class_name = 0;
    assert_int_equal(sl_changeset_intern(&f->cs, b), 2);
    assert_int_equal(sl_changeset_intern(&f->cs, a), 0);
    sl_changeset_append(&f->cs, SL_OP_ERASE_TABLE)->class_name = 2;
    vec_hex("3f0001613f0106756e757365640100"
            "3f0201620102",
            &f->bytes);
    encode(&f->cs, SL_ENCODE_AS_PARSED, &f->out);
    assert_same(&f->out, &f->bytes, "lazy");
    sl_buf_clear(&f->bytes);
    vec_hex("3f0001613f0106756e75736564"
            "3f020162"
            "01000102",
            &f->bytes);
    encode(&f->cs, SL_ENCODE_UPFRONT, &f->out);
    assert_same(&f->out, &f->bytes, "upfront");
}

/* A recorder may append first and intern afterwards; transformation may remove the instruction that
 * a string stood behind. */
static void a_string_is_never_written_after_its_first_use(void **state) {
    fixture *f = *state;
    sl_instruction *in = sl_changeset_append(&f->cs, SL_OP_ERASE_COLUMN);
    in->class_name = sl_changeset_intern(&f->cs, SL_STR("class"));
    in->field = sl_changeset_intern(&f->cs, SL_STR("field"));
    sl_changeset_append(&f->cs, SL_OP_ERASE_TABLE)->class_name =
        sl_changeset_intern(&f->cs, SL_STR("other"));
    f->cs.instructions[0] = f->cs.instructions[1];
    f->cs.count = 1;
    encode(&f->cs, SL_ENCODE_AS_PARSED, &f->out);
    parse(&f->other, &f->out);
    print(&f->cs, false, &f->text);
    print(&f->other, false, &f->text2);
    assert_same(&f->text, &f->text2, "instructions");
}

static void what_cannot_be_encoded_is_a_usage_error(void **state) {
    fixture *f = *state;
    sl_status st = SL_STATUS_INIT;
    sl_buf_text(&f->out, "before");
    sl_changeset_append(&f->cs, SL_OP_ERASE_TABLE);
    assert_false(sl_changeset_encode(&f->cs, SL_ENCODE_UPFRONT, &f->out, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    f->cs.instructions[0].class_name = 0;
    assert_false(sl_changeset_encode(&f->cs, SL_ENCODE_AS_PARSED, &f->out, &st));
    sl_instruction *in = &f->cs.instructions[0];
    in->class_name = in->field = sl_changeset_intern(&f->cs, SL_STR("x"));
    in->op = SL_OP_UPDATE;
    in->value.type = SL_TYPE_GLOBALKEY;
    assert_false(sl_changeset_encode(&f->cs, SL_ENCODE_UPFRONT, &f->out, &st));
    in->value.type = SL_TYPE_NULL;
    in->key.type = SL_TYPE_BOOL;
    assert_false(sl_changeset_encode(&f->cs, SL_ENCODE_UPFRONT, &f->out, &st));
    assert_int_equal(f->out.size, 6);
    in->key.type = SL_TYPE_NULL;
    assert_true(sl_changeset_encode(&f->cs, SL_ENCODE_UPFRONT, &f->out, &st));
}

static void instructions_may_be_replaced_by_an_array_of_the_arena(void **state) {
    fixture *f = *state;
    uint32_t name = sl_changeset_intern(&f->cs, SL_STR("x"));
    sl_changeset_append(&f->cs, SL_OP_ERASE_TABLE)->class_name = name;
    sl_instruction *mine = sl_arena_zero(&f->cs.arena, 3, sizeof *mine);
    for (int i = 0; i < 3; i++)
        mine[i] = f->cs.instructions[0];
    f->cs.instructions = mine;
    f->cs.count = f->cs.capacity = 3;
    for (int i = 0; i < 40; i++)
        sl_changeset_append(&f->cs, SL_OP_ERASE_TABLE)->class_name = name;
    assert_int_equal(f->cs.count, 43);
    for (uint32_t i = 0; i < 43; i++)
        assert_int_equal(f->cs.instructions[i].class_name, name);
}

static void interning_finds_every_string_again(void **state) {
    fixture *f = *state;
    enum { COUNT = 3000 };
    char text[32];
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            int n = snprintf(text, sizeof text, "a string, number %u, here", (unsigned)i);
            sl_str s = sl_str_of(text, i % 2 ? (size_t)n : (size_t)n - 16);
            if (i % 2 == 0) s = sl_str_of(text + 17, (size_t)n - 17);
            assert_int_equal(sl_changeset_intern(&f->cs, s), i);
            assert_int_equal(f->cs.strings[i].sym, i);
            assert_true(sl_str_eq(sl_changeset_string(&f->cs, i), s));
        }
    }
    assert_int_equal(f->cs.string_count, COUNT);
    encode(&f->cs, SL_ENCODE_AS_PARSED, &f->out);
    parse(&f->other, &f->out);
    assert_int_equal(sl_changeset_intern(&f->other, SL_STR("a string, number 7, here")), 7);
    assert_int_equal(sl_changeset_intern(&f->other, SL_STR("new")), COUNT);
}

static void the_text_form_refuses_what_it_does_not_know(void **state) {
    fixture *f = *state;
    static const char *const texts[] = {
        "",
        "{}",
        "[1]",
        "[{}]",
        "[{\"op\":\"Nothing\",\"table\":\"A\"}]",
        "[{\"op\":\"EraseTable\"}]",
        "[{\"op\":\"EraseTable\",\"table\":5}]",
        "[{\"op\":\"EraseTable\",\"table\":\"A\",\"more\":1}]",
        "[{\"op\":\"EraseTable\",\"table\":\"A\",\"table\":\"A\"}]",
        "[{\"op\":\"EraseTable\",\"table\":\"A\"}",
        "[{\"op\":\"InternString\",\"index\":1,\"string\":\"A\"}]",
        "[{\"op\":\"InternString\",\"index\":0,\"string\":\"A\"},"
        "{\"op\":\"InternString\",\"index\":1,\"string\":\"A\"}]",
        "[{\"op\":\"CreateObject\",\"table\":\"A\",\"object\":{\"int\":5}}]",
        "[{\"op\":\"CreateObject\",\"table\":\"A\",\"object\":{\"int\":\"05\"}}]",
        "[{\"op\":\"CreateObject\",\"table\":\"A\",\"object\":{\"int\":\"9223372036854775808\"}}]",
        "[{\"op\":\"CreateObject\",\"table\":\"A\",\"object\":{\"bool\":true}}]",
        "[{\"op\":\"CreateObject\",\"table\":\"A\",\"object\":{\"int\":\"5\",\"x\":1}}]",
        "[{\"op\":\"AddTable\",\"table\":\"A\",\"kind\":\"other\"}]",
        "[{\"op\":\"AddTable\",\"table\":\"A\",\"kind\":\"toplevel\"}]",
        "[{\"op\":\"AddTable\",\"table\":\"A\",\"kind\":\"toplevel\","
        "\"pk\":{\"field\":\"_id\",\"type\":\"double\",\"nullable\":false}}]",
        "[{\"op\":\"AddTable\",\"table\":\"A\",\"kind\":\"toplevel\","
        "\"pk\":{\"field\":\"_id\",\"type\":\"int\",\"nullable\":false,\"x\":1}}]",
        "[{\"op\":\"AddColumn\",\"table\":\"A\",\"field\":\"f\",\"type\":\"globalkey\","
        "\"nullable\":false,\"collection\":\"single\"}]",
        "[{\"op\":\"AddColumn\",\"table\":\"A\",\"field\":\"f\",\"type\":\"link\","
        "\"nullable\":true,\"collection\":\"single\"}]",
        "[{\"op\":\"Update\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[],"
        "\"value\":null,\"prior_size\":1}]",
        "[{\"op\":\"Update\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[0],"
        "\"value\":null,\"default\":false}]",
        "[{\"op\":\"Update\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[-1],"
        "\"value\":null,\"prior_size\":1}]",
        "[{\"op\":\"Update\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[1.0],"
        "\"value\":null,\"prior_size\":1}]",
        "[{\"op\":\"AddInteger\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[],"
        "\"value\":{\"double\":\"1\"}}]",
        "[{\"op\":\"ArrayErase\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[\"k\"],"
        "\"prior_size\":1}]",
        "[{\"op\":\"Clear\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[],"
        "\"collection\":\"bag\"}]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        sl_status st = SL_STATUS_INIT;
        sl_changeset_reset(&f->cs);
        if (sl_changeset_from_json(&f->cs, texts[i], strlen(texts[i]), &st))
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(st.cls, SL_ERR_USAGE);
        assert_true(st.message[0] != 0);
        assert_int_equal(f->cs.count, 0);
    }
}

static void odd_strings_survive_the_text_form(void **state) {
    fixture *f = *state;
    sl_str odd[] = {sl_str_of("\xff\xfe", 2), sl_str_of("a\0b", 3), SL_STR("\"\\\n\x7f"),
                    SL_STR("")};
    for (size_t i = 0; i < 4; i++) {
        uint32_t sym = sl_changeset_intern(&f->cs, odd[i]);
        sl_instruction *in = sl_changeset_append(&f->cs, SL_OP_UPDATE);
        in->class_name = in->field = sym;
        in->key.type = SL_TYPE_STRING;
        in->key.string = f->cs.strings[sym];
        in->value.type = SL_TYPE_STRING;
        in->value.string = odd[i];
    }
    encode(&f->cs, SL_ENCODE_AS_PARSED, &f->bytes);
    print(&f->cs, false, &f->text);
    read_json(&f->other, f->text.data, f->text.size);
    encode(&f->other, SL_ENCODE_AS_PARSED, &f->out);
    assert_same(&f->out, &f->bytes, "bytes");
    const char *expected =
        "[\n{\"op\":\"Update\",\"table\":{\"b64\":\"//4=\"},\"object\":{\"string\":{\"b64\":\"//"
        "4=\"}},"
        "\"field\":{\"b64\":\"//4=\"},\"path\":[],\"value\":{\"string\":{\"b64\":\"//4=\"}},"
        "\"default\":false},\n";
    assert_memory_equal(f->text.data, expected, strlen(expected));
}

static void an_empty_changeset_prints_as_two_brackets(void **state) {
    fixture *f = *state;
    print(&f->cs, true, &f->text);
    assert_int_equal(f->text.size, 4);
    assert_memory_equal(f->text.data, "[\n]\n", 4);
}

static void own_idents_are_rewritten_everywhere(void **state) {
    fixture *f = *state;
    const char *mine = "{\"globalkey\":{\"hi\":\"0\",\"lo\":\"9\"}}";
    static const char *const shapes[] = {
        "{\"op\":\"CreateObject\",\"table\":\"A\",\"object\":%s}",
        "{\"op\":\"EraseObject\",\"table\":\"A\",\"object\":%s}",
        "{\"op\":\"Clear\",\"table\":\"A\",\"object\":%s,\"field\":\"f\",\"path\":[],"
        "\"collection\":\"set\"}",
    };
    static const char *const linking[] = {"Update", "SetInsert", "SetErase"};
    sl_buf_text(&f->text, "[");
    for (size_t i = 0; i < 3; i++) {
        sl_buf_printf(&f->text, shapes[i], mine);
        sl_buf_printf(&f->text,
                      ",{\"op\":\"%s\",\"table\":\"A\",\"object\":%s,\"field\":\"f\",\"path\":[],"
                      "\"value\":{\"link\":{\"table\":\"A\",\"object\":%s}}%s},",
                      linking[i], mine, mine, i == 0 ? ",\"default\":false" : "");
    }
    sl_buf_printf(
        &f->text,
        "{\"op\":\"ArrayInsert\",\"table\":\"A\",\"object\":{\"globalkey\":{\"hi\":\"3\","
        "\"lo\":\"9\"}},\"field\":\"f\",\"path\":[0],\"value\":{\"link\":{\"table\":\"A\","
        "\"object\":%s}},\"prior_size\":0}]",
        mine);
    read_json(&f->cs, f->text.data, f->text.size);
    bool changed = false;
    assert_true(sl_changeset_rewrite_ident(&f->cs, 7, &changed, NULL));
    assert_true(changed);
    print(&f->cs, false, &f->text2);
    sl_buf_byte(&f->text2, 0);
    assert_null(strstr(f->text2.data, "\"hi\":\"0\""));
    assert_non_null(strstr(f->text2.data, "\"hi\":\"3\""));
    unsigned count = 0;
    for (const char *p = f->text2.data; (p = strstr(p, "\"hi\":\"7\"")); p++)
        count++;
    assert_int_equal(count, 10);
    assert_true(sl_changeset_rewrite_ident(&f->cs, 8, &changed, NULL));
    assert_false(changed);
}

static void lines_for_people_are_short(void **state) {
    fixture *f = *state;
    static const char text[] =
        "[{\"op\":\"AddTable\",\"table\":\"A\",\"kind\":\"asymmetric\",\"pk\":{\"field\":\"_id\","
        "\"type\":\"uuid\",\"nullable\":true}},"
        "{\"op\":\"AddColumn\",\"table\":\"A\",\"field\":\"b "
        "c\",\"type\":\"link\",\"nullable\":true,"
        "\"collection\":\"dictionary\",\"target\":\"B\",\"key_type\":\"string\"},"
        "{\"op\":\"Update\",\"table\":\"A\",\"object\":{\"globalkey\":{\"hi\":\"2\",\"lo\":\"10\"}}"
        ","
        "\"field\":\"f\",\"path\":[\"k\",3],\"value\":{\"timestamp\":{\"s\":\"0\",\"ns\":0}},"
        "\"prior_size\":4},"
        "{\"op\":\"ArrayMove\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[0],\"to\":"
        "2,"
        "\"prior_size\":3},"
        "{\"op\":\"SetInsert\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[],"
        "\"value\":{\"decimal\":\"150E-2\"}},"
        "{\"op\":\"Clear\",\"table\":\"A\",\"object\":null,\"field\":\"f\",\"path\":[],"
        "\"collection\":\"set\"}]";
    read_json(&f->cs, text, sizeof text - 1);
    assert_true(sl_changeset_to_text(&f->cs, false, &f->out, NULL));
    sl_buf_byte(&f->out, 0);
    assert_string_equal(f->out.data, "AddTable     A (asymmetric), key _id: uuid?\n"
                                     "AddColumn    A.\"b c\": dictionary of B?\n"
                                     "Update       A[{0002-000a}].f.k[3] = 1970-01-01T00:00:00Z"
                                     "  (size was 4)\n"
                                     "ArrayMove    A[null].f[0] to [2]  (size was 3)\n"
                                     "SetInsert    A[null].f : decimal 1.50\n"
                                     "Clear        A[null].f  (set)\n");
}

/* Compaction. */

static void update(sl_buf *text, const char *object, const char *field, const char *path,
                   const char *value, const char *is_default) {
    sl_buf_printf(
        text,
        "%s{\"op\":\"Update\",\"table\":\"A\",\"object\":{\"int\":\"%s\"},\"field\":\"%s\","
        "\"path\":[%s],\"value\":%s,\"default\":%s}",
        text->size ? "," : "", object, field, path, value, is_default);
}

/* Compacts the instructions in `text` and checks how many remain. */
static void compacts_to(fixture *f, uint32_t expected) {
    sl_buf all;
    sl_buf_init(&all, NULL);
    sl_buf_printf(&all, "[%.*s]", (int)f->text.size, f->text.data);
    read_json(&f->cs, all.data, all.size);
    uint32_t before = f->cs.count, dropped = 99;
    assert_true(sl_changeset_compact(&f->cs, &dropped, NULL));
    if (f->cs.count != expected)
        fail_msg("%u of %u remain, expected %u: %.*s", f->cs.count, before, expected, (int)all.size,
                 all.data);
    assert_int_equal(dropped, before - expected);
    encode(&f->cs, SL_ENCODE_AS_PARSED, &f->out);
    parse(&f->other, &f->out);
    sl_buf_free(&all);
    sl_buf_clear(&f->text);
}

static const char one[] = "{\"int\":\"1\"}", two[] = "{\"int\":\"2\"}";

static void overwritten_updates_are_dropped(void **state) {
    fixture *f = *state;
    update(&f->text, "1", "i", "", one, "false");
    update(&f->text, "1", "s", "", "{\"string\":\"x\"}", "false");
    update(&f->text, "2", "i", "", one, "false");
    update(&f->text, "1", "i", "", two, "false");
    update(&f->text, "1", "i", "", "null", "false");
    compacts_to(f, 3);
    assert_int_equal(f->cs.instructions[2].value.type, SL_TYPE_NULL);
    update(&f->text, "1", "e", "\"a\"", one, "false");
    update(&f->text, "1", "e", "\"b\"", one, "false");
    update(&f->text, "1", "e", "\"a\"", two, "true");
    update(&f->text, "1", "e", "\"b\"", two, "false");
    compacts_to(f, 3);
}

static void updates_with_something_in_between_stay(void **state) {
    fixture *f = *state;
    static const char *const between[] = {
        "{\"op\":\"EraseObject\",\"table\":\"A\",\"object\":{\"int\":\"1\"}}",
        "{\"op\":\"CreateObject\",\"table\":\"A\",\"object\":{\"int\":\"1\"}}",
        "{\"op\":\"EraseTable\",\"table\":\"A\"}",
        "{\"op\":\"EraseColumn\",\"table\":\"A\",\"field\":\"x\"}",
        "{\"op\":\"AddInteger\",\"table\":\"A\",\"object\":{\"int\":\"1\"},\"field\":\"i\","
        "\"path\":[],"
        "\"value\":{\"int\":\"1\"}}",
        "{\"op\":\"Clear\",\"table\":\"A\",\"object\":{\"int\":\"1\"},\"field\":\"i\",\"path\":[],"
        "\"collection\":\"list\"}",
        "{\"op\":\"Update\",\"table\":\"A\",\"object\":{\"int\":\"1\"},\"field\":\"i\",\"path\":[],"
        "\"value\":{\"new\":\"list\"},\"default\":false}",
        "{\"op\":\"Update\",\"table\":\"A\",\"object\":{\"int\":\"1\"},\"field\":\"i\","
        "\"path\":[\"k\"],\"value\":{\"int\":\"3\"},\"default\":false}",
        "{\"op\":\"ArrayInsert\",\"table\":\"A\",\"object\":{\"int\":\"1\"},\"field\":\"i\","
        "\"path\":[0],\"value\":{\"int\":\"3\"},\"prior_size\":0}",
    };
    for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
        update(&f->text, "1", "i", "", one, "false");
        sl_buf_printf(&f->text, ",%s", between[i]);
        update(&f->text, "1", "i", "", two, "false");
        compacts_to(f, 3);
    }
    update(&f->text, "1", "i", "", one, "false");
    update(&f->text, "1", "i", "", two, "true");
    compacts_to(f, 2);
    update(&f->text, "1", "i", "", "null", "false");
    update(&f->text, "1", "i", "", two, "false");
    compacts_to(f, 2);
}

static void compaction_without_memory_changes_nothing(void **state) {
    fixture *f = *state;
    for (int i = 0; i < 10; i++)
        update(&f->text, "1", "i", "", one, "false");
    sl_buf_printf(&f->bytes, "[%.*s]", (int)f->text.size, f->text.data);
    failing_alloc memory;
    for (uint64_t n = 1; n <= 3; n++) {
        sl_changeset cs;
        failing_alloc_init(&memory);
        sl_changeset_init(&cs, &memory.alloc);
        assert_true(sl_changeset_from_json(&cs, f->bytes.data, f->bytes.size, NULL));
        memory.fail_at = n;
        sl_status st = SL_STATUS_INIT;
        assert_false(sl_changeset_compact(&cs, NULL, &st));
        assert_int_equal(st.cls, SL_ERR_MEMORY);
        assert_int_equal(cs.count, 10);
        sl_changeset_free(&cs);
        assert_int_equal(memory.live, 0);
    }
}

static void reading_text_without_memory_leaves_nothing_behind(void **state) {
    fixture *f = *state;
    update(&f->text, "1", "i", "\"k\",\"l\"",
           "{\"link\":{\"table\":\"B\",\"object\":{\"string\":\"x\"}}}", "false");
    update(&f->text, "1", "b", "", "{\"binary\":\"AAEC\"}", "false");
    sl_buf_printf(&f->bytes, "[%.*s]", (int)f->text.size, f->text.data);
    failing_alloc memory;
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        sl_changeset cs;
        sl_buf out;
        sl_status st = SL_STATUS_INIT;
        failing_alloc_init(&memory);
        memory.fail_at = n;
        sl_changeset_init(&cs, &memory.alloc);
        sl_buf_init(&out, &memory.alloc);
        done = sl_changeset_from_json(&cs, f->bytes.data, f->bytes.size, &st) &&
               sl_changeset_to_json(&cs, true, &out, &st);
        if (!done) assert_int_equal(st.cls, SL_ERR_MEMORY);
        sl_changeset_free(&cs);
        sl_buf_free(&out);
        assert_int_equal(memory.live, 0);
    }
}

/* However often it is measured while it grows. */
static void a_growing_changeset_is_measured_as_it_is_encoded(void **state) {
    fixture *f = *state;
    enum { COUNT = 200, LONG = 70000 };
    char *text = calloc(1, LONG);
    sl_changeset cs;
    sl_changeset_size size = {0, 0, 0}, whole = {0, 0, 0};
    sl_buf scratch;
    assert_non_null(text);
    sl_changeset_init(&cs, NULL);
    sl_buf_init(&scratch, NULL);
    for (uint32_t i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "property %u", (unsigned)(i % 50));
        sl_instruction *in = sl_changeset_append(&cs, SL_OP_UPDATE);
        in->class_name = sl_changeset_intern(&cs, SL_STR("C"));
        in->field = sl_changeset_intern(&cs, sl_str_c(name));
        in->key.type = SL_TYPE_INT;
        in->key.integer = (int64_t)((uint64_t)i << i % 60);
        in->value.type = SL_TYPE_BINARY;
        in->value.string = sl_str_of(text, i * (LONG / COUNT));
        if (i % 3 == 0) assert_true(sl_changeset_measure(&cs, &size, &scratch, NULL));
    }
    assert_true(sl_changeset_measure(&cs, &size, &scratch, NULL));
    assert_true(sl_changeset_measure(&cs, &whole, &scratch, NULL));
    assert_true(sl_changeset_encode(&cs, SL_ENCODE_AS_PARSED, &f->bytes, NULL));
    assert_int_equal(size.bytes, f->bytes.size);
    assert_int_equal(whole.bytes, f->bytes.size);
    sl_changeset_reset(&cs);
    assert_true(sl_changeset_measure(&cs, &size, &scratch, NULL));
    assert_int_equal(size.bytes, 0);
    sl_changeset_free(&cs);
    sl_buf_free(&scratch);
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(worked_examples_read_as_documented),
        TEST(upfront_keeps_unused_strings_unless_nothing_is_left),
        TEST(a_string_is_never_written_after_its_first_use),
        TEST(what_cannot_be_encoded_is_a_usage_error),
        TEST(instructions_may_be_replaced_by_an_array_of_the_arena),
        TEST(interning_finds_every_string_again),
        TEST(the_text_form_refuses_what_it_does_not_know),
        TEST(odd_strings_survive_the_text_form),
        TEST(an_empty_changeset_prints_as_two_brackets),
        TEST(own_idents_are_rewritten_everywhere),
        TEST(lines_for_people_are_short),
        TEST(overwritten_updates_are_dropped),
        TEST(updates_with_something_in_between_stay),
        TEST(compaction_without_memory_changes_nothing),
        TEST(reading_text_without_memory_leaves_nothing_behind),
        TEST(a_growing_changeset_is_measured_as_it_is_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
