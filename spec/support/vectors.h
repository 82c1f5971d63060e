/* vectors.h - shared by the programs that run golden vectors: reading JSON lines, hex, and
 * counting. A runner is a program `run_<kind> [DIR]`; it prints "<kind>: N passed, N failed" and
 * exits with 1 if anything failed. */
#ifndef SPEC_SUPPORT_VECTORS_H
#define SPEC_SUPPORT_VECTORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* The directory of the vectors: argv[1], else $SYNCLINE_SHARED/vectors, else ../shared/vectors.
 * The text lives as long as the process. */
const char *vec_dir(int argc, char **argv);

/* One row; borrowed, valid during the call. `file` is the file's name without directory, `line`
 * counts from 1. Return false to stop. */
typedef bool (*vec_row)(void *ctx, const char *file, unsigned line, const json_t *row);

/* Calls `visit` for every line of every file of `dir` whose name starts with `kind` and goes on
 * with
 * `.jsonl`, `_....jsonl` or either with `.gz`, in order of their names. No such file is no error.
 * Returns false when a file could not be read or a line is no JSON (reported on stderr). */
bool vec_each(const char *dir, const char *kind, vec_row visit, void *ctx);

/* Member of an object as text (NULL if absent or no string), and as a number (0 if absent). */
const char *vec_text(const json_t *row, const char *member);
long long vec_int(const json_t *row, const char *member);
/* Appends the bytes of a hex text to `out`; false if it is none. */
bool vec_hex(const char *text, sl_buf *out);
/* As vec_hex for a JSON string. */
bool vec_hex_json(const json_t *text, sl_buf *out);

/* Results of one kind. Failures are printed, the first 25 of them. */
typedef struct vec_count {
    const char *kind;
    unsigned passed, failed;
} vec_count;

/* Counts one row; `ok` false needs a reason. `name` may be NULL. Returns `ok`. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
bool vec_check(vec_count *count, const char *name, bool ok, const char *format, ...);
/* Prints the summary line; returns the exit code. A kind without rows prints nothing and is fine.
 */
int vec_finish(const vec_count *count);

#endif
