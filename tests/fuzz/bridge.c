/* Fuzz target: what the child of a bridge may send. The input is a list of messages, which wait in
   the socket when the program reads. */
#if defined(__unix__) || defined(__APPLE__)
#include "../../examples/env_bridge.h" /* first: it asks for POSIX functions */

#include "fuzz.h"

enum { TALK_BYTES = 1 << 16, TALK_STEPS = 4 }; /* TALK_BYTES fits the buffer of a socket */

static struct {
    bridge b;
    uint8_t bytes[TALK_BYTES]; /* that the child sends */
    size_t size;
    size_t state; /* bytes of a right STATE */
} talk;

static void talk_add(const void *data, size_t size)
{
    if (size > sizeof talk.bytes - talk.size) size = sizeof talk.bytes - talk.size;
    memcpy(talk.bytes + talk.size, data, size);
    talk.size += size;
}
static void talk_message(uint32_t type, uint32_t number, uint32_t length)
{
    uint8_t head[BRIDGE_HEAD] = {'R', 'I', 'S', 'E'};
    bridge_put(head + 4, type, 4);
    bridge_put(head + 8, number, 4);
    bridge_put(head + 12, length, 4);
    talk_add(head, sizeof head);
}
/* Adds a SPEC with some of its numbers or its text changed. */
static void talk_spec(program *p)
{
    uint32_t spec[] = {BRIDGE_VERSION, 3, 2, 1, 2, 0};
    char text[300] = "x\na\nb\n\nfacts";
    uint8_t body[BRIDGE_SPEC_HEAD];
    unsigned const how = program_byte(p);
    size_t length = strlen(text), i;
    int extra = how & 2 ? (int)program_byte(p) - 128 : 0;
    if (how & 1) { /* numbers, beside a frame or alone */
        unsigned const shows = program_byte(p);
        spec[5] = shows / 2 % 8;
        if (shows & 1) spec[1] = spec[2] = spec[3] = 0;
    }
    if (how & 4) spec[how / 16 % 6] = (uint32_t)fuzz_integer(p);
    if (how & 8) length = program_text(p, text, sizeof text);
    for (i = 0; i < 6; i++) bridge_put(body + 4 * i, spec[i], 4);
    talk_message(BRIDGE_SPEC, 0, (uint32_t)((int)(sizeof body + length) + extra));
    talk_add(body, sizeof body);
    talk_add(text, length);
    if (spec[1] <= 64 && spec[2] <= 64 && spec[3] <= 4 && spec[5] <= BRIDGE_NUMBERS)
        talk.state = (size_t)talk.b.environments *
                     (8 + (size_t)talk.b.frames * spec[1] * spec[2] * spec[3] + 4 * spec[5]);
}
/* Adds a STATE with some of its bytes changed. */
static void talk_answer(program *p, uint32_t number)
{
    static const uint8_t zeros[TALK_BYTES];
    unsigned const how = program_byte(p);
    size_t const begin = talk.size + BRIDGE_HEAD;
    int const extra = how & 2 ? (int)program_byte(p) - 128 : 0;
    unsigned changes = how / 64;
    talk_message(BRIDGE_STATE, number + (how & 4 ? program_byte(p) : 0),
                 (uint32_t)((int)talk.state + extra));
    talk_add(zeros, talk.state < sizeof zeros ? talk.state : sizeof zeros);
    while (changes-- > 0 && talk.state > 0) {
        size_t const at = begin + program_below(p, talk.state);
        if (at + 8 <= talk.size) bridge_put(talk.bytes + at, fuzz_integer(p), how & 8 ? 4 : 1);
    }
}
static void talk_build(program *p)
{
    uint32_t number = 1;
    int messages = 0;
    while (p->at < p->end && messages++ < 12) {
        unsigned const what = program_byte(p);
        char text[260];
        size_t length;
        switch (what % 8) {
        case 0: talk_spec(p); break;
        case 1:
        case 2:
        case 3: talk_answer(p, number++); break;
        case 4: /* an ERROR, or another type */
            length = program_text(p, text, sizeof text);
            talk_message(what & 8 ? (uint32_t)fuzz_integer(p) : BRIDGE_ERROR, number - 1,
                         (uint32_t)length + (what & 16 ? program_byte(p) : 0));
            talk_add(text, length);
            break;
        case 5: talk_message((uint32_t)fuzz_integer(p), (uint32_t)fuzz_integer(p),
                             (uint32_t)fuzz_integer(p));
            break;
        case 6:
            length = program_text(p, text, sizeof text);
            talk_add(text, length);
            break;
        default: talk.size -= talk.size < what ? talk.size : what / 8; break;
        }
    }
}
/* Reads everything that a right answer gives. */
static void talk_look(const bridge *b, int asked)
{
    unsigned long sum = 0;
    int i, p;
    for (i = 0; i < b->environments; i++) {
        CHECK(b->states[i].played >= 0 && b->states[i].played <= asked &&
              b->states[i].reward - b->states[i].reward == 0);
        CHECK(!(b->states[i].terminated && b->states[i].truncated));
        for (p = 0; p < b->frames * b->height * b->width * b->channels; p++)
            sum += b->states[i].frames[p];
        for (p = 0; p < b->numbers; p++)
            CHECK(b->states[i].numbers[p] - b->states[i].numbers[p] == 0);
    }
    for (i = 0; i < b->actions; i++) sum += strlen(b->action_names[i]);
    CHECK(sum + strlen(b->name) + strlen(b->facts) < ULONG_MAX);
}
/* Returns the result of a call. A call that fails says why. */
static int talk_said(int result)
{
    CHECK(result == 0 || result == 1);
    CHECK(memchr(talk.b.error, 0, sizeof talk.b.error) != NULL);
    if (result == 0) CHECK(talk.b.error[0] != '\0');
    return result;
}
static void talk_begin(program *p)
{
    bridge *const b = &talk.b;
    unsigned const options = program_byte(p);
    memset(b, 0, sizeof *b);
    talk.size = talk.state = 0;
    b->environments = 1 + (int)(options % 3), b->frames = 1 + (int)(options / 4 % 3);
    b->patience = 0.002;
    b->socket = -1;
    b->open = 1; /* else bridge_close closes nothing, and after 10,000 runs no socket is left */
}
static void fuzz_bridge(const uint8_t *data, size_t size)
{
    static bridge_move moves[BRIDGE_ENVIRONMENTS];
    bridge *const b = &talk.b;
    bridge_options o;
    program p;
    int ends[2], i, step, good;
    p.at = data, p.end = data + size;
    talk_begin(&p);
    talk_build(&p);
    memset(&o, 0, sizeof o);
    o.name = "x";
    b->said = open("/dev/null", O_RDONLY); /* a child that writes no errors */
    if (b->said < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        perror("socketpair"), exit(1);
    b->socket = ends[0];
    if (talk.size > 0 && write(ends[1], talk.bytes, talk.size) != (ssize_t)talk.size)
        perror("write"), exit(1);
    shutdown(ends[1], SHUT_WR);
    good = talk_said(bridge_greet(b, &o)) && talk_said(bridge_room(b));
    for (i = 0; i < BRIDGE_ENVIRONMENTS; i++) moves[i].count = 3;
    for (step = 0; good && step < TALK_STEPS; step++) {
        good = talk_said(bridge_send(b, moves)) && talk_said(bridge_receive(b));
        if (good) talk_look(b, 3);
    }
    bridge_close(b);
    close(ends[1]);
}
FUZZ_TARGET(fuzz_bridge)
#endif
