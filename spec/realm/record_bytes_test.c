/* The bytes of recorded transactions: the worked examples of protocol/2-changeset.md, section 16.
 */
#include "fixture.h"
#include "value/decimal.h"

/* Short for a property. */
static sl_property prop(const char *name, int8_t type, sl_collection collection, bool nullable) {
    sl_property p = {.name = sl_str_c(name), .type = type, .nullable = nullable};
    p.collection = (uint8_t)collection;
    return p;
}

static sl_property link_prop(const char *name, const char *target, sl_collection collection) {
    sl_property p = prop(name, SL_TYPE_LINK, collection, false);
    p.target = sl_str_c(target);
    return p;
}

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof *(array)))

static sl_class class_of(const char *name, const char *key_name, int8_t key_type,
                         sl_property *properties, uint32_t count) {
    sl_class cls = {.name = sl_str_c(name), .properties = properties, .property_count = count};
    if (key_name) {
        cls.has_key = true;
        cls.key_name = sl_str_c(key_name);
        cls.key_type = key_type;
    } else {
        cls.kind = SL_TABLE_EMBEDDED;
    }
    return cls;
}

/* Member with every kind of property, its embedded Address, and Dog to link to. */
static void member_schema(fixture *f) {
    sl_property address[] = {prop("street", SL_TYPE_STRING, SL_SINGLE, false),
                             prop("lines", SL_TYPE_STRING, SL_LIST, false),
                             link_prop("sub", "Address", SL_LIST)};
    sl_property member[] = {
        prop("age", SL_TYPE_INT, SL_SINGLE, false),
        prop("nick", SL_TYPE_STRING, SL_SINGLE, true),
        link_prop("address", "Address", SL_SINGLE),
        prop("nums", SL_TYPE_INT, SL_LIST, false),
        link_prop("homes", "Address", SL_LIST),
        link_prop("dogs", "Dog", SL_LIST),
        link_prop("best", "Dog", SL_SINGLE),
        link_prop("dogd", "Dog", SL_DICTIONARY),
        link_prop("dogset", "Dog", SL_SET),
        prop("any", SL_TYPE_MIXED, SL_SINGLE, true),
        prop("anys", SL_TYPE_MIXED, SL_LIST, true),
        prop("dict", SL_TYPE_INT, SL_DICTIONARY, true),
        link_prop("places", "Address", SL_DICTIONARY),
        prop("tags", SL_TYPE_STRING, SL_SET, false),
        prop("dec", SL_TYPE_DECIMAL, SL_SINGLE, false),
        prop("ts", SL_TYPE_TIMESTAMP, SL_SINGLE, false),
        prop("dbl", SL_TYPE_DOUBLE, SL_SINGLE, false),
        prop("flt", SL_TYPE_FLOAT, SL_SINGLE, false),
        prop("bin", SL_TYPE_BINARY, SL_SINGLE, false),
        prop("uu", SL_TYPE_UUID, SL_SINGLE, false),
        prop("b", SL_TYPE_BOOL, SL_SINGLE, false),
        prop("oid", SL_TYPE_OBJECTID, SL_SINGLE, false),
    };
    sl_class classes[] = {
        class_of("Address", NULL, 0, address, COUNT(address)),
        class_of("Dog", "_id", SL_TYPE_OBJECTID, NULL, 0),
        class_of("Member", "_id", SL_TYPE_STRING, member, COUNT(member)),
    };
    classes[1].key_nullable = true;
    sl_schema_definition definition = {classes, COUNT(classes)};
    begin(f);
    MUST(f, sl_record_schema(f->realm, &definition, NULL, &f->st));
    commit(f);
}

static void open_members(fixture *f) {
    open_fixture(f, NULL);
    member_schema(f);
}

static sl_key k01(void) {
    return text_key("k01");
}

/* As open_members, with the object k01. */
static void open_k01(fixture *f) {
    open_members(f);
    begin(f);
    CREATE(f, "Member", k01());
    commit(f);
}

#define K01(path) at("Member", k01(), path)

static void first_object_with_string_key(void **state) {
    (void)state;
    fixture f;
    open_members(&f);
    begin(&f);
    CREATE(&f, "Member", k01());
    CREATE(&f, "Member", k01()); /* it exists: silent */
    RECORDED(&f, "3f00064d656d6265723f01036b303102000301");
    close_fixture(&f);
}

static void scalar_properties(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    SET(&f, K01("age"), integer(42));
    RECORDED(&f, "3f00064d656d6265723f01036b30313f0203616765040003010200012a00");
    begin(&f);
    SET(&f, K01("nick"), text("Hello"));
    SET(&f, K01("nick"), text("B"));
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f02046e69636b040003010200030548656c6c6f00040003010200"
             "03014200");
    begin(&f);
    MUST(&f, sl_record_add_integer(f.realm, K01("age"), -3, &f.st));
    RECORDED(&f, "3f00064d656d6265723f01036b30313f020361676505000301020042");
    HAS(&f, "\"age\":{\"int\":\"39\"}");
    begin(&f);
    SET(&f, K01("nick"), null_value());
    RECORDED(&f, "3f00064d656d6265723f01036b30313f02046e69636b0400030102000000");
    close_fixture(&f);
}

static void zoo_schema(fixture *f, bool later) {
    sl_property addr[] = {prop("street", SL_TYPE_STRING, SL_SINGLE, false),
                          prop("no", SL_TYPE_INT, SL_SINGLE, true)};
    sl_property animal[] = {prop("legs", SL_TYPE_INT, SL_SINGLE, false),
                            prop("added", SL_TYPE_STRING, SL_SINGLE, true)};
    sl_property zoo[] = {
        prop("name", SL_TYPE_STRING, SL_SINGLE, false),
        link_prop("star", "Animal", SL_SINGLE),
        link_prop("animals", "Animal", SL_LIST),
        link_prop("addr", "Addr", SL_SINGLE),
        prop("nums", SL_TYPE_INT, SL_LIST, false),
        prop("opt", SL_TYPE_INT, SL_SINGLE, true),
        prop("any", SL_TYPE_MIXED, SL_SINGLE, true),
        prop("tags", SL_TYPE_STRING, SL_SET, false),
        prop("d", SL_TYPE_INT, SL_DICTIONARY, true),
        prop("f", SL_TYPE_DOUBLE, SL_SINGLE, false),
        link_prop("homes", "Addr", SL_LIST),
    };
    sl_property bird[] = {link_prop("nest", "Addr", SL_SINGLE)};
    sl_class classes[] = {
        class_of("Zoo", "_id", SL_TYPE_INT, zoo, COUNT(zoo)),
        class_of("Animal", "_id", SL_TYPE_OBJECTID, animal, later ? 2 : 1),
        class_of("Addr", NULL, 0, addr, COUNT(addr)),
        class_of("apple", "_id", SL_TYPE_UUID, NULL, 0),
        class_of("Bird", "_id", SL_TYPE_INT, bird, COUNT(bird)),
    };
    classes[3].key_nullable = true;
    sl_schema_definition definition = {classes, later ? 5 : 4};
    MUST(f, sl_record_schema(f->realm, &definition, NULL, &f->st));
}

static void schema_in_the_order_of_the_sdks(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, NULL);
    begin(&f);
    zoo_schema(&f, false);
    RECORDED(&f,
             "3f0004416464720000013f0106416e696d616c3f02035f6964000100020a003f03035a6f6f0003000201"
             "003f04056170706c65000400020b013f05067374726565743f06000600050300003f07026e6f06000701"
             "01003f08046c6567730601080100003f09046e616d650603090300003f0a047374617206030a09010001"
             "3f0b07616e696d616c7306030b090001013f0c046164647206030c090100003f0d046e756d7306030d01"
             "00013f0e036f707406030e0101003f0f03616e7906030f0001003f1004746167730603100300033f1101"
             "64060311010102033f1201660603120700003f1305686f6d657306031309000100");
    begin(&f);
    zoo_schema(&f, true);
    RECORDED(&f,
             "3f0004426972643f01035f69640000000101003f0206416e696d616c3f030561646465643f0400060203"
             "0301003f05046e6573743f06044164647206000509010006");
    begin(&f);
    zoo_schema(&f, true);
    RECORDED(&f, "");
    close_fixture(&f);
}

static bool set_default(fixture *f, const char *path, sl_value value) {
    return sl_record_set(f->realm, at("Zoo", int_key(1), path), &value, true, &f->st);
}

static void object_with_defaults(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, NULL);
    begin(&f);
    zoo_schema(&f, false);
    commit(&f);
    begin(&f);
    CREATE(&f, "Zoo", int_key(1));
    MUST(&f, set_default(&f, "name", text("defname")));
    MUST(&f, set_default(&f, "star", null_value())); /* not recorded */
    MUST(&f, set_default(&f, "addr", null_value()));
    INSERT(&f, at("Zoo", int_key(1), "nums"), 0, integer(1));
    INSERT(&f, at("Zoo", int_key(1), "nums"), 1, integer(2));
    MUST(&f, set_default(&f, "opt", null_value()));
    MUST(&f, set_default(&f, "any", null_value()));
    MUST(&f, set_default(&f, "f", real(1.5)));
    RECORDED(&f,
             "3f00035a6f6f020001013f01046e616d6504000101010003076465666e616d65013f02046e756d730800"
             "0101020100010100080001010201010102013f03036f707404000101030000013f0403616e7904000101"
             "040000013f05016604000101050007000000000000f83f01");
    begin(&f);
    CREATE(&f, "Zoo", int_key(2));
    INSERT(&f, at("Zoo", int_key(2), "nums"), 0, integer(7));
    commit(&f);
    begin(&f);
    INSERT(&f, at("Zoo", int_key(2), "nums"), 1, integer(8));
    RECORDED(&f, "3f00035a6f6f3f01046e756d7308000102010101010801");
    close_fixture(&f);
}

static void suppressed_default_leaves_the_class_name(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    sl_value null = null_value();
    MUST(&f, sl_record_set(f.realm, K01("best"), &null, true, &f.st));
    RECORDED(&f, "3f00064d656d626572");
    close_fixture(&f);
}

static void embedded_objects(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    SET(&f, K01("address"), made(SL_TYPE_OBJECT));
    SET(&f, K01("address/street"), text("Main"));
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f02076164647265737304000301020041003f0307416464726573"
             "733f0406737472656574040003010201400403044d61696e00");
    begin(&f);
    SET(&f, K01("address"), made(SL_TYPE_OBJECT));
    HAS(&f, "\"address\":{\"object\":{\"lines\":{\"list\":[]},\"street\":{\"string\":\"\"}");
    SET(&f, K01("address/street"), text("Oak"));
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f020761646472657373040003010200000004000301020041003f"
             "0307416464726573733f0406737472656574040003010201400403034f616b00");
    close_fixture(&f);
}

static void lists(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    for (uint32_t i = 0; i < 3; i++)
        INSERT(&f, K01("nums"), i, integer(10 * (i + 1)));
    SET(&f, K01("nums/1"), integer(25));
    SET(&f, K01("nums/1"), integer(25));
    MUST(&f, sl_record_list_move(f.realm, K01("nums"), 0, 2, &f.st));
    MUST(&f, sl_record_list_move(f.realm, K01("nums"), 1, 1, &f.st));
    MUST(&f, sl_record_list_swap(f.realm, K01("nums"), 0, 2, &f.st));
    MUST(&f, sl_record_list_swap(f.realm, K01("nums"), 0, 1, &f.st));
    HAS(&f, "\"nums\":{\"list\":[{\"int\":\"30\"},{\"int\":\"10\"},{\"int\":\"25\"}]}");
    MUST(&f, sl_record_list_erase(f.realm, K01("nums"), 0, &f.st));
    MUST(&f, sl_record_clear(f.realm, K01("nums"), &f.st));
    MUST(&f, sl_record_clear(f.realm, K01("nums"), &f.st));
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f02046e756d7308000301020100010a0008000301020101011401"
             "08000301020102011e020400030102010101190304000301020101011903090003010201000203090003"
             "0102010200030900030102010102030900030102010100030a000301020100030b000301020001");
    close_fixture(&f);
}

static void lists_of_embedded_objects(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    INSERT(&f, K01("homes"), 0, made(SL_TYPE_OBJECT));
    SET(&f, K01("homes/0/street"), text("H0"));
    SET(&f, K01("homes/0"), made(SL_TYPE_OBJECT));
    INSERT(&f, K01("homes/0/lines"), 0, text("x"));
    INSERT(&f, K01("homes/0/sub"), 0, made(SL_TYPE_OBJECT));
    SET(&f, K01("homes/0/sub/0/street"), text("deep"));
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f0205686f6d65730800030102010041003f030741646472657373"
             "3f040673747265657404000301020200400403024830000a000301020100010800030102010041003f05"
             "056c696e657308000301020300400500030178003f060373756208000301020300400600410004000301"
             "020400400600400403046465657000");
    close_fixture(&f);
}

static sl_value dog(uint8_t last) {
    static sl_link link;
    return link_to(&link, "Dog", oid_key(last));
}

static void links_and_deletion(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    CREATE(&f, "Dog", oid_key(1));
    CREATE(&f, "Dog", oid_key(2));
    CREATE(&f, "Dog", null_key());
    SET(&f, K01("best"), dog(1));
    INSERT(&f, K01("dogs"), 0, dog(1));
    INSERT(&f, K01("dogs"), 1, dog(2));
    INSERT(&f, K01("dogs"), 2, dog(1));
    ADD(&f, K01("dogset"), dog(1));
    ADD(&f, K01("dogset"), dog(1));
    SET(&f, K01("dogd/k"), dog(1));
    SET(&f, K01("dogd/n"), null_value());
    SET(&f, K01("any"), dog(1));
    INSERT(&f, K01("anys"), 0, dog(1));
    static sl_link link;
    INSERT(&f, K01("anys"), 1, link_to(&link, "Dog", null_key()));
    RECORDED(&f,
             "3f0003446f6702000a5f000000000000000000000102000a5f00000000000000000000020200003f0106"
             "4d656d6265723f02036b30313f03046265737404010302030009000a5f0000000000000000000001003f"
             "0404646f67730801030204010009000a5f0000000000000000000001000801030204010109000a5f0000"
             "000000000000000002010801030204010209000a5f0000000000000000000001023f0506646f67736574"
             "0c010302050009000a5f00000000000000000000013f0604646f67643f07016b04010302060140070900"
             "0a5f0000000000000000000001003f08016e040103020601400800003f0903616e790401030209000900"
             "0a5f0000000000000000000001003f0a04616e7973080103020a010009000a5f00000000000000000000"
             "0100080103020a010109000001");
    begin(&f);
    ERASE(&f, "Dog", oid_key(1));
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f0204646f67730a000301020100030a000301020101023f030462"
             "65737404000301030000003f0404646f67643f05016b040003010401400500003f0606646f677365743f"
             "0703446f670d000301060009070a5f00000000000000000000013f0803616e7904000301080000003f09"
             "04616e79730a0003010901000203070a5f0000000000000000000001");
    close_fixture(&f);
}

static void dictionaries(void **state) {
    (void)state;
    fixture f;
    bool changed = true;
    open_k01(&f);
    begin(&f);
    SET(&f, K01("dict/a"), integer(1));
    SET(&f, K01("dict/a"), integer(2));
    SET(&f, K01("dict/n"), null_value());
    MUST(&f, sl_record_dict_erase(f.realm, K01("dict/a"), &changed, &f.st));
    assert_true(changed);
    MUST(&f, sl_record_dict_erase(f.realm, K01("dict/a"), &changed, &f.st));
    assert_false(changed);
    SET(&f, K01("places/home"), made(SL_TYPE_OBJECT));
    SET(&f, K01("places/home/street"), text("S"));
    SET(&f, K01("places/home"), made(SL_TYPE_OBJECT));
    SET(&f, K01("places/home"), null_value());
    MUST(&f, sl_record_clear(f.realm, K01("dict"), &f.st));
    MUST(&f, sl_record_clear(f.realm, K01("dict"), &f.st));
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f0204646963743f03016104000301020140030101000400030102"
             "0140030102003f04016e04000301020140040000040003010201400343003f0506706c616365733f0604"
             "686f6d65040003010501400641003f0707416464726573733f0806737472656574040003010502400640"
             "080301530004000301050140064100040003010501400600000b000301020002");
    close_fixture(&f);
}

static void sets(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    ADD(&f, K01("tags"), text("x"));
    ADD(&f, K01("tags"), text("x"));
    REMOVE(&f, K01("tags"), text("q"));
    ADD(&f, K01("tags"), text("y"));
    REMOVE(&f, K01("tags"), text("x"));
    MUST(&f, sl_record_clear(f.realm, K01("tags"), &f.st));
    MUST(&f, sl_record_clear(f.realm, K01("tags"), &f.st));
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f0204746167730c00030102000301780c00030102000301790d00"
             "030102000301780b000301020003");
    close_fixture(&f);
}

static void collections_in_mixed(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    SET(&f, K01("any"), made(SL_TYPE_DICTIONARY));
    SET(&f, K01("any/k"), integer(1));
    SET(&f, K01("any/l"), made(SL_TYPE_LIST));
    INSERT(&f, K01("any/l"), 0, integer(5));
    INSERT(&f, K01("any/l"), 1, made(SL_TYPE_DICTIONARY));
    SET(&f, K01("any/l/1/deep"), text("v"));
    SET(&f, K01("any/l/0"), text("s"));
    SET(&f, K01("any/l/0"), made(SL_TYPE_LIST));
    MUST(&f, sl_record_list_erase(f.realm, K01("any/l"), 0, &f.st));
    MUST(&f, sl_record_dict_erase(f.realm, K01("any/l/0/deep"), NULL, &f.st));
    MUST(&f, sl_record_clear(f.realm, K01("any/l/0"), &f.st));
    MUST(&f, sl_record_clear(f.realm, K01("any/l"), &f.st));
    MUST(&f, sl_record_clear(f.realm, K01("any/l"), &f.st));
    MUST(&f, sl_record_clear(f.realm, K01("any"), &f.st));
    MUST(&f, sl_record_clear(f.realm, K01("any"), &f.st));
    SET(&f, K01("any"), made(SL_TYPE_LIST));
    SET(&f, K01("any"), made(SL_TYPE_LIST));
    MUST(&f, sl_record_clear(f.realm, K01("any"), &f.st));
    SET(&f, K01("any"), null_value());
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f0203616e7904000301020042003f03016b040003010201400301"
             "01003f04016c0400030102014004440008000301020240040001050008000301020240040142013f0504"
             "646565700400030102034004014005030176000400030102024004000301730204000301020240040044"
             "020a000301020240040002040003010203400400400543000b0003010202400400020b00030102014004"
             "010b00030102014004010b0003010200020b000301020002040003010200440004000301020044000b00"
             "03010200010400030102000000");
    close_fixture(&f);
}

static void collections_assigned_by_a_constructor(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, NULL);
    APPLY(&f, "table A(_id:int); column A.m:mixed; column A.lm:mixed[]; column A.dm:mixed{}");
    begin(&f);
    CREATE(&f, "A", int_key(1));
#define A(path) at("A", int_key(1), path)
    SET(&f, A("m"), made(SL_TYPE_LIST));
    MUST(&f, sl_record_clear(f.realm, A("m"), &f.st));
    INSERT(&f, A("m"), 0, integer(1));
    INSERT(&f, A("m"), 1, made(SL_TYPE_DICTIONARY));
    MUST(&f, sl_record_clear(f.realm, A("m/1"), &f.st));
    SET(&f, A("m/1/k"), integer(2));
    INSERT(&f, A("lm"), 0, made(SL_TYPE_LIST));
    MUST(&f, sl_record_clear(f.realm, A("lm/0"), &f.st));
    SET(&f, A("dm/x"), made(SL_TYPE_LIST));
    MUST(&f, sl_record_clear(f.realm, A("dm/x"), &f.st));
    INSERT(&f, A("dm/x"), 0, integer(9));
#undef A
    RECORDED(&f,
             "3f000141020001013f01016d04000101010044000b000101010001080001010101000101000800010101"
             "010142010b000101010101023f02016b0400010101020140020102003f03026c6d080001010301004400"
             "0b000101030100013f0402646d3f050178040001010401400544000b0001010401400501080001010402"
             "400500010900");
    close_fixture(&f);
}

static void set_decimal(fixture *f, const char *scientific) {
    sl_value value = {.type = SL_TYPE_DECIMAL};
    assert_true(sl_decimal_from_text(sl_str_c(scientific), &value.decimal));
    SET(f, K01("dec"), value);
}

static void set_timestamp(fixture *f, int64_t seconds, int32_t nanoseconds) {
    sl_value value = {.type = SL_TYPE_TIMESTAMP, .timestamp = {seconds, nanoseconds}};
    SET(f, K01("ts"), value);
}

static void all_scalars(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    static const char *const decimals[] = {"1.5",  "-12345678901234567890.12345",
                                           "NaN",  "Infinity",
                                           "-Inf", "0",
                                           "-0",   "9999999999999999999999999999999999E6111"};
    for (size_t i = 0; i < COUNT(decimals); i++)
        set_decimal(&f, decimals[i]);
    set_timestamp(&f, 1, 500);
    set_timestamp(&f, -1, -999999999);
    SET(&f, K01("dbl"), real(3.25));
    SET(&f, K01("flt"), ((sl_value){.type = SL_TYPE_FLOAT, .single = 1.5f}));
    SET(&f, K01("bin"),
        ((sl_value){.type = SL_TYPE_BINARY, .string = sl_str_of("\x00\x01\xff", 3)}));
    sl_value uuid = {.type = SL_TYPE_UUID}, oid = {.type = SL_TYPE_OBJECTID};
    fill_uuid(uuid.uuid);
    SET(&f, K01("uu"), uuid);
    SET(&f, K01("b"), ((sl_value){.type = SL_TYPE_BOOL, .boolean = true}));
    sl_key key = oid_key(2);
    memcpy(oid.objectid, key.objectid, sizeof oid.objectid);
    SET(&f, K01("oid"), oid);
    SET(&f, K01("age"), integer(INT64_MIN));
    SET(&f, K01("any"), text("str"));
    SET(&f, K01("any"), ((sl_value){.type = SL_TYPE_FLOAT, .single = 1.0f}));
    SET(&f, K01("any"), integer(1));
    RECORDED(&f,
             "3f00064d656d6265723f01036b30313f0203646563040003010200080f40000004000301020008f9be8b"
             "efc3c8a99b8fdc95084401000400030102000800e0cb0000000400030102000800e0c700000004000301"
             "02000800e0c70001000400030102000800000000040003010200080000010004000301020008ffffffff"
             "bfcce3c6b7809feceab7c2f601df2f00003f030274730400030103000501f403000400030103000540fe"
             "93ebdc43003f040364626c040003010400070000000000000a40003f0503666c74040003010500060000"
             "c03f003f060362696e04000301060004030001ff003f070275750400030107000b0123456789abcdef01"
             "23456789abcdef003f0801620400030108000201003f09036f69640400030109000a5f00000000000000"
             "00000002003f0a03616765040003010a0001ffffffffffffffffff40003f0b03616e79040003010b0003"
             "0373747200040003010b00060000803f00040003010b00010100");
    close_fixture(&f);
}

static void keyless_class(void **state) {
    (void)state;
    fixture f;
    sl_key first, second;
    static sl_link link;
    open_fixture(&f, NULL);
    begin(&f);
    sl_class t = {.name = SL_STR("T")};
    sl_property properties[] = {link_prop("l", "T", SL_SINGLE), link_prop("li", "T", SL_LIST),
                                link_prop("s", "T", SL_SET)};
    MUST(&f, sl_record_add_class(f.realm, &t, &f.st));
    for (size_t i = 0; i < COUNT(properties); i++)
        MUST(&f, sl_record_add_property(f.realm, SL_STR("T"), &properties[i], &f.st));
    MUST(&f, sl_record_create(f.realm, SL_STR("T"), NULL, &first, NULL, &f.st));
    MUST(&f, sl_record_create(f.realm, SL_STR("T"), NULL, &second, NULL, &f.st));
    SET(&f, at("T", first, "l"), link_to(&link, "T", second));
    INSERT(&f, at("T", first, "li"), 0, link_to(&link, "T", second));
    ADD(&f, at("T", first, "s"), link_to(&link, "T", second));
    RECORDED(&f,
             "3f0001543f01000000000140003f02016c060002090100003f03026c69060003090001003f0401730600"
             "040900030002004000000200400001040040000002000900400001000800400000030100090040000100"
             "0c0040000004000900400001");
    close_fixture(&f);
}

static void asymmetric_class(void **state) {
    (void)state;
    fixture f;
    uint64_t count = 9;
    open_fixture(&f, NULL);
    begin(&f);
    sl_class ev = class_of("Ev", "_id", SL_TYPE_UUID, NULL, 0);
    ev.kind = SL_TABLE_ASYMMETRIC;
    sl_property i = prop("i", SL_TYPE_INT, SL_SINGLE, false);
    MUST(&f, sl_record_add_class(f.realm, &ev, &f.st));
    MUST(&f, sl_record_add_property(f.realm, SL_STR("Ev"), &i, &f.st));
    sl_key key = {.type = SL_TYPE_UUID};
    fill_uuid(key.uuid);
    CREATE(&f, "Ev", key);
    SET(&f, at("Ev", key, "i"), integer(5));
    RECORDED(&f,
             "3f000245763f01035f6964000002010b003f0201693f030006000201000002000b0123456789abcdef01"
             "23456789abcdef04000b0123456789abcdef0123456789abcdef0200010500");
    MUST(&f, sl_realm_count(f.realm, SL_STR("Ev"), &count, &f.st));
    assert_int_equal(count, 0);
    close_fixture(&f);
}

static void erased_column_and_class(void **state) {
    (void)state;
    fixture f;
    open_k01(&f);
    begin(&f);
    sl_class nopk = {.name = SL_STR("NoPk")};
    MUST(&f, sl_record_add_class(f.realm, &nopk, &f.st));
    commit(&f);
    begin(&f);
    MUST(&f, sl_record_erase_property(f.realm, SL_STR("Member"), SL_STR("nums"), &f.st));
    MUST(&f, sl_record_erase_class(f.realm, SL_STR("NoPk"), &f.st));
    RECORDED(&f, "3f00064d656d6265723f01046e756d730700013f02044e6f506b0102");
    close_fixture(&f);
}

/* P with a link to Q in every kind of container; Q has string keys. */
static void open_containers(fixture *f) {
    open_fixture(f, NULL);
    APPLY(f, "table Q(_id:string); embedded E; table P(_id:int); column E.eq:->Q;"
             "column P.q:->Q; column P.lq:->Q[]; column P.dq:->Q{}; column P.sq:->Q();"
             "column P.e:->E; column P.m:mixed; column P.mn:mixed; column P.sm:mixed();"
             "column P.lm:mixed[]; column P.dm:mixed{}; create P1");
}

static sl_value q(const char *key) {
    static sl_link link;
    return link_to(&link, "Q", text_key(key));
}

#define P1(path) at("P", int_key(1), path)

/* Makes the links of Q(key) dangle the way a peer does: the object goes, the links stay. */
static void erase_silently(fixture *f, const char *key) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    uint32_t name = sl_changeset_intern(&cs, SL_STR("Q"));
    uint32_t sym = sl_changeset_intern(&cs, sl_str_c(key));
    sl_instruction *in = sl_changeset_append(&cs, SL_OP_ERASE_OBJECT);
    assert_non_null(in);
    in->class_name = name;
    in->key = text_key(key);
    in->key.string = cs.strings[sym];
    MUST(f, sl_realm_begin(f->realm, &f->st));
    MUST(f, sl_realm_apply(f->realm, &cs, &f->st));
    sl_realm_commit(f->realm);
    sl_changeset_free(&cs);
}

static void hidden_dangling_link(void **state) {
    (void)state;
    fixture f;
    open_containers(&f);
    begin(&f);
    static const char *const keys[] = {"a", "b", "d"};
    for (uint32_t i = 0; i < 3; i++) {
        CREATE(&f, "Q", text_key(keys[i]));
        INSERT(&f, P1("lq"), i, q(keys[i]));
    }
    commit(&f);
    erase_silently(&f, "b");
    sl_view view;
    bool found;
    MUST(&f, sl_realm_get(f.realm, P1("lq"), &view, &found, &f.st));
    assert_int_equal(view.size, 2);
    begin(&f);
    CREATE(&f, "Q", text_key("c"));
    INSERT(&f, P1("lq"), 2, q("c"));
    INSERT(&f, P1("lq"), 1, q("c"));
    MUST(&f, sl_record_list_erase(f.realm, P1("lq"), 0, &f.st));
    RECORDED(&f,
             "3f0001513f010163020003013f0201503f03026c71080201010301030900030103080201010301020900"
             "0301040a02010103010005");
    begin(&f);
    CREATE(&f, "Q", text_key("b"));
    RECORDED(&f, "3f0001513f010162020003013f0201503f03026c71040201010301000900030104");
    close_fixture(&f);
}

static void target_of_dangling_links_in_every_container(void **state) {
    (void)state;
    fixture f;
    open_containers(&f);
    begin(&f);
    CREATE(&f, "Q", text_key("a"));
    SET(&f, P1("q"), q("a"));
    INSERT(&f, P1("lq"), 0, q("a"));
    SET(&f, P1("dq/k"), q("a"));
    ADD(&f, P1("sq"), q("a"));
    SET(&f, P1("e"), made(SL_TYPE_OBJECT));
    SET(&f, P1("e/eq"), q("a"));
    SET(&f, P1("m"), q("a"));
    SET(&f, P1("mn"), made(SL_TYPE_LIST));
    INSERT(&f, P1("mn"), 0, q("a"));
    ADD(&f, P1("sm"), q("a"));
    INSERT(&f, P1("lm"), 0, q("a"));
    SET(&f, P1("dm/k"), q("a"));
    commit(&f);
    erase_silently(&f, "a");
    begin(&f);
    CREATE(&f, "Q", text_key("a"));
    RECORDED(&f,
             "3f0001513f010161020003013f0201503f03017104020101030009000301003f04026c71040201010401"
             "0009000301013f050264713f06016b040201010501400609000301003f070273710d0201010700090003"
             "010c0201010700090003013f0801453f0901653f0a026571040201010901400a09000301003f0b016d04"
             "0201010b0009000301003f0c026d6e040201010c010009000301013f0d02736d0d0201010d0009000301"
             "0c0201010d00090003013f0e026c6d040201010e010009000301013f0f02646d040201010f0140060900"
             "030100");
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_object_with_string_key),
        cmocka_unit_test(scalar_properties),
        cmocka_unit_test(schema_in_the_order_of_the_sdks),
        cmocka_unit_test(object_with_defaults),
        cmocka_unit_test(suppressed_default_leaves_the_class_name),
        cmocka_unit_test(embedded_objects),
        cmocka_unit_test(lists),
        cmocka_unit_test(lists_of_embedded_objects),
        cmocka_unit_test(links_and_deletion),
        cmocka_unit_test(dictionaries),
        cmocka_unit_test(sets),
        cmocka_unit_test(collections_in_mixed),
        cmocka_unit_test(collections_assigned_by_a_constructor),
        cmocka_unit_test(all_scalars),
        cmocka_unit_test(keyless_class),
        cmocka_unit_test(asymmetric_class),
        cmocka_unit_test(erased_column_and_class),
        cmocka_unit_test(hidden_dangling_link),
        cmocka_unit_test(target_of_dangling_links_in_every_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
