#include <string.h>

#include "query/literal.h"
#include "query/parser_private.h"

/* The reference reads no whole negative number here, but writes them: what is spelled as its
 * printer spells the shape comes from an SDK and may hold them. */
static bool geo_number(sl_parser *p, bool printed, double *number) {
    sl_value value;
    if (sl_parser_at(p, SL_TOK_ARGUMENT)) {
        const sl_query_argument *arg = sl_parser_argument(p);
        if (!arg) return false;
        value = (sl_value){.type = SL_TYPE_NULL};
        if (!arg->list) value = arg->values[0];
    } else {
        if (!sl_parser_at(p, SL_TOK_NATURAL) && !sl_parser_at(p, SL_TOK_FLOAT) &&
            !sl_parser_at(p, SL_TOK_INFINITY) && !sl_parser_at(p, SL_TOK_NAN) &&
            !(printed && sl_parser_at(p, SL_TOK_NUMBER)))
            return sl_parser_expected(p, "a number");
        if (!sl_literal_value(&p->token, p->arena, &value, p->st)) return false;
    }
    if (value.type != SL_TYPE_INT && value.type != SL_TYPE_DOUBLE)
        return sl_parser_expected(p, "a number");
    *number = value.type == SL_TYPE_INT ? (double)value.integer : value.real;
    return sl_parser_advance(p);
}

static bool geo_point(sl_parser *p, bool printed, sl_geo_point *point) {
    double altitude;
    if (!sl_parser_take_sign(p, '[', "'[' and a point") ||
        !geo_number(p, printed, &point->longitude) || !sl_parser_take_sign(p, ',', "','") ||
        !geo_number(p, printed, &point->latitude))
        return false;
    if (sl_parser_at_sign(p, ',') && (!sl_parser_advance(p) || !geo_number(p, printed, &altitude)))
        return false;
    return sl_parser_take_sign(p, ']', "']'");
}

static bool geo_box(sl_parser *p, bool printed, sl_geo *geo) {
    geo->loops = sl_arena_zero(p->arena, 1, sizeof *geo->loops);
    sl_geo_point *points = sl_arena_zero(p->arena, 2, sizeof *points);
    if (!geo->loops || !points) return sl_fail_memory(p->st);
    geo->loop_count = 1;
    geo->loops[0] = (sl_geo_loop){.points = points, .count = 2};
    return geo_point(p, printed, &points[0]) && sl_parser_take_sign(p, ',', "','") &&
           geo_point(p, printed, &points[1]);
}

static bool geo_loop(sl_parser *p, bool printed, sl_geo_loop *loop, uint32_t *budget) {
    uint32_t room = 0;
    if (!sl_parser_take_sign(p, '{', "'{' and points")) return false;
    do {
        if (loop->count && !sl_parser_advance(p)) return false;
        if (!*budget)
            return sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-TYPE", p->token.offset,
                              "a polygon of more than %d vertices", SL_GEO_MAX_VERTICES);
        if (loop->count == room) {
            room = room ? room * 2 : 8;
            sl_geo_point *points = sl_arena_alloc(p->arena, room * sizeof *points);
            if (!points) return sl_fail_memory(p->st);
            if (loop->count) memcpy(points, loop->points, loop->count * sizeof *points);
            loop->points = points;
        }
        if (!geo_point(p, printed, &loop->points[loop->count])) return false;
        loop->count++;
        (*budget)--;
    } while (sl_parser_at_sign(p, ','));
    return sl_parser_take_sign(p, '}', "',' or '}'");
}

static bool geo_polygon(sl_parser *p, bool printed, sl_geo *geo) {
    uint32_t budget = SL_GEO_MAX_VERTICES, room = 0;
    do {
        if (geo->loop_count && !sl_parser_advance(p)) return false;
        if (geo->loop_count == room) {
            room = room ? room * 2 : 2;
            sl_geo_loop *loops = sl_arena_zero(p->arena, room, sizeof *loops);
            if (!loops) return sl_fail_memory(p->st);
            if (geo->loop_count) memcpy(loops, geo->loops, geo->loop_count * sizeof *loops);
            geo->loops = loops;
        }
        if (!geo_loop(p, printed, &geo->loops[geo->loop_count], &budget)) return false;
        geo->loop_count++;
    } while (sl_parser_at_sign(p, ','));
    return true;
}

sl_geo *sl_parser_geo(sl_parser *p) {
    sl_geo *geo = sl_arena_zero(p->arena, 1, sizeof *geo);
    if (!geo) {
        sl_fail_memory(p->st);
        return NULL;
    }
    sl_token_kind kind = p->token.kind;
    if (kind != SL_TOK_GEOBOX && kind != SL_TOK_GEOPOLYGON && kind != SL_TOK_GEOCIRCLE) {
        sl_parser_expected(p, "geoBox, geoPolygon or geoCircle");
        return NULL;
    }
    geo->kind = (uint8_t)(kind == SL_TOK_GEOBOX       ? SL_GEO_BOX
                          : kind == SL_TOK_GEOPOLYGON ? SL_GEO_POLYGON
                                                      : SL_GEO_CIRCLE);
    bool printed = memcmp(p->token.text.data, "Geo", 3) == 0, ok;
    if (!sl_parser_advance(p) || !sl_parser_take_sign(p, '(', "'('")) return NULL;
    if (kind == SL_TOK_GEOCIRCLE)
        ok = geo_point(p, printed, &geo->centre) && sl_parser_take_sign(p, ',', "','") &&
             geo_number(p, printed, &geo->radius);
    else
        ok = kind == SL_TOK_GEOBOX ? geo_box(p, printed, geo) : geo_polygon(p, printed, geo);
    return ok && sl_parser_take_sign(p, ')', "')'") ? geo : NULL;
}
