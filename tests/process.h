/* Processes made by fork. POSIX only. */
#ifndef PROCESS_H
#define PROCESS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Returns the number of open file descriptors from `from` on. */
CHECK_UNUSED static int process_descriptors(int from)
{
    int i, count = 0;
    for (i = from; i < 256; i++) count += fcntl(i, F_GETFD) != -1;
    return count;
}
/* Waits for process `pid`. Returns its exit status, or minus the signal that ended it. */
CHECK_UNUSED static int process_end(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
/* Makes a child process. What the child prints goes to a pipe, which is read at *end. Returns what
   fork returns, and -1 if there is no pipe. */
CHECK_UNUSED static pid_t process_fork(int *end)
{
    int ends[2];
    pid_t pid;
    *end = -1;
    fflush(NULL);
    if (pipe(ends) != 0) return -1;
    pid = fork();
    if (pid == 0) dup2(ends[1], 1), dup2(ends[1], 2);
    close(ends[1]);
    if (pid <= 0) close(ends[0]);
    *end = ends[0];
    return pid;
}
/* Reads what a process of process_fork prints until it ends: up to size - 1 bytes of text. Returns
   what process_end returns, and -1 if process_fork failed. */
CHECK_UNUSED static int process_output(pid_t pid, int end, char *text, size_t size)
{
    FILE *const from = pid > 0 ? fdopen(end, "r") : NULL;
    size_t const got = from != NULL ? fread(text, 1, size - 1, from) : 0;
    text[got] = '\0';
    if (from != NULL) fclose(from);
    return pid > 0 ? process_end(pid) : -1;
}
/* Limits the files that this process writes to `bytes`: longer writes fail, as on a full disk. 0:
   no limit. */
CHECK_UNUSED static void process_limit_files(size_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN); /* a write then fails */
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes > 0 ? (rlim_t)bytes : limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

#endif
