/* Environments of Gymnasium for a C program. They run in a child process, bridge.py, and step while
   the program computes:

       static bridge b;
       bridge_options options = {0};
       options.name = "ALE/Pong-v5";
       options.script = "examples/bridge.py";
       options.environments = 8;
       if (!bridge_open(&b, &options)) return puts(b.error), 1;
       for (;;) {
           if (!bridge_send(&b, moves)) return puts(b.error), 1; // moves[i]: for environment i
           ...                                              // learn meanwhile
           if (!bridge_receive(&b)) return puts(b.error), 1;
           ...                                              // b.states[i]: the result
       }
       bridge_close(&b);

   If the child fails in any way, the call returns 0 and b.error is a sentence that says why. A lost
   child never raises SIGPIPE in the program. A call waits at most options.patience seconds;
   bridge_open, and a step in which an episode begins, wait ten times as long. If the child has
   closed its connection but does not end, the call waits for at most two more seconds and kills the
   child. bridge_close ends a child that still runs, and waits as long. So an environment must close
   within two seconds, or within `patience` if `patience` is less. When the child ends, the
   processes that it has started are killed, unless they have left its process group or the program
   ignores SIGCHLD. What the child writes to stderr is not shown: the newest 2 KB or more are kept
   for b.error. POSIX only. Include this file before the headers of the C library, because it
   defines _DEFAULT_SOURCE.

   THE PROTOCOL, version 3. The bytes go over a socket, which is the child's standard input and
   output. Numbers are little-endian. A message is a header of 16 bytes ("RISE", u32 type, u32
   number, u32 length), then `length` bytes. The program asks and the child answers, in turn. An
   answer has the number of its question; questions count from 0.

       1 HELLO  program  u32 version, u32 environments, u32 frames, u64 seed; text: Gymnasium's name
                         of the environment, then its settings, "key=value", a line each. Lines that
                         begin with -- are not for the environment: "--wrap=module:Wrapper" wraps
                         it, "--observation=key,key" chooses parts of the observation, and
                         "--render" sends the rendered picture
       2 STEP   program  for each environment: u8 reset, u8 count, count bytes, an action each. With
                         reset 1, a new episode begins before the actions. Each time an episode
                         ends, another begins, even after the last action. With reset 0, playing
                         stops when the episode ends. The seed of the first episode of environment
                         i is seed + i. With reset 0 and count 0, the environment does not step
       3 SPEC   child    answers HELLO: u32 version, u32 width, u32 height, u32 channels, u32
                         actions, u32 numbers; text: the name, then the names of the actions, a
                         line each. After an empty line: facts for a log, such as "python 3.11.7",
                         a line each. An observation has a frame, numbers or both. Without a frame,
                         width, height and channels are 0
       4 STATE  child    answers STEP: for each environment: u8 end (0 none, 1 terminated, 2
                         truncated), u8 actions played, u16 0, f32 sum of their rewards, then its
                         newest frames [frames][height][width][channels], newest last. If an
                         episode ends before all actions are played, all of these frames are its
                         last frame. If an episode begins, all of them are its first frame, before
                         actions are played. After a reset: end 0, 0 actions played, reward 0. Then
                         the numbers of its newest observation, f32 [numbers]
       5 ERROR  child    instead of an answer: a sentence. The child ends
       6 BYE    program  the child ends. The child also ends when the socket is closed
*/
#ifndef ENV_BRIDGE_H
#define ENV_BRIDGE_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#ifdef __APPLE__
#define _DARWIN_C_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    BRIDGE_VERSION = 3,
    BRIDGE_ENVIRONMENTS = 256, /* limits: this number and the next ones, up to BRIDGE_TEXT */
    BRIDGE_FRAMES = 8,
    BRIDGE_SIDE = 1024,
    BRIDGE_CHANNELS = 16,
    BRIDGE_ACTIONS = 256,
    BRIDGE_NUMBERS = 1024,
    BRIDGE_PLAYED = 255, /* actions of one environment in one STEP */
    BRIDGE_TEXT = 8192,  /* bytes of a HELLO, a SPEC or an ERROR, without the header */
    BRIDGE_WORDS = 4096, /* most bytes of the child's stderr that are kept, the newest ones */
    BRIDGE_HEAD = 16,
    BRIDGE_SPEC_HEAD = 24 /* bytes of a SPEC before its text */
};
enum { BRIDGE_HELLO = 1, BRIDGE_STEP, BRIDGE_SPEC, BRIDGE_STATE, BRIDGE_ERROR, BRIDGE_BYE };

typedef struct bridge_options {
    const char *name;     /* Gymnasium's name of the environment */
    /* lines: "key=value" for the environment, and options of bridge.py, which begin with --; NULL:
       none */
    const char *settings;
    int environments;     /* 0: 1 */
    int frames;           /* newest frames in each answer; 0: 1 */
    uint64_t seed;
    /* most seconds for a step; the start, and a step in which an episode begins, may take ten times
       as long; 0: 60 */
    double patience;
    const char *python; /* NULL: python3 */
    const char *script; /* path of bridge.py */
} bridge_options;

/* The next move of an environment. */
typedef struct bridge_move {
    int reset; /* 1: begins an episode, then plays the actions */
    int count; /* number of actions; 0 without reset: no move */
    uint8_t actions[BRIDGE_PLAYED];
} bridge_move;

/* The result of a move. */
typedef struct bridge_state {
    int terminated, truncated;
    int played;   /* actions played: fewer if the episode ended; 0 after a reset */
    float reward; /* sum of the rewards of these actions */
    /* [frames][height][width][channels], newest last; owned by the bridge, valid until the next
       bridge_receive or bridge_close. NULL: the observations have no frames */
    const uint8_t *frames;
    /* [numbers] of the newest observation, all finite; valid as long as `frames`. NULL: there are
       none */
    const float *numbers;
} bridge_state;

typedef struct bridge {
    int environments, frames;
    int width, height, channels, actions, numbers; /* width 0: no frames; numbers 0: no numbers */
    const char *name, *action_names[BRIDGE_ACTIONS];
    /* lines for a log: what is sent as frames and numbers, and versions of packages */
    const char *facts;
    bridge_state states[BRIDGE_ENVIRONMENTS];
    char error[400]; /* why the last call failed: a sentence, cut after 399 bytes */

    int open;    /* 0: the bridge is closed */
    int socket;  /* -1: none */
    int said;    /* pipe from the child's stderr; -1: none, or it has ended */
    pid_t child; /* 0: none, or it has ended */
    double patience;
    double grace; /* most seconds that the child may take to end; at most `patience` are used */
    /* time limit of the current call in seconds; its end on the clock of bridge_now */
    double allowed, until;
    uint32_t number;                    /* number of the next question */
    uint8_t asked[BRIDGE_ENVIRONMENTS]; /* actions in the last STEP for each environment */
    int begins;                         /* 1: an episode begins in the last STEP */
    /* [environments][8 + frames... + 4 * numbers], the body of a STATE */
    uint8_t *answer;
    size_t answer_bytes;
    float *values; /* [environments][numbers], from `answer` */
    char words[BRIDGE_WORDS]; /* the newest bytes from `said` */
    size_t word_bytes;
    char text[BRIDGE_TEXT];
} bridge;

/* Writes b->error. Returns 0. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static inline int bridge_fail(bridge *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(b->error, sizeof b->error, format, arguments);
    va_end(arguments);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* The child */

/* Reads what the child has written to stderr so far, and keeps the newest bytes. A child that has
   filled the pipe waits until the pipe is read. So bridge_wait and bridge_reap call this function
   while they wait. */
static inline void bridge_listen(bridge *b)
{
    char piece[BRIDGE_WORDS / 2];
    ssize_t got = 1;
    int turns;
    /* at most 64 pieces, 128 KB, because the child may never stop */
    for (turns = 0; b->said >= 0 && turns < 64 && got > 0; turns++) {
        size_t const most = sizeof b->words - sizeof piece;
        got = read(b->said, piece, sizeof piece);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
            close(b->said);
            b->said = -1;
        }
        if (got <= 0) continue;
        if (b->word_bytes > most) {
            memmove(b->words, b->words + b->word_bytes - most, most);
            b->word_bytes = most;
        }
        memcpy(b->words + b->word_bytes, piece, (size_t)got);
        b->word_bytes += (size_t)got;
    }
}

/* Copies the last line of the child's stderr to `words`; "" if there is none. */
static inline void bridge_last_words(bridge *b, char *words, size_t size)
{
    size_t from, to;
    bridge_listen(b);
    for (to = b->word_bytes; to > 0 && strchr("\r\n", b->words[to - 1]) != NULL;) to--;
    for (from = to; from > 0 && strchr("\r\n", b->words[from - 1]) == NULL;) from--;
    if (to - from >= size) to = from + size - 1;
    memcpy(words, b->words + from, to - from);
    words[to - from] = 0;
}

/* Returns the seconds since some fixed moment. */
static inline double bridge_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Waits until the child ends, at most `grace` or `patience` seconds, whichever is shorter. Then
   kills the child if it still runs, and all other processes of the child's group. Kills nothing if
   waitid fails, as it does for an ended child if the program ignores SIGCHLD. Returns the child's
   wait status; -1: there is no child, or waitid or waitpid failed; -2: this function killed the
   child.

   WNOWAIT keeps an ended child in the process table. Until waitpid removes the child, no new
   process and no new group can get the child's process number. So kill reaches the child's group
   only. */
static inline int bridge_reap(bridge *b)
{
    double const until = bridge_now() + (b->patience < b->grace ? b->patience : b->grace);
    siginfo_t ended;
    int status = -1, found;
    if (b->child <= 0) return -1;
    memset(&ended, 0, sizeof ended); /* si_pid stays 0 while the child runs */
    while ((found = waitid(P_PID, (id_t)b->child, &ended, WEXITED | WNOHANG | WNOWAIT)) == 0 &&
           ended.si_pid == 0 && bridge_now() < until) {
        bridge_listen(b);
        poll(NULL, 0, 10);
    }
    if (found == 0) {
        kill(-b->child, SIGKILL);
        kill(b->child, SIGKILL); /* in case the system has refused to make a group */
        while (waitpid(b->child, &status, 0) < 0 && errno == EINTR) continue;
        if (ended.si_pid == 0) status = -2;
    }
    b->child = 0;
    return status;
}

/* Call after the child has closed the socket. Reaps the child, and writes into b->error how the
   child ended. Returns 0. */
static inline int bridge_lost(bridge *b)
{
    char words[200];
    int const status = bridge_reap(b);
    bridge_last_words(b, words, sizeof words);
    if (status == -2)
        return bridge_fail(b, "the environment's process closed its connection but did not end, "
                              "and was killed");
    if (status != -1 && WIFSIGNALED(status))
        return bridge_fail(b, "the environment's process was ended by signal %d", WTERMSIG(status));
    return bridge_fail(b, "the environment's process ended%s%s",
                       words[0] != 0 ? "; last line of its stderr: " : "", words);
}

/* Runs in the new process: starts Python. If that fails, sends an ERROR message to the program. */
static inline void bridge_become(int socket, int said, const char *python, const char *script)
{
    char text[300];
    uint8_t head[BRIDGE_HEAD] = {'R', 'I', 'S', 'E', BRIDGE_ERROR};
    int length;
    /* The child gets a process group of its own, for two reasons. bridge_reap can end all processes
       that an environment has started. And a signal to the program's group, such as Ctrl-C, does
       not end these processes while the program saves its work. */
    setpgid(0, 0);
    /* If the program has closed descriptor 0, 1 or 2, `socket` or `said` may have that number, and
       dup2 below would overwrite the descriptor. So both move to 3 or above. */
    socket = fcntl(socket, F_DUPFD_CLOEXEC, 3);
    said = fcntl(said, F_DUPFD_CLOEXEC, 3);
    dup2(said, 2);
    dup2(socket, 0);
    dup2(socket, 1);
    /* SIGINT, SIGHUP and SIGTERM may be sent to the child as well, for example when the user logs
       out. The child ignores them: the program handles them, and ends the child. bridge.py ignores
       them too, but only after Python has started. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    /* The child's group is in the background of the terminal. By default, SIGTTIN and SIGTTOU stop
       a background process that uses the terminal. An environment may use the terminal, so both are
       ignored. */
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    execlp(python, python, script, (char *)NULL);
    length = snprintf(text, sizeof text,
                      "%.100s could not be started (%.60s): install Python 3.9 or newer, or give "
                      "its path",
                      python, strerror(errno));
    head[12] = (uint8_t)length;
    if (write(1, head, sizeof head) > 0 && write(1, text, (size_t)length) > 0) _exit(1);
    _exit(2);
}

/* Creates a pipe. Both ends are close-on-exec. The program's end, ends[0], does not block. Returns
   0 on failure. */
static inline int bridge_pipe(int ends[2])
{
    if (pipe(ends) != 0) return 0;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

static inline int bridge_start(bridge *b, const bridge_options *o)
{
    int ends[2], said[2];
    if (access(o->script, R_OK) != 0)
        return bridge_fail(
            b, "%.200s cannot be read: give the path of bridge.py, the Python half of the bridge",
            o->script);
    if (!bridge_pipe(said)) return bridge_fail(b, "cannot create a pipe: %s", strerror(errno));
    b->said = said[0];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        close(said[1]);
        return bridge_fail(b, "cannot create a socket: %s", strerror(errno));
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
    setsockopt(ends[0], SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    fflush(NULL);
    b->child = fork();
    if (b->child == 0)
        bridge_become(ends[1], said[1], o->python != NULL ? o->python : "python3", o->script);
    close(ends[1]);
    close(said[1]);
    b->socket = ends[0];
    if (b->child > 0) {
        setpgid(b->child, b->child); /* as the child does: the group then exists for both */
        return 1;
    }
    return bridge_fail(b, "cannot create a process: %s", strerror(errno));
}

/* ---------------------------------------------------------------------------------------------- */
/* Bytes */

static inline void bridge_put(uint8_t *at, uint64_t x, int bytes)
{
    int i;
    for (i = 0; i < bytes; i++) at[i] = (uint8_t)(x >> (8 * i));
}
static inline uint32_t bridge_get(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Starts the time limit of a call: `seconds` from now. */
static inline void bridge_begin(bridge *b, double seconds)
{
    b->allowed = seconds;
    b->until = bridge_now() + seconds;
}

/* Waits until the socket can be read (POLLIN) or written (POLLOUT). Returns 1 then. Returns 0, with
   b->error, after the time limit or if poll fails. Also returns 1 if the child has closed the
   socket: recv or send then reports this. */
static inline int bridge_wait(bridge *b, short what)
{
    for (;;) {
        double const left = b->until - bridge_now();
        struct pollfd ready[2] = {{b->socket, what, 0}, {b->said, POLLIN, 0}}; /* -1: is ignored */
        int const answers = poll(ready, 2,
                                 left <= 0     ? 0
                                 : left < 1000 ? (int)(1000 * left) + 1
                                               : 1000000);
        if (answers > 0 && ready[1].revents != 0) bridge_listen(b);
        if (answers > 0 && ready[0].revents != 0) return 1;
        if (answers < 0 && errno != EINTR)
            return bridge_fail(b, "cannot wait for the environment: %s", strerror(errno));
        if (left <= 0)
            return bridge_fail(b,
                               "the environment has not answered for %g seconds: pass a larger "
                               "patience, or fewer environments",
                               b->allowed);
    }
}

/* Returns 1 if errno says that the last recv or send must be repeated. */
static inline int bridge_again(void)
{
    return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
}

/* Reads exactly `size` bytes. Returns 0 on failure. */
static inline int bridge_read(bridge *b, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t got;
        if (!bridge_wait(b, POLLIN)) return 0;
        got = recv(b->socket, data, size, MSG_DONTWAIT);
        if (got < 0 && bridge_again()) continue;
        if (got <= 0) return bridge_lost(b);
        data += got;
        size -= (size_t)got;
    }
    return 1;
}

/* Reads the sentence of an ERROR message into b->error. Returns 0. */
static inline int bridge_complaint(bridge *b, size_t size)
{
    char text[BRIDGE_TEXT];
    if (!bridge_read(b, (uint8_t *)text, size)) return 0;
    text[size] = 0;
    return bridge_fail(b, "%s", text[0] != 0 ? text : "the environment failed and did not say why");
}

/* Writes into b->error why a write failed. The child may have sent an ERROR before it ended.
   Returns 0. */
static inline int bridge_unheard(bridge *b)
{
    uint8_t head[BRIDGE_HEAD];
    if (!bridge_read(b, head, sizeof head)) return 0;
    if (bridge_get(head + 4) == BRIDGE_ERROR && bridge_get(head + 12) < BRIDGE_TEXT)
        return bridge_complaint(b, bridge_get(head + 12));
    return bridge_lost(b);
}

/* Writes exactly `size` bytes. Returns 0 on failure. */
static inline int bridge_write(bridge *b, const uint8_t *data, size_t size)
{
#ifdef MSG_NOSIGNAL
    int const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
    int const flags = MSG_DONTWAIT; /* SO_NOSIGPIPE is set instead */
#endif
    while (size > 0) {
        ssize_t sent;
        if (!bridge_wait(b, POLLOUT)) return 0;
        sent = send(b->socket, data, size, flags);
        if (sent < 0 && bridge_again()) continue;
        if (sent < 0) return bridge_unheard(b);
        data += sent;
        size -= (size_t)sent;
    }
    return 1;
}

/* Sends a message with the next number. Returns 0 on failure. */
static inline int bridge_ask(bridge *b, int type, const uint8_t *body, size_t size)
{
    uint8_t head[BRIDGE_HEAD] = {'R', 'I', 'S', 'E'};
    if (!b->open) return bridge_fail(b, "the bridge is closed");
    bridge_put(head + 4, (uint64_t)type, 4);
    bridge_put(head + 8, b->number++, 4);
    bridge_put(head + 12, size, 4);
    return bridge_write(b, head, sizeof head) && bridge_write(b, body, size);
}

/* Reads the header of an answer, which must have this type and `least` to `most` bytes. Returns 1
   and the size. */
static inline int bridge_answer(bridge *b, int type, size_t least, size_t most, size_t *size)
{
    uint8_t head[BRIDGE_HEAD];
    uint32_t kind;
    if (!b->open) return bridge_fail(b, "the bridge is closed");
    if (!bridge_read(b, head, sizeof head)) return 0;
    kind = bridge_get(head + 4);
    *size = bridge_get(head + 12);
    if (memcmp(head, "RISE", 4) != 0)
        return bridge_fail(b, "the environment's process sent something that is not a message");
    if (bridge_get(head + 8) != b->number - 1)
        return bridge_fail(b, "the environment's process answered question %u where %u was asked",
                           (unsigned)bridge_get(head + 8), (unsigned)(b->number - 1));
    if (kind == BRIDGE_ERROR && *size < BRIDGE_TEXT) return bridge_complaint(b, *size);
    if (kind != (uint32_t)type)
        return bridge_fail(b, "the environment's process sent a message of type %u",
                           (unsigned)kind);
    if (*size < least || *size > most)
        return bridge_fail(b, "the environment's process sent a message of %u bytes",
                           (unsigned)*size);
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* Calls */

/* Ends the child. Does nothing on a bridge that is all zeros, failed to open, or is closed. */
static inline void bridge_close(bridge *b)
{
    if (!b->open) return;
    if (b->socket >= 0) {
        char error[sizeof b->error]; /* a BYE that fails must not replace b->error */
        memcpy(error, b->error, sizeof error);
        bridge_begin(b, 0);
        bridge_ask(b, BRIDGE_BYE, NULL, 0);
        memcpy(b->error, error, sizeof error);
        close(b->socket);
    }
    bridge_reap(b);
    if (b->said >= 0) close(b->said);
    free(b->answer);
    free(b->values);
    b->socket = b->said = -1;
    b->open = 0;
    b->answer = NULL;
    b->values = NULL;
}

/* Splits the text of SPEC into lines: the environment's name, then a line for each action. The
   facts follow after an empty line. Returns 0 if the number of names is wrong. */
static inline int bridge_names(bridge *b)
{
    char *const end = strstr(b->text, "\n\n");
    char *at = b->text;
    int i;
    b->name = at;
    b->facts = end != NULL ? end + 2 : "";
    if (end != NULL) *end = 0;
    for (i = 0; i < b->actions; i++) {
        at = strchr(at, '\n');
        if (at == NULL)
            return bridge_fail(b, "the environment's process sent %d names for %d actions", i,
                               b->actions);
        *at++ = 0;
        b->action_names[i] = at;
    }
    return strchr(at, '\n') == NULL ||
           bridge_fail(b, "the environment's process sent more names than its %d actions",
                       b->actions);
}

/* Stores `value` in *field. Returns 0 if it is not `least` to `most`. */
static inline int bridge_within(bridge *b, const char *what, uint32_t value, int least, int most,
                                int *field)
{
    *field = (int)value;
    return (value >= (uint32_t)least && value <= (uint32_t)most) ||
           bridge_fail(b, "the environment has %u %s: %d to %d are possible", (unsigned)value, what,
                       least, most);
}

/* Reads the sizes of a SPEC, and checks them. */
static inline int bridge_sizes(bridge *b, const uint8_t *spec)
{
    uint32_t const width = bridge_get(spec + 4), height = bridge_get(spec + 8);
    uint32_t const channels = bridge_get(spec + 12), numbers = bridge_get(spec + 20);
    int const least = numbers > 0 && width == 0 && height == 0 && channels == 0 ? 0 : 1;
    return bridge_within(b, "numbers", numbers, 0, BRIDGE_NUMBERS, &b->numbers) &&
           bridge_within(b, "columns", width, least, BRIDGE_SIDE, &b->width) &&
           bridge_within(b, "rows", height, least, BRIDGE_SIDE, &b->height) &&
           bridge_within(b, "channels", channels, least, BRIDGE_CHANNELS, &b->channels) &&
           bridge_within(b, "actions", bridge_get(spec + 16), 1, BRIDGE_ACTIONS, &b->actions);
}

/* Sends HELLO over b->socket and reads SPEC. */
static inline int bridge_greet(bridge *b, const bridge_options *o)
{
    uint8_t body[BRIDGE_TEXT];
    size_t const most = sizeof body - 20; /* the numbers of a HELLO have 20 bytes */
    const char *const settings = o->settings != NULL ? o->settings : "";
    int const length = snprintf((char *)body + 20, most, "%s\n%s", o->name, settings);
    size_t size, text;
    if (length < 0 || (size_t)length >= most)
        return bridge_fail(b, "the settings of %.60s are too long: use fewer", o->name);
    bridge_begin(b, 10 * b->patience);
    bridge_put(body, BRIDGE_VERSION, 4);
    bridge_put(body + 4, (uint64_t)b->environments, 4);
    bridge_put(body + 8, (uint64_t)b->frames, 4);
    bridge_put(body + 12, o->seed, 8);
    if (!bridge_ask(b, BRIDGE_HELLO, body, 20 + (size_t)length)) return 0;
    /* a SPEC of version 2 has only 20 bytes before its text */
    if (!bridge_answer(b, BRIDGE_SPEC, 20, sizeof body, &size)) return 0;
    if (!bridge_read(b, body, size)) return 0;
    if (bridge_get(body) != BRIDGE_VERSION)
        return bridge_fail(b,
                           "bridge.py speaks version %u of the protocol, this program %d: take "
                           "both from one release",
                           (unsigned)bridge_get(body), BRIDGE_VERSION);
    if (size < BRIDGE_SPEC_HEAD)
        return bridge_fail(b, "the environment's process sent a message of %u bytes",
                           (unsigned)size);
    if (!bridge_sizes(b, body)) return 0;
    text = size - BRIDGE_SPEC_HEAD;
    memcpy(b->text, body + BRIDGE_SPEC_HEAD, text);
    b->text[text] = 0;
    return bridge_names(b);
}

/* Allocates the buffers of answers. The size of an answer must fit into the u32 of a header. */
static inline int bridge_room(bridge *b)
{
    uint64_t const frames = (uint64_t)b->frames * (uint64_t)(b->height * b->width * b->channels);
    uint64_t const bytes = (uint64_t)b->environments * (8 + frames + 4 * (uint64_t)b->numbers);
    size_t const values = (size_t)b->environments * (size_t)b->numbers;
    b->answer_bytes = (size_t)bytes;
    if (bytes <= UINT32_MAX) b->answer = (uint8_t *)malloc(b->answer_bytes);
    if (values > 0) b->values = (float *)malloc(values * sizeof *b->values);
    return (b->answer != NULL && (values == 0 || b->values != NULL)) ||
           bridge_fail(b, "there is no room for %.0f MB of frames: use fewer environments",
                       (double)bytes / 1e6);
}

/* Starts the child and its environments. Returns 0 on failure: then b->error says why, and
   bridge_close is not needed. */
static inline int bridge_open(bridge *b, const bridge_options *o)
{
    memset(b, 0, sizeof *b);
    b->socket = b->said = -1;
    b->environments = o->environments > 0 ? o->environments : 1;
    b->frames = o->frames > 0 ? o->frames : 1;
    b->patience = o->patience > 0 ? o->patience : 60;
    b->grace = 2;
    if (b->environments > BRIDGE_ENVIRONMENTS || b->frames > BRIDGE_FRAMES)
        return bridge_fail(b, "at most %d environments and %d frames of each are possible",
                           BRIDGE_ENVIRONMENTS, BRIDGE_FRAMES);
    b->open = 1;
    if (bridge_start(b, o) && bridge_greet(b, o) && bridge_room(b)) return 1;
    bridge_close(b);
    return 0;
}

/* Sends moves [environments]. The environments step while the caller computes. Returns 0 on
   failure. */
static inline int bridge_send(bridge *b, const bridge_move *moves)
{
    uint8_t body[BRIDGE_ENVIRONMENTS * (2 + BRIDGE_PLAYED)];
    size_t size = 0;
    int i;
    if (!b->open) return bridge_fail(b, "the bridge is closed");
    b->begins = 0;
    for (i = 0; i < b->environments; i++) {
        if (moves[i].count < 0 || moves[i].count > BRIDGE_PLAYED)
            return bridge_fail(b, "environment %d is to play %d actions: 0 to %d are possible", i,
                               moves[i].count, BRIDGE_PLAYED);
        b->asked[i] = (uint8_t)moves[i].count;
        b->begins |= moves[i].reset != 0;
        body[size++] = (uint8_t)(moves[i].reset != 0);
        body[size++] = b->asked[i];
        memcpy(body + size, moves[i].actions, (size_t)moves[i].count);
        size += (size_t)moves[i].count;
    }
    bridge_begin(b, b->patience);
    return bridge_ask(b, BRIDGE_STEP, body, size);
}

/* Reads a float. */
static inline float bridge_float(const uint8_t *at)
{
    uint32_t const bits = bridge_get(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Points a state to the frames and numbers of environment i, which begin at `at`. Returns 0 if a
   number is NaN or infinite. */
static inline int bridge_seen(bridge *b, int i, const uint8_t *at)
{
    bridge_state *const state = &b->states[i];
    size_t const frames = (size_t)b->frames * (size_t)(b->height * b->width * b->channels);
    float *values;
    int k;
    state->frames = frames > 0 ? at : NULL;
    state->numbers = NULL;
    if (b->numbers == 0) return 1;
    values = b->values + (size_t)i * (size_t)b->numbers;
    state->numbers = values;
    for (k = 0; k < b->numbers; k++) {
        values[k] = bridge_float(at + frames + 4 * (size_t)k);
        if (!isfinite(values[k])) return 0;
    }
    return 1;
}

/* Waits for all environments. Their results are then in b->states. Returns 0 on failure. */
static inline int bridge_receive(bridge *b)
{
    size_t size, each;
    int i;
    bridge_begin(b, b->begins ? 10 * b->patience : b->patience);
    if (!bridge_answer(b, BRIDGE_STATE, b->answer_bytes, b->answer_bytes, &size)) return 0;
    if (!bridge_read(b, b->answer, size)) return 0;
    each = size / (size_t)b->environments;
    for (i = 0; i < b->environments; i++) {
        const uint8_t *const at = b->answer + each * (size_t)i;
        bridge_state *const state = &b->states[i];
        state->reward = bridge_float(at + 4);
        state->terminated = at[0] == 1;
        state->truncated = at[0] == 2;
        state->played = at[1];
        if (!bridge_seen(b, i, at + 8) || at[0] > 2 || at[1] > b->asked[i] || at[2] != 0 ||
            at[3] != 0 || !isfinite(state->reward))
            return bridge_fail(b, "environment %d sent an outcome that makes no sense", i);
    }
    return 1;
}

#endif
