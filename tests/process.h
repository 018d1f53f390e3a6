/* A process made by fork whose output goes through a pipe. POSIX only. */
#ifndef PROCESS_H
#define PROCESS_H

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Reads what process `pid` writes to the pipe `end` until it closes it: up to size - 1 bytes of
   text. Waits for the process. Returns its exit status, or minus the signal that ended it. */
static int process_output(pid_t pid, int end, char *text, size_t size)
{
    FILE *const from = fdopen(end, "r");
    size_t const got = from != NULL ? fread(text, 1, size - 1, from) : 0;
    int status = -1;
    text[got] = '\0';
    if (from != NULL) fclose(from);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#endif
