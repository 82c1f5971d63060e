/* temp_dir.h - a directory for the files of one test. */
#ifndef SL_SPEC_TEMP_DIR_H
#define SL_SPEC_TEMP_DIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct temp_dir {
    char path[256];
} temp_dir;

static inline void temp_dir_make(temp_dir *dir) {
    const char *root = getenv("TMPDIR");
    /* Memory is fast, and no test here can tell whether a flush reached a disk. */
    if (!root) root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(dir->path, sizeof dir->path, "%s/syncline-spec-XXXXXX", root);
    if (!mkdtemp(dir->path)) abort();
}

/* Removes the directory and the plain files in it. */
static inline void temp_dir_remove(temp_dir *dir) {
    char name[600];
    DIR *list = opendir(dir->path);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        snprintf(name, sizeof name, "%s/%s", dir->path, entry->d_name);
        unlink(name);
    }
    if (list) closedir(list);
    rmdir(dir->path);
}

/* The path of a file in it; `room` has 300 bytes. */
static inline const char *temp_dir_file(const temp_dir *dir, const char *name, char *room) {
    snprintf(room, 300, "%s/%s", dir->path, name);
    return room;
}

#endif
