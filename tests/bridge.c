/* Tests examples/env_bridge.h: the bytes of its messages, and that no child and no byte from a
   child can crash the program. There are two kinds of children. A script is bytes that wait in the
   socket. A process is this program itself, which serves made-up environments and fails in the way
   that the variable BRIDGE_TEST says (child.h). */
#if !defined(__unix__) && !defined(__APPLE__)

#include <stdio.h>
int main(void)
{
    printf("bridge: skipped, this is no POSIX system\n0 passed, 0 failed\n");
    return 0;
}

#else

#include "child.h" /* first: it asks for POSIX functions */

#include "check.h"
#include <sys/time.h>

static uint64_t random_state;
static unsigned draw(unsigned n)
{
    random_state++;
    return (unsigned)(mix(random_state) >> 33) % n;
}

/* ---------------------------------------------------------------------------------------------- */
/* A child that is a script */

static bridge scripted;
static int script_end = -1; /* the other end of the socket */
static uint8_t script[1 << 17];
static size_t script_size;
static int script_numbers, script_blind; /* numbers of an observation; 1: it has no frames */
static int script_height;                /* of a frame */

/* Opens a bridge as bridge_start does, but without a child. */
static void script_begin(int environments, int frames)
{
    int ends[2] = {-1, -1};
    bridge *const b = &scripted;
    memset(b, 0, sizeof *b);
    b->environments = environments;
    b->frames = frames;
    b->patience = 0.005;
    b->open = 1;
    b->said = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        perror("socketpair"), exit(1);
    b->socket = ends[0];
    script_end = ends[1];
    script_size = 0;
    script_numbers = script_blind = 0;
    script_height = HEIGHT;
}
static void script_put(int type, uint32_t number, const void *body, size_t size)
{
    uint8_t *const at = script + script_size;
    memcpy(at, "RISE", 4);
    bridge_put(at + 4, (uint64_t)type, 4);
    bridge_put(at + 8, number, 4);
    bridge_put(at + 12, size, 4);
    if (size > 0) memcpy(at + BRIDGE_HEAD, body, size);
    script_size += BRIDGE_HEAD + size;
}
static void script_spec(uint32_t version, uint32_t width, uint32_t height, uint32_t channels,
                        uint32_t actions, const char *text)
{
    uint8_t body[2 * BRIDGE_TEXT];
    uint32_t const numbers[] = {version, width,   height,
                                channels, actions, (uint32_t)script_numbers};
    size_t const length = strlen(text);
    size_t i;
    for (i = 0; i < 6; i++) bridge_put(body + 4 * i, numbers[i], 4);
    memcpy(body + BRIDGE_SPEC_HEAD, text, length);
    script_put(BRIDGE_SPEC, 0, body, BRIDGE_SPEC_HEAD + length);
}
/* Adds a SPEC with script_numbers numbers and, unless script_blind, frames of 5 x script_height x
   3. */
static void script_good_spec(void)
{
    int const b = script_blind;
    script_spec(BRIDGE_VERSION, b ? 0 : WIDTH, b ? 0 : (uint32_t)script_height, b ? 0 : CHANNELS,
                ACTIONS, spec_text);
}
/* Returns the bytes of an environment's frames in a STATE. */
static size_t script_shown(void)
{
    return script_blind ? 0 : (size_t)(scripted.frames * WIDTH * script_height * CHANNELS);
}
/* Returns number k of environment i in the answers of a script. */
static float script_number(int i, int k) { return (float)(i * 100 + k) - 0.25f; }

static void put_float(uint8_t *at, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bridge_put(at, bits, 4);
}
/* Adds a STATE: the same outcome for every environment, with different frames and numbers. */
static void script_state(uint32_t number, unsigned ended, unsigned played, unsigned zero,
                         float reward)
{
    size_t const shown = script_shown();
    size_t const each = 8 + shown + 4 * (size_t)script_numbers;
    uint8_t *const body = script + script_size + BRIDGE_HEAD;
    int i, k;
    for (i = 0; i < scripted.environments; i++) {
        uint8_t *const at = body + (size_t)i * each;
        bridge_put(at, ended | played << 8 | zero << 16, 4);
        put_float(at + 4, reward);
        memset(at + 8, i + 1, shown);
        for (k = 0; k < script_numbers; k++)
            put_float(at + 8 + shown + 4 * k, script_number(i, k));
    }
    script_put(BRIDGE_STATE, number, NULL, 0);
    bridge_put(body - 4, (size_t)scripted.environments * each, 4);
    script_size += (size_t)scripted.environments * each;
}
/* Sends the script's bytes. If `ends` is 1, closes the socket for writing after them. */
static void script_run(int ends)
{
    size_t sent = 0;
    while (sent < script_size) {
        ssize_t const n = write(script_end, script + sent, script_size - sent);
        if (n <= 0) perror("write"), exit(1);
        sent += (size_t)n;
    }
    if (ends) shutdown(script_end, SHUT_WR);
}
static void script_done(void)
{
    bridge_close(&scripted);
    if (script_end >= 0) close(script_end);
    script_end = -1;
}
static int script_greet(void)
{
    bridge_options o = {0};
    o.name = "Made/Up-v1";
    o.settings = "a=1";
    o.seed = 0x1122334455667788u;
    return bridge_greet(&scripted, &o) && bridge_room(&scripted);
}
static bridge_move moves[BRIDGE_ENVIRONMENTS];
static int script_step(int count)
{
    int i;
    memset(moves, 0, sizeof moves);
    for (i = 0; i < BRIDGE_ENVIRONMENTS; i++) moves[i].count = count;
    return bridge_send(&scripted, moves) && bridge_receive(&scripted);
}
/* Checks that a call has failed with an error that contains `words`. */
static void check_failed(const bridge *b, int result, const char *words)
{
    if (!CHECK(result == 0 && b->error[0] != 0 && strstr(b->error, words) != NULL))
        printf("    expected \"%s\" in \"%s\" (%d)\n", words, b->error, result);
}

/* ---------------------------------------------------------------------------------------------- */
/* Tests with scripts */

/* Checks the program's messages byte by byte. */
static void questions_have_the_right_bytes(void)
{
    static const uint8_t expected[] = {'R', 'I', 'S', 'E', 1, 0, 0, 0, 0, 0, 0, 0, 34, 0, 0,
                                       0, /* HELLO */
                                       3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0x88, 0x77, 0x66, 0x55,
                                       0x44, 0x33, 0x22, 0x11, 'M', 'a', 'd', 'e', '/', 'U', 'p',
                                       '-', 'v', '1', '\n', 'a', '=', '1', 'R', 'I', 'S', 'E', 2, 0,
                                       0, 0, 1, 0, 0, 0, 9, 0, 0, 0, /* STEP */
                                       1, 0, 0, 2, 5, 4, 1, 1, 3, 'R', 'I', 'S', 'E', 6, 0, 0, 0, 2,
                                       0, 0, 0, 0, 0, 0, 0}; /* BYE */
    uint8_t asked[sizeof expected + 1];
    script_begin(3, 2);
    script_good_spec();
    script_run(0);
    CHECK(script_greet());
    memset(moves, 0, sizeof moves);
    moves[0].reset = moves[2].reset = 1;
    moves[1].count = 2, moves[1].actions[0] = 5, moves[1].actions[1] = 4;
    moves[2].count = 1, moves[2].actions[0] = 3;
    CHECK(bridge_send(&scripted, moves));
    bridge_close(&scripted);
    CHECK(recv(script_end, asked, sizeof asked, MSG_WAITALL) == (ssize_t)sizeof expected);
    CHECK(memcmp(asked, expected, sizeof expected) == 0);
    script_done();
}

static void answers_are_understood(void)
{
    bridge *const b = &scripted;
    int i, p, wrong = 0;
    script_begin(3, 2);
    script_good_spec();
    script_state(1, 0, 2, 0, -1.5f);
    script_state(2, 1, 1, 0, 3.25f);
    script_state(3, 2, 0, 0, 0);
    script_run(1);
    CHECK(script_greet());
    CHECK(b->width == WIDTH && b->height == HEIGHT && b->channels == CHANNELS &&
          b->actions == ACTIONS);
    CHECK(strcmp(b->name, "Made/Up-v1") == 0 && strcmp(b->action_names[0], "NOOP") == 0);
    CHECK(strcmp(b->action_names[ACTIONS - 1], "DOWN") == 0);
    CHECK(script_step(2) && b->states[1].played == 2 && !b->states[1].terminated &&
          !b->states[1].truncated);
    for (i = 0; i < 3; i++)
        for (p = 0; p < 2 * PIXELS; p++)
            wrong += b->states[i].frames[p] != i + 1 || b->states[i].reward != -1.5f;
    CHECK(wrong == 0);
    CHECK(script_step(2) && b->states[2].played == 1 && b->states[2].terminated &&
          !b->states[2].truncated);
    CHECK(b->states[0].reward == 3.25f);
    CHECK(script_step(2) && b->states[0].played == 0 && !b->states[0].terminated &&
          b->states[0].truncated);
    check_failed(b, script_step(2), "ended");
    script_done();
}

/* Numbers come beside frames or alone, one set for each environment. Two frames of 5 x 3 x 3 have
   90 bytes, so floats behind them are not aligned. */
static void numbers_are_understood(void)
{
    static const struct {
        int blind, height;
    } kinds[] = {{0, HEIGHT}, {0, 3}, {1, 0}};
    bridge *const b = &scripted;
    int kind, count, i, k;
    for (kind = 0; kind < 3; kind++)
        for (count = 1; count <= 7; count += 3) {
            int const blind = kinds[kind].blind, height = kinds[kind].height;
            size_t shown;
            check_about("%d numbers, frames of height %d", count, height);
            script_begin(3, 2);
            script_numbers = count, script_blind = blind, script_height = height;
            shown = script_shown();
            CHECK(shown % 4 == (height == 3 ? 2 : 0));
            script_good_spec();
            script_state(1, 0, 2, 0, -1.5f);
            script_run(1);
            CHECK(script_greet() && b->numbers == count && b->width == (blind ? 0 : WIDTH));
            CHECK(b->height == height && b->channels == (blind ? 0 : CHANNELS));
            CHECK(b->answer_bytes == 3 * (8 + shown + 4 * (size_t)count));
            CHECK(script_step(2));
            for (i = 0; i < 3; i++) {
                const bridge_state *const state = &b->states[i];
                CHECK(state->reward == -1.5f && state->played == 2);
                CHECK(blind ? state->frames == NULL
                            : state->frames[0] == i + 1 && state->frames[shown - 1] == i + 1);
                for (k = 0; k < count; k++) CHECK(state->numbers[k] == script_number(i, k));
            }
            script_done();
            CHECK(b->values == NULL && b->answer == NULL);
        }
    check_about("%s", "");
    script_begin(1, 1);
    script_good_spec();
    script_state(1, 0, 2, 0, 0);
    script_run(1);
    CHECK(script_greet() && script_step(2) && b->states[0].numbers == NULL);
    script_done();
}
/* Each number of each environment must be finite. */
static void numbers_that_are_not_finite_are_refused(void)
{
    static const float bad[] = {(float)NAN, (float)INFINITY, -(float)INFINITY};
    int blind, i, k;
    for (blind = 0; blind < 2; blind++)
        for (i = 0; i < 2; i++)
            for (k = 0; k < 3; k++) {
                size_t const shown = blind ? 0 : 2 * PIXELS, each = 8 + shown + 12;
                size_t state;
                script_begin(2, 2);
                script_numbers = 3, script_blind = blind;
                script_good_spec();
                state = script_size + BRIDGE_HEAD;
                script_state(1, 0, 1, 0, 1);
                put_float(script + state + (size_t)i * each + 8 + shown + 4 * (size_t)k, bad[k]);
                script_run(1);
                check_about("number %d of environment %d", k, i);
                CHECK(script_greet());
                check_failed(&scripted, script_step(3), i == 0 ? "environment 0 sent an outcome"
                                                               : "environment 1 sent an outcome");
                script_done();
            }
    check_about("%s", "");
}
/* Observations have frames, numbers or both: other sizes are refused. */
static void half_a_frame_is_refused(void)
{
    static const struct {
        uint32_t width, height, channels;
        int numbers;
        const char *words; /* NULL: the sizes are possible */
    } cases[] = {
        {0, 0, 0, 1, NULL},
        {0, 0, 0, BRIDGE_NUMBERS, NULL},
        {2, 2, 1, BRIDGE_NUMBERS, NULL},
        {0, 0, 0, 0, "0 columns: 1 to 1024"},
        {0, 2, 1, 4, "0 columns: 1 to 1024"},
        {2, 0, 1, 4, "0 rows: 1 to 1024"},
        {2, 2, 0, 4, "0 channels: 1 to 16"},
        {0, 0, 1, 4, "0 columns: 1 to 1024"},
        {0, 0, 0, BRIDGE_NUMBERS + 1, "1025 numbers: 0 to 1024 are possible"},
        {2, 2, 1, BRIDGE_NUMBERS + 1, "1025 numbers: 0 to 1024"},
        {2, 2, 1, -1, "4294967295 numbers: 0 to 1024"},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        script_begin(2, 2);
        script_numbers = cases[i].numbers;
        script_spec(BRIDGE_VERSION, cases[i].width, cases[i].height, cases[i].channels, 1, "x\na");
        script_run(1);
        check_about("%u x %u x %u and %d numbers", (unsigned)cases[i].width,
                    (unsigned)cases[i].height, (unsigned)cases[i].channels, cases[i].numbers);
        if (cases[i].words == NULL)
            CHECK(script_greet() && scripted.numbers == cases[i].numbers);
        else
            check_failed(&scripted, script_greet(), cases[i].words);
        script_done();
    }
    check_about("%s", "");
}

/* Facts follow after an empty line. Names may hold spaces and Unicode. */
static void facts_follow_the_names(void)
{
    script_begin(1, 1);
    script_spec(BRIDGE_VERSION, 2, 2, 1, 2, "x\ngo left\n\xC3\xA4\n\npython 3.11\nmade-up 1.0");
    script_run(1);
    CHECK(script_greet() && strcmp(scripted.action_names[0], "go left") == 0);
    CHECK(strcmp(scripted.action_names[1], "\xC3\xA4") == 0);
    CHECK(strcmp(scripted.facts, "python 3.11\nmade-up 1.0") == 0);
    script_done();

    script_begin(1, 1); /* no facts */
    script_spec(BRIDGE_VERSION, 2, 2, 1, 1, "x\na");
    script_run(1);
    CHECK(script_greet() && strcmp(scripted.facts, "") == 0);
    script_done();
}

/* A SPEC is accepted at the limits of each size, and refused one beyond them and far beyond. */
static void sizes_keep_their_limits(void)
{
    static const uint32_t limits[] = {BRIDGE_SIDE, BRIDGE_SIDE, BRIDGE_CHANNELS, BRIDGE_ACTIONS};
    static const char *const names[] = {"columns", "rows", "channels", "actions"};
    char text[2 * BRIDGE_ACTIONS + 16];
    int field, value;
    for (field = 0; field < 4; field++)
        for (value = 0; value < 5; value++) {
            uint32_t const values[] = {1, limits[field], 0, limits[field] + 1, 0xFFFFFFFFu};
            uint32_t spec[] = {2, 2, 1, 3}, i;
            spec[field] = values[value];
            strcpy(text, "x");
            for (i = 0; i < spec[3] && i <= BRIDGE_ACTIONS; i++) strcat(text, "\na");
            script_begin(2, 2);
            script_spec(BRIDGE_VERSION, spec[0], spec[1], spec[2], spec[3], text);
            script_run(1);
            check_about("%u %s", (unsigned)spec[field], names[field]);
            if (value < 2)
                CHECK(script_greet());
            else
                check_failed(&scripted, script_greet(), names[field]);
            script_done();
        }
    check_about("%s", "");
}

/* Sizes that are valid one by one, but too large together for one message, are refused. */
static void message_has_room_for_all_sizes_together(void)
{
    script_begin(BRIDGE_ENVIRONMENTS, BRIDGE_FRAMES);
    script_spec(BRIDGE_VERSION, BRIDGE_SIDE, BRIDGE_SIDE, BRIDGE_CHANNELS, 1, "x\na");
    script_run(1);
    check_failed(&scripted, script_greet(), "no room for 34360 MB");
    script_done();

    script_begin(BRIDGE_ENVIRONMENTS, BRIDGE_FRAMES);
    script_spec(BRIDGE_VERSION, 1, 1, 1, 1, "x\na");
    script_run(0);
    CHECK(script_greet() && scripted.answer_bytes == BRIDGE_ENVIRONMENTS * (8 + BRIDGE_FRAMES));
    script_done();

    script_begin(BRIDGE_ENVIRONMENTS, BRIDGE_FRAMES); /* 2^32 bytes with the numbers, not without */
    script_numbers = BRIDGE_NUMBERS;
    script_spec(BRIDGE_VERSION, 1013, 690, 3, 1, "x\na");
    script_run(1);
    check_failed(&scripted, script_greet(), "no room for 4296 MB");
    script_done();
}

static void wrong_requests_are_refused(void)
{
    static char longer[BRIDGE_TEXT];
    bridge *const b = &scripted;
    bridge_options o = {0};
    o.name = "x";
    o.script = "no/such/script.py";
    o.environments = BRIDGE_ENVIRONMENTS + 1;
    check_failed(b, bridge_open(b, &o), "at most 256 environments");
    /* the call does not read the 257th environment */
    check_failed(b, bridge_send(b, moves), "closed");
    o.environments = BRIDGE_ENVIRONMENTS;
    o.frames = BRIDGE_FRAMES + 1;
    check_failed(b, bridge_open(b, &o), "8 frames");
    o.frames = BRIDGE_FRAMES;
    check_failed(b, bridge_open(b, &o), "no/such/script.py cannot be read");

    memset(longer, 'x', sizeof longer - 1);
    o.settings = longer;
    script_begin(1, 1);
    check_failed(b, bridge_greet(b, &o), "too long");
    script_done();

    script_begin(1, 1);
    script_good_spec();
    script_run(0);
    CHECK(script_greet());
    check_failed(b, script_step(-1), "-1 actions");
    check_failed(b, script_step(BRIDGE_PLAYED + 1), "256 actions");
    CHECK(b->number == 1);
    script_done();
}

/* Calls on a bridge that was never opened or is closed are refused. */
static void closed_bridge_refuses_calls(void)
{
    static bridge never;
    check_failed(&never, bridge_send(&never, moves), "closed");
    check_failed(&never, bridge_receive(&never), "closed");
    bridge_close(&never);
    bridge_close(&never);
    CHECK(fcntl(0, F_GETFD) != -1); /* a bridge that was never opened must not close descriptor 0 */

    script_begin(2, 2);
    script_good_spec();
    script_run(1);
    CHECK(script_greet());
    script_done();
    check_failed(&scripted, bridge_send(&scripted, moves), "closed");
    check_failed(&scripted, bridge_receive(&scripted), "closed");
    script_done();
}

static void bad_spec(const char *words, uint32_t version, uint32_t actions, const char *text)
{
    check_about("%s", words);
    script_begin(1, 1);
    script_spec(version, WIDTH, HEIGHT, CHANNELS, actions, text);
    script_run(1);
    check_failed(&scripted, script_greet(), words);
    script_done();
}
static void bad_message(const char *words, int type, uint32_t number, const void *body, size_t size)
{
    check_about("%s", words);
    script_begin(1, 1);
    script_put(type, number, body, size);
    script_run(1);
    check_failed(&scripted, script_greet(), words);
    script_done();
}
static void bad_specs_are_refused(void)
{
    static char text[2 * BRIDGE_TEXT];
    uint8_t head[BRIDGE_SPEC_HEAD] = {0};
    bad_spec("version 4 of the protocol, this program 3", 4, ACTIONS, spec_text);
    bad_spec("version 2 of the protocol, this program 3", 2, ACTIONS, spec_text);
    bad_spec("version 0 of", 0, ACTIONS, spec_text);
    bad_spec("sent 6 names for 7 actions", BRIDGE_VERSION, 7, spec_text);
    bad_spec("more names than its 5 actions", BRIDGE_VERSION, 5, spec_text);
    bad_spec("sent 0 names for 1 actions", BRIDGE_VERSION, 1, "");
    /* no name of an action */
    bad_spec("sent 0 names for 1 actions", BRIDGE_VERSION, 1, "x\n\na fact");
    bad_spec("more names than its 1 actions", BRIDGE_VERSION, 1, "x\na\nb\n\na fact");
    memset(text, 'x', BRIDGE_TEXT - BRIDGE_SPEC_HEAD);
    text[BRIDGE_TEXT - BRIDGE_SPEC_HEAD - 2] = '\n';
    script_begin(1, 1);
    script_spec(BRIDGE_VERSION, 1, 1, 1, 1, text); /* the longest possible text */
    script_run(1);
    CHECK(script_greet() && strlen(scripted.name) == BRIDGE_TEXT - BRIDGE_SPEC_HEAD - 2 &&
          strcmp(scripted.action_names[0], "x") == 0);
    script_done();
    text[BRIDGE_TEXT - BRIDGE_SPEC_HEAD] = 'x';
    bad_spec("message of 8193 bytes", BRIDGE_VERSION, 1, text);
    bad_message("message of 19 bytes", BRIDGE_SPEC, 0, text, 19);
    bad_message("message of 0 bytes", BRIDGE_SPEC, 0, text, 0);
    bridge_put(head, BRIDGE_VERSION, 4);
    bad_message("message of 23 bytes", BRIDGE_SPEC, 0, head, BRIDGE_SPEC_HEAD - 1);
    bridge_put(head, BRIDGE_VERSION - 1, 4); /* whose SPEC is shorter */
    bad_message("version 2 of the protocol", BRIDGE_SPEC, 0, head, 20);
    bad_message("of type 4", BRIDGE_STATE, 0, text, 100);
    bad_message("of type 77", 77, 0, text, 100);
    bad_message("answered question 1 where 0 was asked", BRIDGE_SPEC, 1, text, 100);
    bad_message("is no xylophone", BRIDGE_ERROR, 0, "there is no xylophone", 21);
    bad_message("did not say why", BRIDGE_ERROR, 0, NULL, 0);
    bad_message("did not say why", BRIDGE_ERROR, 0, "\0there is no xylophone", 22);
    bad_message("xxx", BRIDGE_ERROR, 0, text, BRIDGE_TEXT - 1);
    bad_message("of type 5", BRIDGE_ERROR, 0, text, BRIDGE_TEXT);
    check_about("%s", "");
}

static void bad_state(const char *words, unsigned ended, unsigned played, unsigned zero,
                      float reward)
{
    check_about("%u %u %u %g", ended, played, zero, (double)reward);
    script_begin(2, 2);
    script_good_spec();
    script_state(1, ended, played, zero, reward);
    script_run(1);
    CHECK(script_greet());
    check_failed(&scripted, script_step(3), words);
    script_done();
}
/* Sends a STATE whose head has another type, number or length than it should. */
static void bad_head(const char *words, int type, uint32_t number, int longer)
{
    size_t state;
    check_about("%s", words);
    script_begin(2, 2);
    script_good_spec();
    state = script_size;
    script_state(1, 0, 1, 0, 1);
    bridge_put(script + state + 4, (uint64_t)type, 4);
    bridge_put(script + state + 8, number, 4);
    bridge_put(script + state + 12, (uint64_t)((long)bridge_get(script + state + 12) + longer), 4);
    script_run(1);
    CHECK(script_greet());
    check_failed(&scripted, script_step(3), words);
    script_done();
}
static void bad_states_are_refused(void)
{
    bad_state("makes no sense", 3, 1, 0, 1);
    bad_state("makes no sense", 255, 1, 0, 1);
    bad_state("makes no sense", 0, 4, 0, 1); /* more actions than were sent */
    bad_state("makes no sense", 0, 3, 1, 1);
    bad_state("makes no sense", 0, 3, 0x8000, 1);
    bad_state("makes no sense", 0, 3, 0, (float)NAN);
    bad_state("makes no sense", 0, 3, 0, (float)INFINITY);
    bad_state("makes no sense", 1, 3, 0, -(float)INFINITY);
    bad_head("of 257 bytes", BRIDGE_STATE, 1, 1);
    bad_head("of 255 bytes", BRIDGE_STATE, 1, -1);
    bad_head("of type 3", BRIDGE_SPEC, 1, 0);
    bad_head("of type 2", BRIDGE_STEP, 1, 0);
    bad_head("answered question 0 where 1 was", BRIDGE_STATE, 0, 0);
    bad_head("answered question 4294967295 where 1 was", BRIDGE_STATE, 0xFFFFFFFFu, 0);
    check_about("%s", "");
}

/* An ERROR instead of a STATE keeps the names. */
static void later_error_keeps_the_names(void)
{
    static const char sentence[] = "the environment failed: ZeroDivisionError: division by zero";
    script_begin(2, 2);
    script_good_spec();
    script_put(BRIDGE_ERROR, 1, sentence, strlen(sentence));
    script_run(1);
    CHECK(script_greet());
    check_failed(&scripted, script_step(1), sentence);
    CHECK(strcmp(scripted.name, "Made/Up-v1") == 0 &&
          strcmp(scripted.action_names[1], "FIRE") == 0);
    script_done();
}

/* If a child gives a reason and ends before it is asked, the error is this reason. bridge_close
   keeps the error. */
static void last_sentence_of_a_child_stays(void)
{
    static const char sentence[] = "python3 could not be started";
    script_begin(2, 2);
    script_put(BRIDGE_ERROR, 0, sentence, strlen(sentence));
    script_run(0);
    close(script_end);
    script_end = -1;
    check_failed(&scripted, script_greet(), sentence);
    bridge_close(&scripted);
    CHECK(strcmp(scripted.error, sentence) == 0);

    script_begin(2, 2); /* an answer that was not received is not an error text */
    script_good_spec();
    script_state(1, 0, 0, 0, 0);
    script_run(0);
    CHECK(script_greet());
    close(script_end);
    script_end = -1;
    check_failed(&scripted, bridge_send(&scripted, moves), "ended");
    bridge_close(&scripted);
}

/* If a child does not read, sending fails after the time limit. */
static void child_that_never_reads_times_out(void)
{
    int sent = 0;
    script_begin(BRIDGE_ENVIRONMENTS, 1);
    script_good_spec();
    script_run(0);
    CHECK(script_greet());
    memset(moves, 0, sizeof moves);
    for (sent = 0; sent < BRIDGE_ENVIRONMENTS; sent++) moves[sent].count = BRIDGE_PLAYED;
    for (sent = 0; sent < 10000 && bridge_send(&scripted, moves); sent++) continue;
    check_failed(&scripted, sent == 10000, "not answered for 0.005 seconds");
    script_done();
}

static volatile sig_atomic_t alarms;
static void count_alarm(int number)
{
    (void)number;
    alarms++;
}
static void alarm_every(long microseconds)
{
    struct sigaction action;
    struct itimerval every;
    memset(&action, 0, sizeof action);
    action.sa_handler = count_alarm; /* without SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    memset(&every, 0, sizeof every);
    every.it_interval.tv_usec = every.it_value.tv_usec = (suseconds_t)microseconds;
    setitimer(ITIMER_REAL, &every, NULL);
}
/* Signals that come more often than the time limit do not extend it. */
static void signals_do_not_prolong_a_wait(void)
{
    alarms = 0;
    alarm_every(5000);
    script_begin(1, 1);
    scripted.patience = 0.02;
    script_good_spec();
    script_run(0);
    CHECK(script_greet());
    check_failed(&scripted, script_step(1), "not answered for 0.02 seconds");
    script_done();
    alarm_every(0);
    CHECK(alarms > 0);
}
/* A step in which an episode begins may take ten times as long as other steps. */
static void beginning_episodes_have_more_time(void)
{
    int reset;
    script_begin(2, 1);
    script_good_spec();
    script_run(0);
    CHECK(script_greet());
    memset(moves, 0, sizeof moves);
    for (reset = 1; reset >= 0; reset--) {
        moves[1].reset = reset;
        check_failed(&scripted, bridge_send(&scripted, moves) && bridge_receive(&scripted),
                     reset ? "not answered for 0.05 seconds: pass a larger patience, or fewer"
                           : "not answered for 0.005 seconds: pass a larger patience, or fewer");
    }
    script_done();
}

/* ---------------------------------------------------------------------------------------------- */
/* Corruptions */

static void corrupt(void)
{
    size_t const at = draw((unsigned)script_size), left = script_size - at;
    switch (draw(4)) {
    case 0: script[at] ^= (uint8_t)(1u << draw(8)); break;
    case 1: script[at] = (uint8_t)draw(256); break;
    case 2:
        memmove(script + at, script + at + 1, left - 1);
        script_size--;
        break;
    default:
        memmove(script + at + 1, script + at, left);
        script[at] = (uint8_t)draw(256);
        script_size++;
        break;
    }
}
/* A call must return, with an error text if it failed. */
static int came_back(const char *call, int result)
{
    if ((result != 0 && result != 1) ||
        (result == 0 && (scripted.error[0] == 0 || strlen(scripted.error) >= 400)))
        return !CHECK(!call);
    CHECK(1);
    return result;
}
/* Reads everything that a valid answer supplies. */
static unsigned long look(void)
{
    unsigned long sum = 0;
    int i, p;
    for (i = 0; i < scripted.environments; i++) {
        CHECK(scripted.states[i].played >= 0 && scripted.states[i].played <= 3 &&
              isfinite(scripted.states[i].reward));
        for (p = 0; p < scripted.frames * scripted.height * scripted.width * scripted.channels; p++)
            sum += scripted.states[i].frames[p];
        for (p = 0; p < scripted.numbers; p++) CHECK(isfinite(scripted.states[i].numbers[p]));
    }
    for (i = 0; i < scripted.actions; i++) sum += strlen(scripted.action_names[i]);
    return sum;
}
/* Returns the number of valid answers. */
static int play_script(int times, int ends)
{
    uint32_t number;
    int good = 0, i;
    script_begin(2, 2);
    script_numbers = (int)draw(4), script_blind = script_numbers > 0 && draw(2) == 0;
    script_good_spec();
    for (number = 1; number <= 3; number++) script_state(number, number - 1, number, 0, 0.5f);
    for (i = 0; i < times; i++) corrupt();
    if (times > 0 && draw(4) == 0) script_size = draw((unsigned)script_size);
    script_run(ends);
    if (came_back("greet", script_greet())) {
        for (i = 0; i < 3; i++) {
            memset(moves, 0, sizeof moves);
            moves[0].count = moves[1].count = 3;
            if (came_back("send", bridge_send(&scripted, moves)) &&
                came_back("receive", bridge_receive(&scripted))) {
                good++;
                look();
            }
        }
    }
    script_done();
    return good;
}
static void corrupted_messages_are_refused(void)
{
    int i, good = 0, spoilt = 0;
    random_state = 4711;
    for (i = 0; i < 3000 / check_share; i++) {
        int const answers = play_script(1 + (int)draw(3), i % 100 != 0);
        good += answers == 3;
        spoilt += answers < 3;
        if (i % 100 == 0) CHECK(play_script(0, 1) == 3);
    }
    CHECK(good > 0 && spoilt > good); /* pixels may have any value */
}

/* ---------------------------------------------------------------------------------------------- */
/* Tests with processes */

static bridge real;
static fake twins[BRIDGE_ENVIRONMENTS]; /* copies of the child's environments */

static int open_real(const char *mode, int environments, int frames)
{
    bridge_options o = {0};
    o.name = "Made/Up-v1";
    o.environments = environments;
    o.frames = frames;
    o.seed = 0x8000000000000000u + (unsigned)environments;
    o.python = o.script = self;
    o.patience = 600; /* a busy machine is slow */
    setenv("BRIDGE_TEST", mode, 1);
    fakes_make(twins, environments, o.seed);
    return bridge_open(&real, &o);
}
/* Makes random moves; the first ones are resets. */
static void random_moves(int first)
{
    int i, k;
    for (i = 0; i < real.environments; i++) {
        moves[i].reset = first || draw(8) == 0;
        moves[i].count = draw(4) == 0 ? 0 : draw(50) == 0 ? BRIDGE_PLAYED : (int)draw(7);
        for (k = 0; k < moves[i].count; k++) moves[i].actions[k] = (uint8_t)draw(ACTIONS);
    }
}
/* Returns whether the frames and numbers are those of the twin. */
static int sees_twin(const bridge_state *s, const fake *twin)
{
    int k;
    for (k = 0; k < real.numbers; k++)
        if (s->numbers[k] != fake_number(twin, k)) return 0;
    return real.width == 0 || memcmp(s->frames, twin->frames[BRIDGE_FRAMES - real.frames],
                                     (size_t)real.frames * PIXELS) == 0;
}
/* Returns whether the environments did what their twins do. */
static int as_twins(void)
{
    int i, played = 0, right = 1;
    for (i = 0; i < real.environments; i++) {
        const bridge_state *const s = &real.states[i];
        float reward = 0;
        int const ended = fake_move(&twins[i], moves[i].reset, moves[i].count, moves[i].actions,
                                    &played, &reward);
        right = right && s->terminated == (ended == 1) && s->truncated == (ended == 2) &&
                s->played == played && s->reward == reward && sees_twin(s, &twins[i]);
    }
    return right;
}
/* Makes up to `steps` steps, until a call fails. Returns how many succeeded; these must be
   right. */
static int talk(int steps)
{
    int i, right = 1;
    for (i = 0; i < steps; i++) {
        random_moves(i == 0);
        if (!bridge_send(&real, moves) || !bridge_receive(&real)) break;
        right = right && as_twins();
    }
    CHECK(right);
    return i;
}
/* Returns whether this program can start itself as a child, which may fail under an emulator. If
   not, skips the running test. */
static int starts_children(void)
{
    static int can = -1;
    if (can < 0) can = can_start();
    if (!can) check_skip("this program cannot start itself here");
    return can;
}
static int no_children(void) { return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD; }

static void close_real(int open_before)
{
    bridge_close(&real);
    bridge_close(&real);
    CHECK(no_children() && process_descriptors(0) == open_before && real.child == 0);
}

static void good_child_is_served(void)
{
    static const int sizes[][3] = {{1, 1, 400},
                                   {3, 2, 400},
                                   {7, 8, 100},
                                   {BRIDGE_ENVIRONMENTS, 1, 20}};
    size_t i;
    if (!starts_children()) return;
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int const before = process_descriptors(0);
        check_about("%d environments, %d frames", sizes[i][0], sizes[i][1]);
        if (!CHECK(open_real("is good", sizes[i][0], sizes[i][1]))) printf("    %s\n", real.error);
        CHECK(real.width == WIDTH && real.actions == ACTIONS &&
              strcmp(real.action_names[2], "UP") == 0);
        CHECK(talk(sizes[i][2]) == sizes[i][2]);
        close_real(before);
    }
    check_about("%s", "");
}
static void good_child_shows_numbers(void)
{
    static const int shown[][2] = {{1, 1}, {MOST_NUMBERS, 1}, {1, 0}, {7, 0}}; /* numbers, blind */
    size_t i;
    if (!starts_children()) return;
    for (i = 0; i < sizeof shown / sizeof *shown; i++) {
        int const before = process_descriptors(0);
        check_about("%d numbers, blind %d", shown[i][0], shown[i][1]);
        child_will_show(shown[i][0], shown[i][1]);
        if (!CHECK(open_real("is good", 3, 2))) printf("    %s\n", real.error);
        CHECK(real.numbers == shown[i][0] && (real.width == 0) == shown[i][1]);
        CHECK(talk(100) == 100);
        close_real(before);
    }
    child_will_show(0, 0);
    check_about("%s", "");
}
/* Children that are unusual but valid are served. */
static void odd_child_is_served(void)
{
    static const char *const modes[] = {"chatters", "is interrupted", "is slow"};
    size_t i;
    if (!starts_children()) return;
    for (i = 0; i < sizeof modes / sizeof *modes; i++) {
        int const before = process_descriptors(0);
        check_about("a child that %s", modes[i]);
        CHECK(open_real(modes[i], 2, 2));
        CHECK(talk(6) == 6);
        close_real(before);
    }
    check_about("%s", "");
}
/* The error of a child that fails in its third STATE names the failure. */
static void failing_child_is_reported(void)
{
    static const char *const cases[][2] = {
        {"ends in a head", "process ended"},
        {"ends in a body", "process ended"},
        {"chatters and ends", "last line of its stderr: no more"},
        {"crashes", "signal 9"},
        {"hangs", "not answered for 0.2"},
        {"hangs in a body", "not answered for 0.2"},
        {"drips", "not answered for 0.2"},
        {"hangs up", "did not end, and was killed"},
    };
    size_t i;
    if (!starts_children()) return;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        int const before = process_descriptors(0);
        check_about("a child that %s", cases[i][0]);
        CHECK(open_real(cases[i][0], 3, 2));
        CHECK(talk(MISBEHAVES - 1) == MISBEHAVES - 1);
        /* Set only now, because the start may take a while. An episode begins, so the limit is ten
           times as long. Where a time limit is not the failure, the patience is 600 s, because a
           busy machine is slow. */
        real.patience = strstr(cases[i][1], "0.2") != NULL ? 0.02 : 600;
        real.grace = strcmp(cases[i][0], "hangs up") == 0 ? 0.2 : 600;
        check_failed(&real, talk(1), cases[i][1]);
        real.patience = 0.05;
        check_failed(&real, talk(1), "");
        close_real(before);
        CHECK(open_real("is good", 1, 1) && talk(2) == 2);
        close_real(before);
    }
    check_about("%s", "");
}

/* The child is in a process group of its own. When it ends, in order or killed, the process that it
   has started is killed. That process holds the pipe open. */
static void other_processes_end_with_the_child(void)
{
    int crashes;
    if (!starts_children()) return;
    for (crashes = 0; crashes < 2; crashes++) {
        struct pollfd pipe_ended = {-1, POLLIN, 0};
        char number[20], byte;
        int ends[2], before;
        check_about("%s", crashes ? "the child is killed" : "the child ends in order");
        CHECK(pipe(ends) == 0);
        fcntl(ends[0], F_SETFD, FD_CLOEXEC);
        snprintf(number, sizeof number, "%d", ends[1]);
        setenv("BRIDGE_TEST_PIPE", number, 1);
        before = process_descriptors(0);
        CHECK(open_real("starts another", 1, 1) && talk(2) == 2);
        CHECK(getpgid(real.child) == real.child);
        if (crashes) kill(real.child, SIGKILL);
        real.grace = 600;
        CHECK(talk(1) == !crashes);
        close_real(before);
        unsetenv("BRIDGE_TEST_PIPE");
        close(ends[1]);
        pipe_ended.fd = ends[0];
        if (!crashes) CHECK(read(ends[0], &byte, 1) == 1); /* of the child */
        CHECK(poll(&pipe_ended, 1, 10000) == 1 && read(ends[0], &byte, 1) == 0);
        close(ends[0]);
    }
    check_about("%s", "");
}

static void open_fails(const char *words, const char *mode, const char *python,
                       const char *script_path)
{
    int const before = process_descriptors(0);
    bridge_options o = {0};
    check_about("%s", words);
    o.name = "Made/Up-v1";
    o.python = python;
    o.script = script_path;
    o.patience = strcmp(mode, "hangs at once") == 0 ? 0.02 : 60;
    setenv("BRIDGE_TEST", mode, 1);
    check_failed(&real, bridge_open(&real, &o), words);
    CHECK(!real.open);
    close_real(before);
    check_about("%s", "");
}
static void failed_start_is_reported(void)
{
    static char nowhere[400];
    int i;
    if (!starts_children()) return;
    memset(nowhere, 'x', sizeof nowhere - 1);
    for (i = 0; i < 10; i++) { /* either child or program may be faster */
        open_fails("python could not be started (No such file or directory): install Python 3.9 or",
                   "is good", "no/such/python", self);
        open_fails("of its stderr: NameError: x is not defined", "ends at once", self, self);
    }
    open_fails("could not be started", "is good", nowhere, self);
    open_fails("not answered for 0.2 seconds", "hangs at once", self, self);
    open_fails("cannot be read", "is good", self, "no/such/script");
}

/* BYE reaches the child, and the child has time to end, although signals keep coming. */
static void bye_lets_a_child_end(void)
{
    int ends[2], before;
    char number[20], told = 0;
    if (!starts_children()) return;
    alarms = 0;
    alarm_every(2000);
    CHECK(pipe(ends) == 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    snprintf(number, sizeof number, "%d", ends[1]);
    setenv("BRIDGE_TEST_PIPE", number, 1);
    before = process_descriptors(0);
    CHECK(open_real("is slow", 2, 2));
    CHECK(talk(10) == 10);
    real.grace = 600;
    close_real(before);
    alarm_every(0);
    CHECK(alarms > 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    CHECK(read(ends[0], &told, 1) == 1 && told == 'B');
    close(ends[0]);
    close(ends[1]);
    unsetenv("BRIDGE_TEST_PIPE");
}

/* A program without some of standard input, output and error starts a child: the bridge's sockets
   then have these descriptors. */
static void closed_stdio_does_no_harm(void)
{
    int closed;
    if (!starts_children()) return;
    for (closed = 1; closed < 8; closed++) {
        pid_t pid;
        int i;
        fflush(NULL);
        pid = fork();
        if (pid == 0) {
            for (i = 0; i < 3; i++)
                if (closed >> i & 1) close(i);
            _exit(open_real("is good", 2, 2) && talk(3) == 3 ? PROBED : 1);
        }
        check_about("closed: %d", closed);
        CHECK(process_end(pid) == PROBED);
    }
    check_about("%s", "");
}

static int open_at_start; /* files that were open when the program started */
static void check_open_files(void) { CHECK(process_descriptors(0) == open_at_start); }

static const check_test tests[] = {
    TEST(questions_have_the_right_bytes),
    TEST(answers_are_understood),
    TEST(numbers_are_understood),
    TEST(numbers_that_are_not_finite_are_refused),
    TEST(half_a_frame_is_refused),
    TEST(facts_follow_the_names),
    TEST(sizes_keep_their_limits),
    TEST(message_has_room_for_all_sizes_together),
    TEST(wrong_requests_are_refused),
    TEST(closed_bridge_refuses_calls),
    TEST(bad_specs_are_refused),
    TEST(bad_states_are_refused),
    TEST(later_error_keeps_the_names),
    TEST(last_sentence_of_a_child_stays),
    TEST(child_that_never_reads_times_out),
    TEST(signals_do_not_prolong_a_wait),
    TEST(beginning_episodes_have_more_time),
    TEST(corrupted_messages_are_refused),
    TEST(good_child_is_served),
    TEST(good_child_shows_numbers),
    TEST(odd_child_is_served),
    TEST(failing_child_is_reported),
    TEST(other_processes_end_with_the_child),
    TEST(failed_start_is_reported),
    TEST(bye_lets_a_child_end),
    TEST(closed_stdio_does_no_harm),
};
int main(int count, char **arguments)
{
    char inherited[20];
    int status;
    if (child_was_meant(count, arguments, &status)) return status;
    open_at_start = process_descriptors(0);
    snprintf(inherited, sizeof inherited, "%d", process_descriptors(3));
    setenv("BRIDGE_TEST_INHERITED", inherited, 1);
    check_state.after = check_open_files;
    return CHECK_MAIN(count, arguments, tests);
}

#endif
