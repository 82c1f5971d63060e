#include "query/geo.h"

#include <math.h>

#ifndef M_PI
#define M_PI 3.14159265358979323846
#endif

/* A direction from the middle of the globe, of length 1. */
typedef struct sl_geo_vector {
    double x, y, z;
} sl_geo_vector;

/* Angles below this are none: rounding of coordinates that are equal, or of a point on a line. */
static const double TINY = 1e-15;

/* --- vectors --- */

static sl_geo_vector direction(sl_geo_point point) {
    double longitude = point.longitude * M_PI / 180, latitude = point.latitude * M_PI / 180;
    return (sl_geo_vector){cos(latitude) * cos(longitude), cos(latitude) * sin(longitude),
                           sin(latitude)};
}

static sl_geo_vector cross(sl_geo_vector a, sl_geo_vector b) {
    return (sl_geo_vector){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static double dot(sl_geo_vector a, sl_geo_vector b) {
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static double length(sl_geo_vector a) {
    return sqrt(dot(a, a));
}

static double angle_between(sl_geo_vector a, sl_geo_vector b) {
    return atan2(length(cross(a, b)), dot(a, b));
}

/* The angle at `at` from the way to `a` to the way to `b`, counterclockwise as seen from outside.
 */
static double turn(sl_geo_vector at, sl_geo_vector a, sl_geo_vector b) {
    sl_geo_vector to_a = cross(at, a), to_b = cross(at, b);
    return atan2(dot(at, cross(to_a, to_b)), dot(to_a, to_b));
}

/* --- loops --- */

static bool bad(sl_status *st, const char *what) {
    return sl_fail(st, SL_ERR_USAGE, "QUERY-TYPE", "this is no area on the globe: %s", what);
}

static bool on_globe(sl_geo_point p) {
    return fabs(p.longitude) <= 180 && fabs(p.latitude) <= 90; /* false for NaN */
}

/* Gauss and Bonnet: what lies on the left of the loop has the area 2 pi less the turns to the left.
 */
static double area_left(const sl_geo_vector *c, uint32_t n) {
    double turns = 0;
    for (uint32_t i = 0; i < n; i++) {
        sl_geo_vector before = c[(i + n - 1) % n], after = c[(i + 1) % n];
        double inner = turn(c[i], after, before); /* from the way on to the way back */
        if (inner < 0) inner += 2 * M_PI;
        turns += M_PI - inner;
    }
    return 2 * M_PI - turns;
}

static void reverse(sl_geo_vector *c, uint32_t n) {
    for (uint32_t i = 0; i < n / 2; i++) {
        sl_geo_vector swap = c[i];
        c[i] = c[n - 1 - i];
        c[n - 1 - i] = swap;
    }
}

static bool sides_differ(double a, double b) {
    return (a > TINY && b < -TINY) || (a < -TINY && b > TINY);
}

/* Whether the edges a-b and c-d cross inside of both. */
static bool edges_cross(sl_geo_vector a, sl_geo_vector b, sl_geo_vector c, sl_geo_vector d) {
    sl_geo_vector ab = cross(a, b), cd = cross(c, d);
    double ac = dot(ab, c), ad = dot(ab, d), ca = dot(cd, a), cb = dot(cd, b);
    if (!sides_differ(ac, ad) || !sides_differ(ca, cb)) return false;
    /* The great circles meet on both sides of the globe; the arcs only if they are on one. */
    return (ac > 0) == (cb > 0);
}

static bool loop_is_simple(const sl_geo_vector *c, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 2; k < n; k++)
            if (!(i == 0 && k == n - 1) && edges_cross(c[i], c[i + 1], c[k], c[(k + 1) % n]))
                return false;
    return true;
}

static bool same_point(sl_geo_point a, sl_geo_point b) {
    return a.longitude == b.longitude && a.latitude == b.latitude;
}

static bool prepare_loop(sl_geo_loop *loop, sl_arena *arena, sl_status *st) {
    uint32_t n = loop->count ? loop->count - 1 : 0;
    for (uint32_t i = 0; i < loop->count; i++)
        if (!on_globe(loop->points[i]))
            return bad(st, "longitudes are from -180 to 180, latitudes from -90 to 90");
    if (!n || !same_point(loop->points[0], loop->points[n]))
        return bad(st, "the last point of a loop must be its first");
    if (n < 3) return bad(st, "a loop has at least three different points");
    sl_geo_vector *c = sl_arena_alloc(arena, n * sizeof *c);
    if (!c) return sl_fail_memory(st);
    for (uint32_t i = 0; i < n; i++)
        c[i] = direction(loop->points[i]);
    for (uint32_t i = 0; i < n; i++) {
        double edge = angle_between(c[i], c[(i + 1) % n]);
        if (edge < TINY) return bad(st, "a point follows itself");
        if (edge > M_PI - 1e-12) return bad(st, "an edge between opposite points of the globe");
    }
    if (!loop_is_simple(c, n)) return bad(st, "edges cross");
    if (area_left(c, n) > 2 * M_PI) reverse(c, n);
    loop->corners = c;
    return true;
}

/* Whether `p` is on the edge a-b. */
static bool on_edge(sl_geo_vector p, sl_geo_vector a, sl_geo_vector b) {
    sl_geo_vector normal = cross(a, b);
    double off = fabs(dot(p, normal)) / length(normal);
    return off < TINY && dot(cross(normal, a), p) >= -TINY && dot(cross(b, normal), p) >= -TINY;
}

/* The loop winds once around everything on its left, counterclockwise. */
static bool loop_contains(const sl_geo_loop *loop, sl_geo_vector p) {
    uint32_t n = loop->count - 1;
    double winding = 0;
    for (uint32_t i = 0; i < n; i++) {
        sl_geo_vector a = loop->corners[i], b = loop->corners[(i + 1) % n];
        if (angle_between(p, a) < TINY || on_edge(p, a, b)) return true;
        winding += turn(p, a, b);
    }
    return winding > M_PI;
}

/* --- shapes --- */

static bool box_to_loop(sl_geo *geo, sl_arena *arena, sl_status *st) {
    sl_geo_loop *loop = &geo->loops[0];
    sl_geo_point low = loop->points[0], high = loop->points[1];
    if (!on_globe(low) || !on_globe(high))
        return bad(st, "longitudes are from -180 to 180, latitudes from -90 to 90");
    if (low.longitude == high.longitude || low.latitude == high.latitude)
        return bad(st, "the corners of a box have different longitudes and latitudes");
    sl_geo_point *points = sl_arena_alloc(arena, 5 * sizeof *points);
    if (!points) return sl_fail_memory(st);
    points[0] = points[4] = low;
    points[1] = (sl_geo_point){low.longitude, high.latitude};
    points[2] = high;
    points[3] = (sl_geo_point){high.longitude, low.latitude};
    *loop = (sl_geo_loop){.points = points, .count = 5};
    return true;
}

static bool holes_fit(const sl_geo *geo, sl_status *st) {
    for (uint32_t i = 1; i < geo->loop_count; i++)
        for (uint32_t k = 0; k + 1 < geo->loops[i].count; k++) {
            sl_geo_vector corner = geo->loops[i].corners[k];
            if (!loop_contains(&geo->loops[0], corner))
                return bad(st, "a hole reaches out of the border");
            for (uint32_t j = 1; j < i; j++)
                if (loop_contains(&geo->loops[j], corner)) return bad(st, "a hole in a hole");
        }
    return true;
}

bool sl_geo_prepare(sl_geo *geo, sl_arena *arena, sl_status *st) {
    if (geo->kind == SL_GEO_CIRCLE) {
        if (!on_globe(geo->centre))
            return bad(st, "longitudes are from -180 to 180, latitudes from -90 to 90");
        return geo->radius >= 0 || bad(st, "a radius is not negative");
    }
    if (geo->kind == SL_GEO_BOX && geo->loops[0].count == 2 && !box_to_loop(geo, arena, st))
        return false;
    for (uint32_t i = 0; i < geo->loop_count; i++)
        if (!prepare_loop(&geo->loops[i], arena, st)) return false;
    return holes_fit(geo, st);
}

bool sl_geo_contains(const sl_geo *geo, sl_geo_point point) {
    if (!on_globe(point)) return false;
    sl_geo_vector p = direction(point);
    if (geo->kind == SL_GEO_CIRCLE) {
        sl_geo_vector centre = direction(geo->centre);
        return same_point(point, geo->centre) || angle_between(p, centre) <= geo->radius;
    }
    if (!loop_contains(&geo->loops[0], p)) return false;
    for (uint32_t i = 1; i < geo->loop_count; i++)
        if (loop_contains(&geo->loops[i], p)) return false;
    return true;
}
