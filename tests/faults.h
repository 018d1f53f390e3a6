/* Calls of the system that fail on request. Include this file before rise.h or a tool that includes
   it: macros replace the names of the calls below.

       faults_plan(3, FAULT_ONCE);     the third call from now on fails
       ... the calls under test ...
       if (faults_end() == NULL) ...   there were fewer than three calls

   A test repeats this with 1, 2, 3, ... until faults_end returns NULL. So each call fails once. */
#ifndef FAULTS_H
#define FAULTS_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* FAULT_ONCE: one call fails. FAULT_ON: this call and all later ones fail. FAULT_KILL: the process
   is killed at this call. FAULT_KILL_AFTER: the process is killed right after this call. */
typedef enum fault_kind { FAULT_ONCE, FAULT_ON, FAULT_KILL, FAULT_KILL_AFTER } fault_kind;

static struct {
    long at, calls; /* at: number of the call that fails, from 1; 0: none. calls: so far */
    fault_kind kind;
    const char *failed; /* name of the first call that failed; NULL: none yet */
    int why;            /* the errno of a failed call */
    int say;            /* 1: prints the name of the call that fails to stderr */
    long moves;         /* calls of fread and fwrite since a file was opened */
    char names[1000];   /* the names of all calls so far, with a comma after each */
    char folder[300];   /* the folder that was opened last */
} faults;

static void faults_plan(long at, fault_kind kind)
{
    memset(&faults, 0, sizeof faults);
    faults.at = at, faults.kind = kind, faults.why = EIO;
}
/* Ends the plan. Returns the name of the first call that failed, or NULL. */
static inline const char *faults_end(void)
{
    const char *const failed = faults.failed;
    memset(&faults, 0, sizeof faults);
    return failed;
}
/* Counts a call. Returns 1 if it must fail. */
static int fault_is_due(const char *name)
{
    if (faults.at == 0) return 0;
    faults.calls++;
    if (strlen(faults.names) + strlen(name) + 2 < sizeof faults.names)
        strcat(strcat(faults.names, name), ",");
    if (faults.calls != faults.at && !(faults.calls > faults.at && faults.kind == FAULT_ON))
        return 0;
    if (faults.failed == NULL && faults.say)
        fprintf(stderr, "FAULT: call %ld, %s\n", faults.calls, name), fflush(stderr);
    if (faults.failed == NULL) faults.failed = name;
    if (faults.kind == FAULT_KILL) raise(SIGKILL);
    errno = faults.why;
    return faults.kind != FAULT_KILL_AFTER;
}
/* Runs after each call. With FAULT_KILL_AFTER, kills the process after the planned call. */
static void fault_after(void)
{
    if (faults.at > 0 && faults.calls == faults.at && faults.kind == FAULT_KILL_AFTER)
        raise(SIGKILL);
}
/* fault_is_due for reads and writes, of which a file has many. Of each file, only the first,
   second, fourth, eighth ... is counted. */
static int fault_move_is_due(const char *name)
{
    if (faults.failed != NULL && faults.kind == FAULT_ON) return errno = faults.why, 1;
    faults.moves++;
    return (faults.moves & (faults.moves - 1)) == 0 && fault_is_due(name);
}

/* Each call that fails does nothing, with these exceptions: fread and fwrite move a half, and
   fclose closes the file. */
#define FAULT_CALL(type, name, parameters, arguments, failure)                                     \
    static inline type fault_##name parameters                                                     \
    {                                                                                              \
        type result;                                                                               \
        if (fault_is_due(#name)) return failure;                                                   \
        result = name arguments;                                                                   \
        fault_after();                                                                             \
        return result;                                                                             \
    }
FAULT_CALL(int, rename, (const char *from, const char *to), (from, to), -1)
FAULT_CALL(int, remove, (const char *path), (path), -1)
FAULT_CALL(int, truncate, (const char *path, off_t size), (path, size), -1)
FAULT_CALL(int, access, (const char *path, int mode), (path, mode), -1)
FAULT_CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), -1)
FAULT_CALL(int, fchmod, (int file, mode_t mode), (file, mode), -1)
FAULT_CALL(int, fstat, (int file, struct stat *about), (file, about), -1)
FAULT_CALL(int, stat, (const char *path, struct stat *about), (path, about), -1)
FAULT_CALL(ssize_t, readlink, (const char *path, char *to, size_t size), (path, to, size), -1)

/* Locks and condition variables that are initialised and not destroyed. Destroying never fails. */
static long fault_locks;

FAULT_CALL(int, pthread_mutex_init, (pthread_mutex_t * lock, const pthread_mutexattr_t *how),
           (lock, how) == 0 && ++fault_locks > 0 ? 0 : EAGAIN, EAGAIN)
FAULT_CALL(int, pthread_cond_init, (pthread_cond_t * wake, const pthread_condattr_t *how),
           (wake, how) == 0 && ++fault_locks > 0 ? 0 : EAGAIN, EAGAIN)
static inline int fault_pthread_mutex_destroy(pthread_mutex_t *lock)
{
    fault_locks--;
    return pthread_mutex_destroy(lock);
}
static inline int fault_pthread_cond_destroy(pthread_cond_t *wake)
{
    fault_locks--;
    return pthread_cond_destroy(wake);
}

static inline FILE *fault_fopen(const char *path, const char *mode)
{
    FILE *file;
    if (fault_is_due("fopen")) return NULL;
    faults.moves = 0;
    file = fopen(path, mode);
    fault_after();
    return file;
}
static inline FILE *fault_fdopen(int descriptor, const char *mode)
{
    FILE *file;
    if (fault_is_due("fdopen")) return NULL;
    faults.moves = 0;
    file = fdopen(descriptor, mode);
    fault_after();
    return file;
}
static inline int fault_open(const char *path, int flags, int mode)
{
    int file;
    if (!(flags & O_CREAT)) snprintf(faults.folder, sizeof faults.folder, "%s", path);
    if (fault_is_due(flags & O_CREAT ? "open a new file" : "open a folder")) return -1;
    file = open(path, flags, mode);
    fault_after();
    return file;
}
static inline int fault_fflush(FILE *file)
{
    int result;
    if (file != NULL && file != stdout && file != stderr && fault_is_due("fflush")) return EOF;
    result = fflush(file);
    fault_after();
    return result;
}
static inline int fault_fsync(int file)
{
    struct stat about;
    int const is_folder = fstat(file, &about) == 0 && S_ISDIR(about.st_mode);
    int result;
    if (fault_is_due(is_folder ? "fsync of a folder" : "fsync of a file")) return -1;
    result = fsync(file);
    fault_after();
    return result;
}
static inline int fault_fclose(FILE *file)
{
    int const fails = fault_is_due("fclose");
    int const result = fclose(file);
    fault_after();
    if (fails) errno = faults.why;
    return fails ? EOF : result;
}
static inline size_t fault_fread(void *data, size_t size, size_t count, FILE *file)
{
    int const fails = fault_move_is_due("fread");
    size_t const got = fread(data, size, fails ? count / 2 : count, file);
    fault_after();
    if (fails) errno = faults.why;
    return got;
}
static inline size_t fault_fwrite(const void *data, size_t size, size_t count, FILE *file)
{
    int const fails = fault_move_is_due("fwrite");
    size_t const put = fwrite(data, size, fails ? count / 2 : count, file);
    fault_after();
    if (fails) errno = faults.why;
    return put;
}

/* Threads that were created and not joined yet. */
static long fault_threads;

static inline int fault_pthread_create(pthread_t *thread, const pthread_attr_t *how,
                                       void *(*run)(void *), void *argument)
{
    int result;
    if (fault_is_due("pthread_create")) return EAGAIN;
    result = pthread_create(thread, how, run, argument);
    if (result == 0) fault_threads++;
    fault_after();
    return result;
}
static inline int fault_pthread_join(pthread_t thread, void **result)
{
    /* joining a thread twice may crash */
    return --fault_threads < 0 ? ESRCH : pthread_join(thread, result);
}

/* open has two or three arguments. */
#define FAULT_OPEN(path, flags, mode, ...) fault_open(path, flags, (int)(mode))
#define open(...) FAULT_OPEN(__VA_ARGS__, 0, 0)
#define fopen(path, mode) fault_fopen(path, mode)
#define fdopen(descriptor, mode) fault_fdopen(descriptor, mode)
#define fclose(file) fault_fclose(file)
#define fread(data, size, count, file) fault_fread(data, size, count, file)
#define fwrite(data, size, count, file) fault_fwrite(data, size, count, file)
#define fflush(file) fault_fflush(file)
#define fsync(file) fault_fsync(file)
#define rename(from, to) fault_rename(from, to)
#define remove(path) fault_remove(path)
#define truncate(path, size) fault_truncate(path, size)
#define access(path, mode) fault_access(path, mode)
#define mkdir(path, mode) fault_mkdir(path, mode)
#define fchmod(file, mode) fault_fchmod(file, mode)
#define fstat(file, about) fault_fstat(file, about)
#define stat(path, about) fault_stat(path, about)
#define readlink(path, to, size) fault_readlink(path, to, size)
#define pthread_mutex_init(lock, how) fault_pthread_mutex_init(lock, how)
#define pthread_cond_init(wake, how) fault_pthread_cond_init(wake, how)
#define pthread_mutex_destroy(lock) fault_pthread_mutex_destroy(lock)
#define pthread_cond_destroy(wake) fault_pthread_cond_destroy(wake)
#define pthread_join(thread, result) fault_pthread_join(thread, result)
#define pthread_create(thread, how, run, argument) fault_pthread_create(thread, how, run, argument)

#endif
