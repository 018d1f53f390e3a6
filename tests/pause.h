/* Waiting for some microseconds. Except on Windows, a test file defines _POSIX_C_SOURCE 200809L or
   _DEFAULT_SOURCE before its first header. */
#ifndef PAUSE_H
#define PAUSE_H

#ifdef _WIN32
#include <windows.h>
static void pause_for(int microseconds) { Sleep((unsigned)microseconds / 1000 + 1); }
#else
#include <time.h>
static void pause_for(int microseconds)
{
    struct timespec t;
    t.tv_sec = microseconds / 1000000, t.tv_nsec = microseconds % 1000000 * 1000L;
    nanosleep(&t, NULL);
}
#endif

#endif
