/* The files in a folder whose names begin with a prefix. POSIX only. A test file defines
   _FILE_OFFSET_BITS 64 before its first header: readdir fails on 32-bit machines whose disk has
   64-bit inode numbers. */
#ifndef FOLDER_H
#define FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

/* Returns how many files in `path` have names that begin with `prefix`. If `removes` is 1, also
   removes them; `path` must then be ".". */
static int folder_visit(const char *path, const char *prefix, int removes)
{
    DIR *const folder = opendir(path);
    const struct dirent *entry;
    int count = 0;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
        if (removes) remove(entry->d_name);
        count++;
    }
    if (folder != NULL) closedir(folder);
    return count;
}
/* in the current folder */
CHECK_UNUSED static int folder_count(const char *prefix) { return folder_visit(".", prefix, 0); }
CHECK_UNUSED static void folder_remove(const char *prefix) { folder_visit(".", prefix, 1); }

#endif
