/* place.h - the address of a place inside a realm. */
#ifndef SL_REALM_PLACE_H
#define SL_REALM_PLACE_H

#include "value/value.h"

/* One step down: a list index, or the name of an embedded object's property or dictionary key. */
typedef struct sl_step {
    bool is_index;
    uint32_t index;
    sl_str name;
} sl_step;

/* Property `property` of the object (class_name, key), and from there `step_count` steps down
 * (protocol/2-changeset.md, 6). Everything borrowed. The same struct names
 *   a property          no steps, or the last step names a property of an embedded object
 *   a collection        as a property, or a collection inside a Mixed at any depth
 *   a list element      the last step is an index
 *   a dictionary entry  the last step is a key
 * Indices are those of the application: in a list of links to top-level objects they do not count
 * entries whose target does not exist (10.3). `property` may be the key property (reading only). */
typedef struct sl_place {
    sl_str class_name;
    sl_key key;
    sl_str property;
    const sl_step *steps;
    uint32_t step_count;
} sl_place;

#endif
