/* missing.h - what to say about names that the schema does not have. */
#ifndef SL_REALM_MISSING_H
#define SL_REALM_MISSING_H

#include "base/status.h"
#include "realm/schema.h"

/* The property that may have been meant, "" if none is close. The others return false with
 * SL_ERR_USAGE: "Task has no property 'nmae'; did you mean 'name'?" */
sl_str sl_class_nearest(const sl_class *cls, sl_str name);
bool sl_no_property(const sl_class *cls, sl_str name, sl_status *st);
bool sl_no_class(const sl_schema *schema, sl_str name, sl_status *st);

#endif
