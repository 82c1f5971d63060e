/* changeset.h - the instruction model: one write transaction in memory.
 * Source: protocol/2-changeset.md, sections 1 and 7. */
#ifndef SL_CHANGESET_CHANGESET_H
#define SL_CHANGESET_CHANGESET_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "value/value.h"

/* Wire codes. */
typedef enum sl_op {
    SL_OP_ADD_TABLE = 0,
    SL_OP_ERASE_TABLE = 1,
    SL_OP_CREATE_OBJECT = 2,
    SL_OP_ERASE_OBJECT = 3,
    SL_OP_UPDATE = 4,
    SL_OP_ADD_INTEGER = 5,
    SL_OP_ADD_COLUMN = 6,
    SL_OP_ERASE_COLUMN = 7,
    SL_OP_ARRAY_INSERT = 8,
    SL_OP_ARRAY_MOVE = 9,
    SL_OP_ARRAY_ERASE = 10,
    SL_OP_CLEAR = 11,
    SL_OP_SET_INSERT = 12,
    SL_OP_SET_ERASE = 13,
    SL_OP_COUNT = 14
} sl_op;

/* Limits: protocol/2-changeset.md, 3.1, 8 and 6. */
enum { SL_MAX_STRING = 16777199, SL_MAX_BINARY = 16777200, SL_MAX_PATH = 256 };

/* One step of a path: a list index, or a name (property of an embedded object, dictionary key). */
typedef struct sl_path_elem {
    bool is_index;
    uint32_t number; /* the index, or the name's index in the string table */
} sl_path_elem;

/* One instruction. Flat on purpose: which members mean something is a matter of `op` (comments name
 * the kinds; "path" = UPDATE, ADD_INTEGER, ARRAY_*, CLEAR, SET_*). The others are zero (`sym`
 * members: SL_NO_SYM). Names are indices into sl_changeset.strings.
 * Invariants of a parsed instruction: path_size <= SL_MAX_PATH; ARRAY_* have a path that ends with
 * an index; for ADD_TABLE of an embedded class `field` is SL_NO_SYM. */
typedef struct sl_instruction {
    uint8_t op;          /* sl_op */
    uint8_t table_kind;  /* ADD_TABLE: sl_table_kind */
    uint8_t collection;  /* ADD_COLUMN, CLEAR: sl_collection */
    bool nullable;       /* ADD_TABLE (key), ADD_COLUMN */
    bool is_default;     /* UPDATE whose path does not end with an index */
    int8_t type;         /* ADD_COLUMN: column type; ADD_TABLE: key type (GLOBALKEY = no key) */
    int8_t key_type;     /* ADD_COLUMN of a dictionary: type of its keys */
    uint16_t path_size;  /* path */
    uint32_t class_name; /* all: the class */
    uint32_t field;      /* path, ADD_COLUMN, ERASE_COLUMN: the property; ADD_TABLE: key property */
    uint32_t target;     /* ADD_COLUMN of links: target class */
    uint32_t to;         /* ARRAY_MOVE */
    uint32_t prior_size; /* ARRAY_*, UPDATE whose path ends with an index */
    sl_path_elem *path;  /* path; in the changeset's arena */
    sl_key key;          /* path, CREATE_OBJECT, ERASE_OBJECT; string keys carry `sym` */
    sl_value value;      /* UPDATE, ARRAY_INSERT, SET_*; ADD_INTEGER: INT, the delta. The class name
                          * and a string key of a link carry `sym` */
} sl_instruction;

/* A parsed or recorded changeset. Paths, links and copied bytes live in `arena`; strings and
 * binaries of a parsed one in the input bytes (zero copy), which must outlive it. The two tables
 * are blocks of their own that a reset keeps. `string_at[i]` is the number of instructions that
 * stood before string i was defined; it lets the encoder reproduce the arrangement of the input.
 * `instructions` may be changed in place, `count` lowered, and the whole array replaced by one from
 * `arena` (set `capacity` with it): growing copies into a block of its own again. Strings are only
 * ever added, by sl_changeset_intern. */
typedef struct sl_changeset {
    sl_arena arena;
    sl_str *strings; /* sym of strings[i] is i */
    uint32_t *string_at;
    uint32_t string_count, string_capacity;
    sl_instruction *instructions;
    uint32_t count, capacity;
    /* Private. */
    sl_instruction *block; /* owned; where `instructions` lives unless it was replaced */
    uint32_t block_capacity;
    uint32_t *index; /* open addressing over `strings`: index + 1, 0 = free */
    uint32_t index_capacity, index_mask;
    uint32_t index_count; /* strings [0, index_count) are in it */
} sl_changeset;

/* `alloc` borrowed (NULL = heap). Allocates nothing. */
void sl_changeset_init(sl_changeset *cs, const sl_alloc *alloc);
void sl_changeset_free(sl_changeset *cs);
/* Empties it for reuse; keeps memory. */
void sl_changeset_reset(sl_changeset *cs);

/* Parses `size` bytes at `data` (borrowed, must outlive `cs`) into `cs`, which was initialised or
 * reset. Strict: any failed check of 2-changeset.md section 8 fails with SL_ERR_CHANGESET, the
 * P-... id, and the offset of the offending field; `cs` is then empty but still to be freed. Zero
 * bytes are a valid changeset. */
bool sl_changeset_parse(sl_changeset *cs, const void *data, size_t size, sl_status *st);

/* How interned strings are laid out by the encoder. */
typedef enum sl_encoding {
    SL_ENCODE_AS_PARSED, /* where `string_at` says: the bytes that were parsed, if canonical */
    SL_ENCODE_UPFRONT    /* all strings first, in index order; nothing at all if no instructions */
} sl_encoding;

/* Appends the encoding to `out` (borrowed). Whatever `string_at` says, no string is written after
 * its first use. Fails with SL_ERR_MEMORY, or SL_ERR_USAGE when an instruction names a string that
 * is not in the table or a value or key that cannot be encoded; `out` then has its old size. */
bool sl_changeset_encode(const sl_changeset *cs, sl_encoding how, sl_buf *out, sl_status *st);

/* What a growing changeset takes when encoded; zero before the first sl_changeset_measure. */
typedef struct sl_changeset_size {
    uint64_t bytes;
    uint32_t instructions, strings; /* that are counted in `bytes` */
} sl_changeset_size;

/* Adds what was appended since the last call. What was changed in place meanwhile counts as it was.
 * `scratch` (borrowed) is overwritten. Fails with SL_ERR_MEMORY only. */
bool sl_changeset_measure(const sl_changeset *cs, sl_changeset_size *size, sl_buf *scratch,
                          sl_status *st);

/* The index of `s` in the string table, adding a copy when absent (`string_at` = current count).
 * SL_NO_SYM when there is no memory. Linear effort is bounded: a map is built on first use. */
uint32_t sl_changeset_intern(sl_changeset *cs, sl_str s);
/* Appends a zeroed instruction (sym members SL_NO_SYM) and returns it; NULL when there is no
 * memory. The pointer is valid until the next append. */
sl_instruction *sl_changeset_append(sl_changeset *cs, sl_op op);

/* The string with index `sym` (must be < string_count). */
static inline sl_str sl_changeset_string(const sl_changeset *cs, uint32_t sym) {
    return cs->strings[sym];
}

/* True if the instruction has a path head (UPDATE, ADD_INTEGER, ARRAY_*, CLEAR, SET_*). */
static inline bool sl_op_has_path(uint8_t op) {
    return op == SL_OP_UPDATE || op == SL_OP_ADD_INTEGER || op >= SL_OP_ARRAY_INSERT;
}
static inline bool sl_path_ends_with_index(const sl_instruction *in) {
    return in->path_size > 0 && in->path[in->path_size - 1].is_index;
}

/* Puts `ident` where a key of an object without key property says "mine" (hi = 0): in keys and in
 * the keys of links, in every kind of instruction (protocol/2-changeset.md, 13.4). *changed tells
 * whether there was any. Fails with SL_ERR_MEMORY only; some keys may then have been rewritten. */
bool sl_changeset_rewrite_ident(sl_changeset *cs, uint64_t ident, bool *changed, sl_status *st);

/* "AddTable", ...; static storage; NULL for an unknown code. */
const char *sl_op_name(int op);

#endif
