/* apply_internal.h - what the files of the applier share. */
#ifndef SL_REALM_APPLY_INTERNAL_H
#define SL_REALM_APPLY_INTERNAL_H

#include "realm/apply.h"
#include "realm/path.h"

/* What a name of the changeset means; filled on first use, emptied by schema instructions that take
 * something away. */
typedef struct sl_applier_name {
    sl_table *table;     /* as class name; NULL = not looked up */
    const sl_class *cls; /* as property: of this class ... */
    uint32_t index;      /* ... this one */
} sl_applier_name;

typedef struct sl_applier {
    sl_realm *realm;
    const sl_changeset *cs;
    sl_status *st;
    sl_applier_name *names; /* by number in the string table */
    /* The object of the previous instruction. */
    sl_cell *last;
    uint32_t last_class;
    sl_key last_key;
} sl_applier;

/* The table of the class with string number `sym`; NULL: A-NOCLASS, A-NAME or no memory. */
sl_table *sl_applier_table(sl_applier *ap, uint32_t sym);
/* The cell an instruction names, settled; NULL on failure (class, kind of key, memory, source). */
sl_cell *sl_applier_cell(sl_applier *ap, const sl_instruction *in);
/* Forgets what names mean. */
void sl_applier_forget(sl_applier *ap);

/* One instruction each. */
bool sl_apply_add_table(sl_applier *ap, const sl_instruction *in);
bool sl_apply_erase_table(sl_applier *ap, const sl_instruction *in);
bool sl_apply_add_column(sl_applier *ap, const sl_instruction *in);
bool sl_apply_erase_column(sl_applier *ap, const sl_instruction *in);
bool sl_apply_create_object(sl_applier *ap, const sl_instruction *in);
bool sl_apply_erase_object(sl_applier *ap, const sl_instruction *in);
/* UPDATE and ADD_INTEGER. */
bool sl_apply_update(sl_applier *ap, const sl_instruction *in, const sl_target *target);
bool sl_apply_add_integer(sl_applier *ap, const sl_instruction *in, const sl_target *target);
/* Collections. */
bool sl_apply_array_insert(sl_applier *ap, const sl_instruction *in, const sl_target *target);
bool sl_apply_array_move(sl_applier *ap, const sl_instruction *in, const sl_target *target);
bool sl_apply_array_erase(sl_applier *ap, const sl_instruction *in, const sl_target *target);
bool sl_apply_clear(sl_applier *ap, const sl_instruction *in, const sl_target *target);
bool sl_apply_set_insert(sl_applier *ap, const sl_instruction *in, const sl_target *target);
bool sl_apply_set_erase(sl_applier *ap, const sl_instruction *in, const sl_target *target);

/* Fails with `id` and a text about the instruction's property. */
bool sl_apply_bad(sl_applier *ap, const sl_instruction *in, const char *id, const char *what);

#endif
