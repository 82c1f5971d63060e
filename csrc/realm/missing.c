#include "realm/missing.h"

#include "base/nearest.h"
#include "realm/path.h"

sl_str sl_class_nearest(const sl_class *cls, sl_str name) {
    sl_nearest found = {.wanted = name};
    if (cls->has_key) sl_nearest_try(&found, cls->key_name);
    for (uint32_t i = 0; i < cls->property_count; i++)
        if (!cls->properties[i].erased) sl_nearest_try(&found, cls->properties[i].name);
    return found.best;
}

bool sl_no_property(const sl_class *cls, sl_str name, sl_status *st) {
    sl_str meant = sl_class_nearest(cls, name);
    bool any = meant.size > 0;
    return sl_fail(st, SL_ERR_USAGE, "A-NOFIELD", "%.*s has no property '%.*s'%s%.*s%s",
                   sl_shown(cls->name), cls->name.data, sl_shown(name), name.data,
                   any ? "; did you mean '" : "", sl_shown(meant), meant.data, any ? "'?" : "");
}

bool sl_no_class(const sl_schema *schema, sl_str name, sl_status *st) {
    sl_nearest found = {.wanted = name};
    for (uint32_t i = 0; i < schema->count; i++)
        sl_nearest_try(&found, schema->classes[i]->name);
    bool any = found.best.size > 0;
    return sl_fail(st, SL_ERR_USAGE, "A-NOCLASS", "there is no class '%.*s'%s%.*s%s",
                   sl_shown(name), name.data, any ? "; did you mean '" : "", sl_shown(found.best),
                   found.best.data, any ? "'?" : "");
}
