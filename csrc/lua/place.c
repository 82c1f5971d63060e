/* place.c - addresses inside a realm as userdata: what objects and collections are made of in Lua.
 */
#include "base/nearest.h"
#include "lua/realm.h"
#include "lua/value.h"

#include <string.h>

static const char *const metatable_names[SL_LUA_PLACE_COUNT] = {
    "syncline.object", "syncline.list", "syncline.set", "syncline.dictionary"};

/* Marks the metatables of proxies; its address is the key. */
static const char place_mark = 0;

/* ---- anchors --------------------------------------------------------------------------------- */

void sl_lua_push_anchor(lua_State *L, int index) {
#ifdef SL_LUA_DOUBLES_ONLY
    lua_getfenv(L, index);
#else
    lua_getuservalue(L, index);
#endif
}

void sl_lua_set_anchor(lua_State *L, int index) {
#ifdef SL_LUA_DOUBLES_ONLY
    lua_setfenv(L, index);
#else
    lua_setuservalue(L, index);
#endif
}

void sl_lua_share_anchor(lua_State *L, int index, int anchored) {
    index = lua_absindex(L, index);
    sl_lua_push_anchor(L, anchored);
    sl_lua_set_anchor(L, index);
}

/* ---- checking -------------------------------------------------------------------------------- */

sl_lua_place *sl_lua_test_place(lua_State *L, int index) {
    sl_lua_place *place = lua_type(L, index) == LUA_TUSERDATA ? lua_touserdata(L, index) : NULL;
    if (!place || !lua_getmetatable(L, index)) return NULL;
    lua_rawgetp(L, -1, &place_mark);
    bool ours = lua_toboolean(L, -1) != 0;
    lua_pop(L, 2);
    return ours ? place : NULL;
}

static sl_lua_place *refresh(lua_State *L, sl_lua_place *self) {
    if (self->owner->head.closed) luaL_error(L, "the realm of this object is closed");
    sl_key *key = &self->place.key;
    if (key->type == SL_TYPE_GLOBALKEY && key->global.hi == 0)
        key->global.hi = sl_client_history_ident(self->owner->history);
    return self;
}

sl_lua_place *sl_lua_check_place(lua_State *L, int index) {
    sl_lua_place *self = sl_lua_test_place(L, index);
    if (!self) {
        const char *text =
            lua_pushfstring(L, "object or collection expected, got %s", luaL_typename(L, index));
        luaL_argerror(L, index, text);
        return NULL; /* not reached: the line above raises */
    }
    return refresh(L, self);
}

sl_lua_place *sl_lua_check_place_kind(lua_State *L, int index, sl_lua_place_kind kind) {
    sl_lua_place *self = sl_lua_test_place(L, index);
    if (!self || self->kind != kind) {
        const char *text =
            lua_pushfstring(L, "%s expected, got %s", metatable_names[kind],
                            self ? metatable_names[self->kind] : luaL_typename(L, index));
        luaL_argerror(L, index, text);
        return NULL; /* not reached: the line above raises */
    }
    return refresh(L, self);
}

/* ---- making ---------------------------------------------------------------------------------- */

static size_t place_bytes(sl_str object_class, const sl_place *place) {
    size_t size = (size_t)object_class.size + place->class_name.size + place->property.size;
    if (place->key.type == SL_TYPE_STRING) size += place->key.string.size;
    for (uint32_t i = 0; i < place->step_count; i++)
        size += place->steps[i].name.size;
    return size + place->step_count * sizeof(sl_step);
}

static void copy_str(sl_str *str, char **at) {
    if (str->size) memcpy(*at, str->data, str->size);
    *str = (sl_str){*at, str->size, SL_NO_SYM};
    *at += str->size;
}

void sl_lua_push_place(lua_State *L, int anchored, sl_lua_realm *owner, sl_lua_place_kind kind,
                       sl_str object_class, const sl_place *place) {
    anchored = lua_absindex(L, anchored);
    luaL_checkstack(L, 4, "a place");
    size_t steps_size = place->step_count * sizeof(sl_step);
    /* Steps stand first, where they are aligned. */
    sl_lua_place *self = lua_newuserdata(L, sizeof *self + place_bytes(object_class, place));
    sl_step *steps = (sl_step *)(void *)self->bytes;
    char *at = self->bytes + steps_size;
    self->kind = (uint8_t)kind;
    self->owner = owner;
    self->object_class = object_class;
    self->place = *place;
    if (steps_size) memcpy(steps, place->steps, steps_size);
    self->place.steps = steps;
    copy_str(&self->object_class, &at);
    copy_str(&self->place.class_name, &at);
    copy_str(&self->place.property, &at);
    if (place->key.type == SL_TYPE_STRING) copy_str(&self->place.key.string, &at);
    for (uint32_t i = 0; i < place->step_count; i++)
        if (!steps[i].is_index) copy_str(&steps[i].name, &at);
    luaL_getmetatable(L, metatable_names[kind]);
    lua_setmetatable(L, -2);
    sl_lua_share_anchor(L, -1, anchored);
}

void sl_lua_push_object(lua_State *L, int anchored, sl_lua_realm *owner, sl_str class_name,
                        const sl_key *key) {
    sl_place place = {.class_name = class_name, .key = *key};
    sl_lua_push_place(L, anchored, owner, SL_LUA_PLACE_OBJECT, class_name, &place);
}

static sl_step *extend(lua_State *L, const sl_lua_place *base, sl_lua_target *target) {
    target->place = base->place;
    uint32_t count = base->place.step_count;
    if (count == SL_LUA_MAX_STEPS) luaL_error(L, "collections are nested too deeply");
    if (count) memcpy(target->steps, base->place.steps, count * sizeof(sl_step));
    target->place.steps = target->steps;
    target->place.step_count = count + 1;
    return &target->steps[count];
}

void sl_lua_extend_name(lua_State *L, const sl_lua_place *base, sl_str name,
                        sl_lua_target *target) {
    if (base->kind == SL_LUA_PLACE_OBJECT && base->place.property.size == 0) {
        target->place = base->place;
        target->place.property = name;
        return;
    }
    *extend(L, base, target) = (sl_step){.is_index = false, .name = name};
}

void sl_lua_extend_index(lua_State *L, const sl_lua_place *base, uint32_t index,
                         sl_lua_target *target) {
    *extend(L, base, target) = (sl_step){.is_index = true, .index = index};
}

void sl_lua_push_view(lua_State *L, int anchored, sl_lua_realm *owner, const sl_place *place,
                      const sl_view *view) {
    static const uint8_t kinds[] = {[SL_NODE_LIST] = SL_LUA_PLACE_LIST,
                                    [SL_NODE_DICT] = SL_LUA_PLACE_DICT,
                                    [SL_NODE_SET] = SL_LUA_PLACE_SET,
                                    [SL_NODE_OBJECT] = SL_LUA_PLACE_OBJECT};
    if (view->kind != SL_NODE_VALUE) {
        sl_str object_class = view->kind == SL_NODE_OBJECT ? view->cls->name : SL_STR("");
        sl_lua_push_place(L, anchored, owner, (sl_lua_place_kind)kinds[view->kind], object_class,
                          place);
        return;
    }
    if (view->value.type == SL_TYPE_LINK) {
        const sl_link *link = view->value.link;
        sl_lua_push_object(L, anchored, owner, link->class_name, &link->key);
        return;
    }
    sl_lua_push_value(L, &view->value, !view->property || view->property->type != SL_TYPE_MIXED);
}

/* ---- values that are stored ------------------------------------------------------------------ */

bool sl_lua_to_stored(lua_State *L, int index, const sl_lua_realm *owner, int type, sl_value *out,
                      sl_link *link, sl_status *st) {
    sl_lua_place *object = sl_lua_test_place(L, index);
    if (!object) return sl_lua_to_value(L, index, type, out, st);
    if (type != SL_TYPE_LINK && type != SL_TYPE_MIXED)
        return sl_fail(st, SL_ERR_USAGE, "", "%s expected, got %s", sl_type_name(type),
                       metatable_names[object->kind]);
    if (object->kind != SL_LUA_PLACE_OBJECT || object->place.property.size)
        return sl_fail(st, SL_ERR_USAGE, "",
                       "a collection or embedded object belongs to its owner; assign a copy "
                       "(value:to_table())");
    if (object->owner != owner)
        return sl_fail(st, SL_ERR_USAGE, "", "the object belongs to another realm");
    refresh(L, object);
    *link = (sl_link){object->place.class_name, object->place.key};
    *out = (sl_value){.type = SL_TYPE_LINK, .link = link};
    return true;
}

/* ---- making content in place ----------------------------------------------------------------- */

/* place:make(name or position, "object" | "list" | "dictionary"): puts a new embedded object, or an
 * empty collection into a Mixed, and returns its proxy. */
int sl_lua_place_make(lua_State *L) {
    static const char *const kinds[] = {"object", "list", "dictionary", NULL};
    static const int8_t types[] = {SL_TYPE_OBJECT, SL_TYPE_LIST, SL_TYPE_DICTIONARY};
    sl_lua_place *self = sl_lua_check_place(L, 1);
    sl_value value = {.type = types[luaL_checkoption(L, 3, NULL, kinds)]};
    sl_lua_target target;
    sl_status st = SL_STATUS_INIT;
    sl_view view;
    bool found;
    if (lua_type(L, 2) == LUA_TSTRING)
        sl_lua_extend_name(L, self, sl_lua_check_str(L, 2), &target);
    else
        sl_lua_extend_index(L, self, (uint32_t)sl_lua_check_int(L, 2, 1, INT32_MAX) - 1, &target);
    if (!sl_record_set(self->owner->realm, &target.place, &value, false, &st) ||
        !sl_realm_get(self->owner->realm, &target.place, &view, &found, &st))
        return sl_lua_throw(L, &st);
    if (!found) return luaL_error(L, "the object does not exist any more");
    sl_lua_push_view(L, 1, self->owner, &target.place, &view);
    return 1;
}

/* ---- what all proxies share ------------------------------------------------------------------ */

static bool step_eq(const sl_step *a, const sl_step *b) {
    if (a->is_index != b->is_index) return false;
    return a->is_index ? a->index == b->index : sl_str_eq(a->name, b->name);
}

static int place_eq(lua_State *L) {
    sl_lua_place *a = sl_lua_test_place(L, 1), *b = sl_lua_test_place(L, 2);
    bool equal = a && b && a->kind == b->kind && a->owner == b->owner && !a->owner->head.closed;
    if (equal) {
        const sl_place *p = &refresh(L, a)->place, *q = &refresh(L, b)->place;
        equal = sl_str_eq(p->class_name, q->class_name) && sl_key_eq(&p->key, &q->key) &&
                sl_str_eq(p->property, q->property) && p->step_count == q->step_count;
        for (uint32_t i = 0; equal && i < p->step_count; i++)
            equal = step_eq(&p->steps[i], &q->steps[i]);
    }
    lua_pushboolean(L, equal);
    return 1;
}

/* "Person(7).pets[2]": 1-based, as Lua sees it. */
static int place_tostring(lua_State *L) {
    sl_lua_place *self = sl_lua_test_place(L, 1);
    luaL_argcheck(L, self, 1, "object or collection expected");
    const sl_place *place = &self->place;
    int top = lua_gettop(L);
    luaL_checkstack(L, (int)place->step_count * 3 + 8, "a place");
    lua_pushlstring(L, place->class_name.data, place->class_name.size);
    lua_pushliteral(L, "(");
    sl_lua_push_key(L, &place->key);
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
    lua_pushliteral(L, ")");
    if (place->property.size) {
        lua_pushliteral(L, ".");
        lua_pushlstring(L, place->property.data, place->property.size);
    }
    for (uint32_t i = 0; i < place->step_count; i++) {
        const sl_step *step = &place->steps[i];
        if (step->is_index) {
            lua_pushfstring(L, "[%d]", (int)step->index + 1);
        } else {
            lua_pushliteral(L, ".");
            lua_pushlstring(L, step->name.data, step->name.size);
        }
    }
    lua_concat(L, lua_gettop(L) - top);
    return 1;
}

static const uint8_t node_kinds[] = {[SL_LUA_PLACE_OBJECT] = SL_NODE_OBJECT,
                                     [SL_LUA_PLACE_LIST] = SL_NODE_LIST,
                                     [SL_LUA_PLACE_SET] = SL_NODE_SET,
                                     [SL_LUA_PLACE_DICT] = SL_NODE_DICT};

/* place:is_valid(): whether what it names still exists. */
static int place_is_valid(lua_State *L) {
    sl_lua_place *self = sl_lua_test_place(L, 1);
    luaL_argcheck(L, self, 1, "object or collection expected");
    sl_status st = SL_STATUS_INIT;
    bool valid = false;
    if (!self->owner->head.closed) {
        sl_realm *realm = refresh(L, self)->owner->realm;
        sl_view view;
        const sl_place *place = &self->place;
        bool ok = place->property.size
                      ? sl_realm_get(realm, place, &view, &valid, &st)
                      : sl_realm_exists(realm, place->class_name, &place->key, &valid, &st);
        if (!ok || (valid && place->property.size && view.kind != node_kinds[self->kind]))
            valid = false;
    }
    lua_pushboolean(L, valid);
    return 1;
}

/* place:owner() -> class, key, property or nil: the top-level object that holds it. */
static int place_owner(lua_State *L) {
    const sl_lua_place *self = sl_lua_check_place(L, 1);
    lua_pushlstring(L, self->place.class_name.data, self->place.class_name.size);
    sl_lua_push_key(L, &self->place.key);
    if (!self->place.property.size) return 2;
    lua_pushlstring(L, self->place.property.data, self->place.property.size);
    return 3;
}

/* place:anchor(): the table shared by everything of one realm; for the Lua half. */
static int place_anchor(lua_State *L) {
    sl_lua_check_place(L, 1);
    sl_lua_push_anchor(L, 1);
    return 1;
}

bool sl_lua_push_method(lua_State *L) {
    if (lua_type(L, 2) != LUA_TSTRING) return false;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1)) return true;
    lua_pop(L, 1);
    return false;
}

int sl_lua_no_method(lua_State *L, const char *what) {
    sl_nearest found = {.wanted = sl_lua_check_str(L, 2)};
    for (lua_pushnil(L); lua_next(L, lua_upvalueindex(1)); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "_";
        if (name[0] != '_') sl_nearest_try(&found, sl_str_c(name));
    }
    if (!found.best.size) return luaL_error(L, "%s has no '%s'", what, lua_tostring(L, 2));
    return luaL_error(L, "%s has no '%s'; did you mean '%s'?", what, lua_tostring(L, 2),
                      found.best.data);
}

int sl_lua_assign(lua_State *L) {
    lua_getfield(L, lua_upvalueindex(1), "__assign");
    if (!lua_isfunction(L, -1)) return luaL_error(L, "a plain value expected, got a table");
    lua_insert(L, 1);
    lua_call(L, 3, 0);
    return 0;
}

static const luaL_Reg shared_metamethods[] = {
    {"__eq", place_eq}, {"__tostring", place_tostring}, {NULL, NULL}};
static const luaL_Reg shared_methods[] = {
    {"is_valid", place_is_valid}, {"owner", place_owner}, {"anchor", place_anchor}, {NULL, NULL}};

void sl_lua_register_place(lua_State *L, sl_lua_place_kind kind, const char *name,
                           const luaL_Reg *metamethods, const luaL_Reg *methods) {
    lua_newtable(L);
    luaL_newmetatable(L, metatable_names[kind]);
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, shared_metamethods, 1);
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, metamethods, 1);
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &place_mark);
    lua_pushstring(L, metatable_names[kind]);
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    luaL_setfuncs(L, shared_methods, 1);
    lua_pushvalue(L, -1);
    lua_pushvalue(L, -1);
    luaL_setfuncs(L, methods, 1);
    lua_pop(L, 1);
    lua_setfield(L, -2, name);
}
