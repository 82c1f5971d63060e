#include "support.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bench_options bench_parse(int argc, char **argv) {
    static char path[4096];
    const char *shared = getenv("SYNCLINE_SHARED");
    snprintf(path, sizeof path, "%s/bench", shared ? shared : "../shared");
    bench_options options = {NULL, path, false};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--name") == 0 && i + 1 < argc) {
            options.name = argv[++i];
        } else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) {
            options.dir = argv[++i];
        } else {
            fprintf(stderr, "usage: %s [--name TEXT] [--dir PATH] [--json]\n", argv[0]);
            exit(2);
        }
    }
    return options;
}

bool bench_selected(const bench_options *options, const char *workload) {
    return !options->name || strstr(workload, options->name);
}

static void print_json(const bench_result *r, double ns, double rate) {
    printf("{\"name\":\"%s\",\"unit\":\"%s\",\"operations\":%llu,\"ns_per_operation\":%.2f",
           r->name, r->unit, (unsigned long long)r->operations, ns);
    if (r->bytes) printf(",\"mb_per_second\":%.1f", rate);
    if (r->has_memory)
        printf(",\"peak_bytes\":%llu,\"allocations_per_operation\":%.6f",
               (unsigned long long)r->peak, (double)r->allocations / (double)r->operations);
    printf("}\n");
}

void bench_print(const bench_result *r, bool json) {
    double ns = r->seconds * 1e9 / (double)r->operations;
    double rate = (double)r->bytes / 1e6 / r->seconds;
    if (json) {
        print_json(r, ns, rate);
        return;
    }
    printf("%-46s %9llu  %10.1f ns/%s", r->name, (unsigned long long)r->operations, ns, r->unit);
    if (r->bytes) printf("  %7.0f MB/s", rate);
    if (r->has_memory)
        printf("  %9.1f kB peak  %.4f allocations/%s", (double)r->peak / 1e3,
               (double)r->allocations / (double)r->operations, r->unit);
    printf("\n");
    fflush(stdout);
}

double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double batch(bench_round round, bench_round prepare, void *ctx, unsigned rounds) {
    if (prepare) prepare(ctx);
    double start = bench_now();
    for (unsigned i = 0; i < rounds; i++)
        round(ctx);
    return (bench_now() - start) / rounds;
}

double bench_time(bench_round round, bench_round prepare, void *ctx, double seconds) {
    double start = bench_now(), best = batch(round, prepare, ctx, 1);
    unsigned rounds = 1;
    /* Long enough that the clock does not matter, short enough that a quiet moment is caught. */
    if (!prepare && best < 0.005) rounds = (unsigned)(0.005 / (best > 1e-8 ? best : 1e-8)) + 1;
    for (unsigned n = 0; n < 3 || bench_now() - start < seconds; n++) {
        double t = batch(round, prepare, ctx, rounds);
        if (t < best) best = t;
    }
    return best;
}

static void *counting_realloc(void *ctx, void *block, size_t size) {
    bench_memory *m = ctx;
    uint64_t before = block ? malloc_usable_size(block) : 0;
    if (size == 0) {
        m->live -= before;
        free(block);
        return NULL;
    }
    void *result = realloc(block, size);
    if (!result) return NULL;
    m->requests++;
    m->live += malloc_usable_size(result) - before;
    if (m->live > m->peak) m->peak = m->live;
    return result;
}

void bench_memory_init(bench_memory *memory) {
    *memory = (bench_memory){{counting_realloc, memory}, 0, 0, 0};
}

void bench_memory_mark(bench_memory *memory) {
    memory->peak = memory->live;
    memory->requests = 0;
}

static uint32_t read_u32(const char *at) {
    const unsigned char *p = (const unsigned char *)at;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *data = NULL;
    *size = 0;
    for (size_t got = 1; got > 0; *size += got) {
        char *more = realloc(data, *size + (1 << 20));
        if (!more) break;
        data = more;
        got = fread(data + *size, 1, 1 << 20, file);
    }
    fclose(file);
    return data;
}

static bool split(bench_set *set, size_t size) {
    if (size < 8 || memcmp(set->data, "RSB1", 4) != 0) return false;
    uint32_t count = read_u32(set->data + 4);
    size_t at = 8;
    if (count > size / 4) return false;
    set->entries = calloc(count ? count : 1, sizeof *set->entries);
    if (!set->entries) return false;
    for (; set->count < count; set->count++) {
        if (size - at < 4) return false;
        uint32_t length = read_u32(set->data + at);
        at += 4;
        if (length > size - at) return false;
        set->entries[set->count] = sl_str_of(set->data + at, length);
        set->bytes += length;
        at += length;
    }
    set->capacity = count;
    return at == size;
}

bool bench_load(bench_set *set, const char *dir, const char *name) {
    char path[4096];
    size_t size = 0;
    memset(set, 0, sizeof *set);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    set->data = read_file(path, &size);
    if (set->data && split(set, size)) return true;
    fprintf(stderr, "%s: missing or no container\n", path);
    bench_free(set);
    return false;
}

void bench_free(bench_set *set) {
    free(set->data);
    free(set->entries);
    memset(set, 0, sizeof *set);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void bench_each(const char *dir, const char *prefix, const char *suffix,
                void (*visit)(void *ctx, const char *dir, const char *name), void *ctx) {
    enum { MOST = 512 };
    char *names[MOST];
    size_t count = 0, n = strlen(suffix);
    DIR *d = opendir(dir);
    if (!d) {
        fprintf(stderr, "%s: no such directory\n", dir);
        return;
    }
    for (struct dirent *e; (e = readdir(d)) && count < MOST;) {
        size_t length = strlen(e->d_name);
        if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 || length < n) continue;
        if (strcmp(e->d_name + length - n, suffix) == 0) names[count++] = strdup(e->d_name);
    }
    closedir(d);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        visit(ctx, dir, names[i]);
        free(names[i]);
    }
}
