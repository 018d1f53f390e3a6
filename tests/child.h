/* A made-up child process for the bridge. Any test program can start itself as this child. It
   serves made-up environments, and fails in the way that the variable BRIDGE_TEST says. Its
   observations have frames and BRIDGE_TEST_NUMBERS numbers [0]; no frames if BRIDGE_TEST_BLIND is
   set. */
#ifndef CHILD_H
#define CHILD_H

#include "../examples/env_bridge.h"
#include "process.h"
#include <sys/stat.h>

enum { WIDTH = 5, HEIGHT = 4, CHANNELS = 3, ACTIONS = 6, PIXELS = WIDTH * HEIGHT * CHANNELS };
enum { MOST_NUMBERS = 20 };
enum { PROBED = 77 };    /* exit status of a probe start */
enum { MISBEHAVES = 3 }; /* the question that a failing child answers wrongly */
static const char *const spec_text = "Made/Up-v1\nNOOP\nFIRE\nUP\nRIGHT\nLEFT\nDOWN\n\n"
                                     "frames: made-up pictures\nnumbers: made-up numbers\n"
                                     "made-up 1.0";

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* ---------------------------------------------------------------------------------------------- */
/* Made-up environments */

/* An environment that depends on its seed and its actions only. */
typedef struct fake {
    uint64_t state;
    int step;
    uint8_t frames[BRIDGE_FRAMES][PIXELS]; /* newest last */
} fake;

/* Returns number k of the newest observation. */
static float fake_number(const fake *f, int k)
{
    return (float)(mix(f->state + 1000u + (uint64_t)k) >> 48) * 0.001f - 30;
}
static void fake_show(fake *f, int from)
{
    int i, p;
    for (i = from; i < BRIDGE_FRAMES; i++)
        for (p = 0; p < PIXELS; p++) f->frames[i][p] = (uint8_t)mix(f->state + (uint64_t)p);
}
static void fake_reset(fake *f)
{
    f->state = mix(f->state);
    f->step = 0;
    fake_show(f, 0);
}
/* Plays actions until the episode ends. Returns how it ended. */
static int fake_play(fake *f, int count, const uint8_t *actions, int *played, float *reward)
{
    int ended = 0;
    *reward = 0;
    for (*played = 0; *played < count && ended == 0; ++*played) {
        f->state = mix(f->state + actions[*played] + 1u);
        f->step++;
        ended = f->state % 16 == 0 ? 1 : f->step == 12 ? 2 : 0;
        *reward += (float)(f->state >> 60) * 0.25f - 1;
        memmove(f->frames[0], f->frames[1], (BRIDGE_FRAMES - 1) * sizeof f->frames[0]);
        fake_show(f, ended != 0 && *played + 1 < count ? 0 : BRIDGE_FRAMES - 1);
    }
    return ended;
}
/* Does what a STEP asks of the environment. Returns how the episode ended. */
static int fake_move(fake *f, int reset, int count, const uint8_t *actions, int *played,
                     float *reward)
{
    if (!reset) return fake_play(f, count, actions, played, reward);
    fake_reset(f);
    while (count > 0) {
        int const ended = fake_play(f, count, actions, played, reward);
        count -= *played;
        actions += *played;
        if (ended) fake_reset(f);
    }
    *played = 0;
    *reward = 0;
    return 0;
}
static void fakes_make(fake *fakes, int count, uint64_t seed)
{
    int i;
    memset(fakes, 0, (size_t)count * sizeof *fakes);
    for (i = 0; i < count; i++) fakes[i].state = seed + (uint64_t)i;
}

/* ---------------------------------------------------------------------------------------------- */
/* The child process */

static struct {
    const char *mode;
    int in, out; /* copies of the sockets, so that prints do not reach the bridge */
    fake fakes[BRIDGE_ENVIRONMENTS];
    int environments, frames, numbers, blind;
    uint32_t number;
    uint8_t question[BRIDGE_ENVIRONMENTS * (2 + BRIDGE_PLAYED)];
    uint8_t answer[BRIDGE_ENVIRONMENTS * (8 + BRIDGE_FRAMES * PIXELS + 4 * MOST_NUMBERS)];
} child;

static int child_is(const char *mode) { return strcmp(child.mode, mode) == 0; }
static void child_hangs(void)
{
    for (;;) poll(NULL, 0, 1000);
}
static void child_reads(uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t const got = read(child.in, data, size);
        if (got <= 0) _exit(5);
        data += got;
        size -= (size_t)got;
    }
}
static void child_writes(const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t const put = write(child.out, data, size);
        if (put <= 0) _exit(6);
        data += put;
        size -= (size_t)put;
    }
}
/* Prints megabytes to both outputs, as a library's warnings may. */
static void child_chatters(void)
{
    struct stat kept;
    int i;
    for (i = 0; i < 20000; i++) {
        printf("%d: a line that is longer than what the environment has to say about itself\n", i);
        fprintf(stderr, "%d: a line on stderr; the bridge reports only the last line\n",
                i);
    }
    fflush(stdout);
    /* a file that holds all of this would fill the disk */
    if (fstat(2, &kept) != 0 || (S_ISREG(kept.st_mode) && kept.st_size > 100000)) _exit(11);
}
/* Misbehaves in the way that the mode names. Does nothing in the mode "is good". */
static void child_misbehaves(const uint8_t *head, size_t size)
{
    size_t i;
    if (child_is("chatters")) child_chatters();
    if (child_is("starts another") && child.number == 0 && fork() == 0)
        close(child.in), close(child.out), poll(NULL, 0, 60000), _exit(0);
    if (child_is("is slow")) poll(NULL, 0, 30);
    if (child_is("is interrupted")) kill(getpid(), SIGINT);
    if (child.number != MISBEHAVES) return;
    if (child_is("ends in a head")) child_writes(head, 7), _exit(0);
    if (child_is("ends in a body"))
        child_writes(head, BRIDGE_HEAD), child_writes(child.answer, size / 2), _exit(0);
    if (child_is("chatters and ends")) child_chatters(), fputs("no more\n\n", stderr), _exit(1);
    if (child_is("crashes")) poll(NULL, 0, 50), kill(getpid(), SIGKILL);
    if (child_is("hangs")) child_hangs();
    if (child_is("hangs in a body"))
        child_writes(head, BRIDGE_HEAD), child_writes(child.answer, 9), child_hangs();
    if (child_is("hangs up")) close(child.in), close(child.out), child_hangs();
    if (child_is("drips"))
        for (i = 0; i < size; i++) {
            poll(NULL, 0, 20);
            child_writes(i < BRIDGE_HEAD ? head + i : child.answer + i - BRIDGE_HEAD, 1);
        }
}
static void child_answers(int type, size_t size)
{
    uint8_t head[BRIDGE_HEAD] = {'R', 'I', 'S', 'E'};
    bridge_put(head + 4, (uint64_t)type, 4);
    bridge_put(head + 8, child.number, 4);
    bridge_put(head + 12, size, 4);
    child_misbehaves(head, size);
    child_writes(head, sizeof head);
    child_writes(child.answer, size);
    child.number++;
}
/* Reads a question. Returns its type. */
static int child_asked(void)
{
    uint8_t head[BRIDGE_HEAD];
    child_reads(head, sizeof head);
    if (memcmp(head, "RISE", 4) != 0 || bridge_get(head + 8) != child.number ||
        bridge_get(head + 12) > sizeof child.question)
        _exit(7);
    child_reads(child.question, bridge_get(head + 12));
    return (int)bridge_get(head + 4);
}
/* Appends the seed to the file that BRIDGE_TEST_SEEDS names. */
static void child_notes(uint64_t seed)
{
    const char *const path = getenv("BRIDGE_TEST_SEEDS");
    FILE *const file = path != NULL ? fopen(path, "a") : NULL;
    if (file == NULL) return;
    fprintf(file, "%lu\n", (unsigned long)seed);
    fclose(file);
}
static void child_greets(void)
{
    uint32_t spec[] = {BRIDGE_VERSION, WIDTH, HEIGHT, CHANNELS, ACTIONS, 0};
    const char *const numbers = getenv("BRIDGE_TEST_NUMBERS");
    uint64_t seed;
    size_t i;
    if (child_asked() != BRIDGE_HELLO || bridge_get(child.question) != BRIDGE_VERSION) _exit(8);
    child.environments = (int)bridge_get(child.question + 4);
    child.frames = (int)bridge_get(child.question + 8);
    seed = bridge_get(child.question + 12) | (uint64_t)bridge_get(child.question + 16) << 32;
    fakes_make(child.fakes, child.environments, seed);
    child_notes(seed);
    child.numbers = numbers != NULL ? atoi(numbers) : 0;
    child.blind = getenv("BRIDGE_TEST_BLIND") != NULL;
    if (child.blind) spec[1] = spec[2] = spec[3] = 0;
    spec[5] = (uint32_t)child.numbers;
    for (i = 0; i < 6; i++) bridge_put(child.answer + 4 * i, spec[i], 4);
    memcpy(child.answer + BRIDGE_SPEC_HEAD, spec_text, strlen(spec_text));
    child_answers(BRIDGE_SPEC, BRIDGE_SPEC_HEAD + strlen(spec_text));
}
static void child_steps(void)
{
    const uint8_t *at = child.question;
    uint8_t *to = child.answer;
    size_t const shown = child.blind ? 0 : (size_t)child.frames * PIXELS;
    int i, k, played = 0;
    for (i = 0; i < child.environments; i++) {
        float reward = 0;
        uint32_t bits;
        int const ended = fake_move(&child.fakes[i], at[0], at[1], at + 2, &played, &reward);
        at += 2 + at[1];
        memcpy(&bits, &reward, sizeof bits);
        bridge_put(to, (uint64_t)ended | (uint64_t)played << 8, 4);
        bridge_put(to + 4, bits, 4);
        memcpy(to + 8, child.fakes[i].frames[BRIDGE_FRAMES - child.frames], shown);
        to += 8 + shown;
        for (k = 0; k < child.numbers; k++, to += 4) {
            float const value = fake_number(&child.fakes[i], k);
            memcpy(&bits, &value, sizeof bits);
            bridge_put(to, bits, 4);
        }
    }
    child_answers(BRIDGE_STATE, (size_t)(to - child.answer));
}
/* Tells the parent through a pipe that it ended in order. */
static int child_ends(void)
{
    const char *const pipe_number = getenv("BRIDGE_TEST_PIPE");
    if (pipe_number == NULL) return 0;
    poll(NULL, 0, 300);
    return write(atoi(pipe_number), "B", 1) == 1 ? 0 : 9;
}
static int child_main(void)
{
    int const inherited = atoi(getenv("BRIDGE_TEST_INHERITED")) +
                          (getenv("BRIDGE_TEST_PIPE") != NULL);
    if (process_descriptors(3) > inherited)
        return fputs("the bridge's files are open here\n", stderr), 1;
    child.mode = getenv("BRIDGE_TEST");
    child.in = dup(0);
    child.out = dup(1);
    dup2(2, 0);
    dup2(2, 1);
    if (child_is("ends at once"))
        return fputs("Traceback\nNameError: x is not defined\n", stderr), 1;
    if (child_is("hangs at once")) child_hangs();
    child_greets();
    for (;;) {
        int const type = child_asked();
        if (type == BRIDGE_BYE) return child_ends();
        if (type != BRIDGE_STEP) return 10;
        child_steps();
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Starting this program as the child */

static const char *self; /* path of this program */

/* Sets what the next child shows. */
static void child_will_show(int numbers, int blind)
{
    char text[20];
    snprintf(text, sizeof text, "%d", numbers);
    setenv("BRIDGE_TEST_NUMBERS", text, 1);
    if (blind)
        setenv("BRIDGE_TEST_BLIND", "1", 1);
    else
        unsetenv("BRIDGE_TEST_BLIND");
}

/* Returns whether this program can start itself. An emulator may prevent that. */
static int can_start(void)
{
    pid_t pid;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        execl(self, self, "--probe", (char *)NULL);
        _exit(1);
    }
    return process_end(pid) == PROBED;
}

/* If the program was started as a child or as a probe, does its work, sets the exit status and
   returns 1. Otherwise returns 0. */
static int child_was_meant(int count, char **arguments, int *status)
{
    static char path[4096];
    self = arguments[0];
    if (strchr(self, '/') == NULL && readlink("/proc/self/exe", path, sizeof path - 1) > 0)
        self = path;
    if (count < 2) return 0;
    if (strcmp(arguments[1], "--probe") == 0) return *status = PROBED, 1;
    if (getenv("BRIDGE_TEST") == NULL) return 0;
    *status = child_main();
    return 1;
}

#endif
