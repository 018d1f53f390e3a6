/* Lists the files of a folder by prefix; makes and removes the folder of a test. POSIX only. A test
   file that counts or removes files defines _FILE_OFFSET_BITS 64 before its first header: readdir
   fails on 32-bit machines whose disk has 64-bit inode numbers. */
#ifndef FOLDER_H
#define FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

/* most bytes of the name of a test's folder, and of a path in it */
enum { FOLDER_NAME = 200, FOLDER_PATH = 400 };

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

/* Makes a new folder rise-TEST-... in $TMPDIR or, without that variable, in /tmp. Writes its name.
   Returns whether that worked. If not, says why. */
CHECK_UNUSED static int folder_make(const char *test, char folder[FOLDER_NAME])
{
    const char *const parent = getenv("TMPDIR");
    snprintf(folder, FOLDER_NAME, "%s/rise-%s-XXXXXX",
             parent != NULL && parent[0] != '\0' ? parent : "/tmp", test);
    if (mkdtemp(folder) != NULL) return 1;
    perror(folder);
    return 0;
}
/* Removes the folder with all that it holds. Returns whether that worked. */
CHECK_UNUSED static int folder_unmake(const char *folder)
{
    char command[FOLDER_NAME + 10];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command) == 0;
}
/* Writes the path of file `name` in the folder. Returns `path`. */
CHECK_UNUSED static const char *folder_path(const char *folder, const char *name,
                                            char path[FOLDER_PATH])
{
    snprintf(path, FOLDER_PATH, "%s/%s", folder, name);
    return path;
}
/* Reads a file in the folder: up to size - 1 bytes of text. Returns their number; 0: the file is
   empty or cannot be read. */
CHECK_UNUSED static size_t folder_read(const char *folder, const char *name, char *text,
                                       size_t size)
{
    char path[FOLDER_PATH];
    FILE *const file = fopen(folder_path(folder, name, path), "r");
    size_t const got = file != NULL ? fread(text, 1, size - 1, file) : 0;
    if (file != NULL) fclose(file);
    text[got] = '\0';
    return got;
}
/* Writes a file in the folder. */
CHECK_UNUSED static void folder_write(const char *folder, const char *name, const char *text)
{
    char path[FOLDER_PATH];
    FILE *const file = fopen(folder_path(folder, name, path), "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

#endif
