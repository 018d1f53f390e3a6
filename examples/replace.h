/* Writes a file. An older file of this name is replaced only when the new one is complete. If the
   disk is full or the program is killed, the older file stays as it was:

       replace_file r;
       FILE *const file = replace_begin(&r, "curve.svg");
       if (file != NULL) fprintf(file, ...);
       if (!replace_end(&r, 1)) perror("curve.svg");

   The temporary file is beside the older one and has a name that no other file has. So two programs
   may write the same file. A program that was killed leaves its temporary file.

   Include this file before the headers of the C library, because it defines _DEFAULT_SOURCE.
   Without POSIX, the file is written in place. */
#ifndef REPLACE_H
#define REPLACE_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* realpath, fchmod and lstat, also under -std=c99 */
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__unix__) || defined(__APPLE__)
#define REPLACE_POSIX 1
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

enum { REPLACE_PATH = 4096, REPLACE_END = 40 }; /* bytes: of a path, and of ".new-PROCESS-NUMBER" */

typedef struct replace_file {
    FILE *file; /* NULL: it could not be opened */
    int why;    /* errno if it could not be opened */
    char path[REPLACE_PATH];
    char fresh[REPLACE_PATH]; /* the temporary file; "": none */
} replace_file;

/* Copies the path of the file to be written to r->path. A symbolic link stays: its target is
   replaced. Returns 0, with errno, if the path is too long or is a link to nothing. */
static inline int replace_path(replace_file *r, const char *path)
{
#ifdef REPLACE_POSIX
    char *const target = realpath(path, NULL);
    int const length = snprintf(r->path, sizeof r->path, "%s", target != NULL ? target : path);
    int const why = errno;
    struct stat found;
    free(target);
    errno = why;
    /* realpath fails for a link to a pipe, such as /dev/stdout, but stat does not */
    if (target == NULL && lstat(path, &found) == 0 && stat(path, &found) != 0) return 0;
#else
    int const length = snprintf(r->path, sizeof r->path, "%s", path);
#endif
    errno = ENAMETOOLONG;
    return length >= 0 && length + REPLACE_END < (int)sizeof r->path;
}

#ifdef REPLACE_POSIX
/* Creates the temporary file. With O_EXCL, open refuses a name that exists, also a link or a pipe.
   So tries several names: a program that was killed may have left a file. Returns NULL on
   failure. */
static inline FILE *replace_create(replace_file *r, mode_t mode)
{
    FILE *file;
    int number, why, descriptor = -1;
    for (number = 0; number < 1000; number++) {
        strcpy(r->fresh, r->path);
        snprintf(r->fresh + strlen(r->path), REPLACE_END, ".new-%ld-%d", (long)getpid(), number);
        descriptor = open(r->fresh, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (descriptor >= 0 || errno != EEXIST) break;
    }
    if (descriptor < 0) return NULL;
    file = fdopen(descriptor, "wb");
    if (file != NULL) return file;
    why = errno;
    close(descriptor);
    remove(r->fresh);
    errno = why;
    return NULL;
}
#endif

/* Opens the temporary file. If the path leads to anything but a plain file, such as a pipe or
   /dev/null, opens the path itself. (With `> out.txt`, /dev/stdout leads to the plain file
   out.txt.) Returns r->file, which is NULL on failure. */
static inline FILE *replace_begin(replace_file *r, const char *path)
{
    r->file = NULL;
    r->fresh[0] = '\0';
    if (replace_path(r, path)) {
#ifdef REPLACE_POSIX
        struct stat old;
        int const exists = stat(r->path, &old) == 0;
        if (exists && !S_ISREG(old.st_mode))
            r->file = fopen(r->path, "wb");
        else
            r->file = replace_create(r, exists ? old.st_mode & 0777 : 0666);
        if (r->file != NULL && exists && r->fresh[0] != '\0' &&
            fchmod(fileno(r->file), old.st_mode & 07777) != 0)
            clearerr(r->file); /* no failure: the new file has the old mode without umask's bits */
#else
        r->file = fopen(r->path, "wb");
#endif
    }
    r->why = errno;
    return r->file;
}

/* Closes the new file. If `good` is 1 and every write succeeded, the new file replaces the older
   one. Otherwise the older one stays, unless the file is written in place. Returns 1 if the new
   file is complete; else 0, and errno says why. With `good` 0, errno is the caller's. */
static inline int replace_end(replace_file *r, int good)
{
    int why;
    if (r->file == NULL) return errno = r->why, 0;
    good = fflush(r->file) == 0 && !ferror(r->file) && good;
    why = errno;
#ifdef REPLACE_POSIX
    /* after a power failure, the new name must not lead to an empty file */
    if (good && r->fresh[0] != '\0' && fsync(fileno(r->file)) != 0) good = 0, why = errno;
#endif
    if (fclose(r->file) != 0 && good) good = 0, why = errno;
    r->file = NULL;
    if (r->fresh[0] == '\0') return errno = why, good;
    if (good && rename(r->fresh, r->path) == 0) return 1;
    if (good) why = errno;
    remove(r->fresh);
    errno = why;
    return 0;
}

/* Returns the meaning of errno, such as ": No space left on device", to be added to `sentence`.
   Returns "" if `sentence` already has that text, or if errno is 0. The next call overwrites the
   result. */
static inline const char *replace_cause(const char *sentence)
{
    static char cause[100];
    if (errno == 0 || strstr(sentence, strerror(errno)) != NULL) return "";
    snprintf(cause, sizeof cause, ": %s", strerror(errno));
    return cause;
}

#endif
