#include "vectors.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

const char *vec_dir(int argc, char **argv) {
    static char path[4096];
    if (argc > 1) return argv[1];
    const char *shared = getenv("SYNCLINE_SHARED");
    snprintf(path, sizeof path, "%s/vectors", shared ? shared : "../shared");
    return path;
}

static bool ends_with(const char *text, const char *tail) {
    size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0;
}

static bool belongs(const char *name, const char *kind) {
    size_t n = strlen(kind);
    if (strncmp(name, kind, n) != 0 || (name[n] != '.' && name[n] != '_')) return false;
    return ends_with(name, ".jsonl") || ends_with(name, ".jsonl.gz");
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads one line without its LF; false at the end of the file. */
static bool read_line(gzFile file, sl_buf *line) {
    sl_buf_clear(line);
    for (;;) {
        char *at = sl_buf_reserve(line, 65536);
        if (!at || !gzgets(file, at, 65536)) return line->size > 0;
        size_t n = strlen(at);
        line->size += n;
        if (n && at[n - 1] == '\n') {
            line->size--;
            return true;
        }
    }
}

static bool each_line(gzFile file, const char *name, vec_row visit, void *ctx, bool *stop) {
    sl_buf line;
    sl_buf_init(&line, NULL);
    bool ok = true;
    for (unsigned n = 1; ok && !*stop && read_line(file, &line); n++) {
        if (line.size == 0) continue;
        json_error_t error;
        json_t *row = json_loadb(line.data, line.size, JSON_ALLOW_NUL, &error);
        if (!row) {
            fprintf(stderr, "%s:%u: %s\n", name, n, error.text);
            ok = false;
            break;
        }
        *stop = !visit(ctx, name, n, row);
        json_decref(row);
    }
    sl_buf_free(&line);
    return ok;
}

static bool each_in_file(const char *dir, const char *name, vec_row visit, void *ctx, bool *stop) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    gzFile file = gzopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        return false;
    }
    gzbuffer(file, 1 << 17);
    bool ok = each_line(file, name, visit, ctx, stop);
    int error = Z_OK;
    const char *text = gzerror(file, &error);
    if (error != Z_OK && error != Z_STREAM_END) {
        fprintf(stderr, "%s: %s\n", path, text);
        ok = false;
    }
    gzclose(file);
    return ok;
}

bool vec_each(const char *dir, const char *kind, vec_row visit, void *ctx) {
    enum { MOST = 256 };
    char *names[MOST];
    size_t count = 0;
    DIR *d = opendir(dir);
    if (!d) {
        fprintf(stderr, "%s: no such directory\n", dir);
        return false;
    }
    for (struct dirent *e; (e = readdir(d)) && count < MOST;) {
        if (belongs(e->d_name, kind)) names[count++] = strdup(e->d_name);
    }
    closedir(d);
    qsort(names, count, sizeof *names, by_name);
    bool ok = true, stop = false;
    for (size_t i = 0; i < count; i++) {
        if (ok && !stop) ok = each_in_file(dir, names[i], visit, ctx, &stop);
        free(names[i]);
    }
    return ok;
}

const char *vec_text(const json_t *row, const char *member) {
    return json_string_value(json_object_get(row, member));
}

long long vec_int(const json_t *row, const char *member) {
    return json_integer_value(json_object_get(row, member));
}

static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool vec_hex(const char *text, sl_buf *out) {
    size_t n = text ? strlen(text) : 1;
    if (n % 2) return false;
    char *at = sl_buf_reserve(out, n / 2 + 1);
    if (!at) return false;
    for (size_t i = 0; i < n; i += 2) {
        int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0) return false;
        *at++ = (char)(high << 4 | low);
    }
    out->size += n / 2;
    return true;
}

bool vec_hex_json(const json_t *text, sl_buf *out) {
    return vec_hex(json_string_value(text), out);
}

bool vec_check(vec_count *count, const char *name, bool ok, const char *format, ...) {
    if (ok) {
        count->passed++;
        return true;
    }
    if (count->failed++ < 25) {
        va_list args;
        va_start(args, format);
        printf("FAIL %s %s: ", count->kind, name ? name : "");
        vprintf(format, args);
        printf("\n");
        va_end(args);
    }
    return false;
}

int vec_finish(const vec_count *count) {
    if (count->passed + count->failed)
        printf("%s: %u passed, %u failed\n", count->kind, count->passed, count->failed);
    return count->failed ? 1 : 0;
}
