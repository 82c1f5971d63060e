/* geo.h - areas on the sphere (protocol/6-flexible-sync.md, 3.10): polygons whose edges are great
 * circles, and caps. */
#ifndef SL_QUERY_GEO_H
#define SL_QUERY_GEO_H

#include "base/arena.h"
#include "base/status.h"

/* Degrees; longitude -180 to 180, latitude -90 to 90. Altitude is not looked at. */
typedef struct sl_geo_point {
    double longitude, latitude;
} sl_geo_point;

typedef struct sl_geo_loop {
    sl_geo_point *points; /* as written: the last one equals the first */
    uint32_t count;
    struct sl_geo_vector *corners; /* made by sl_geo_prepare: the area lies on the left */
} sl_geo_loop;

typedef enum sl_geo_kind { SL_GEO_BOX, SL_GEO_POLYGON, SL_GEO_CIRCLE } sl_geo_kind;

/* BOX: loops[0] holds the two corners until it is prepared, then the polygon; POLYGON: the first
 * loop is the border, the others are holes; CIRCLE: `centre`, `radius` in radians. */
typedef struct sl_geo {
    uint8_t kind;
    sl_geo_loop *loops;
    uint32_t loop_count;
    sl_geo_point centre;
    double radius;
} sl_geo;

/* Checks the shape and makes what sl_geo_contains needs, in `arena`. Fails with SL_ERR_USAGE
 * "QUERY-TYPE" when it is none: vertices off the globe, too few of them, open or crossing loops, a
 * negative radius, holes outside. The cost grows with the square of the number of vertices, which
 * are at most SL_GEO_MAX_VERTICES. */
enum { SL_GEO_MAX_VERTICES = 1000 };
bool sl_geo_prepare(sl_geo *geo, sl_arena *arena, sl_status *st);
/* Whether a point of the globe is in the prepared shape, its border included. */
bool sl_geo_contains(const sl_geo *geo, sl_geo_point point);

#endif
