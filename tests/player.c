/* Tests builds of rise.h that leave parts out: RISE_PLAY_ONLY, RISE_NO_RAINBOW, RISE_NO_ENCODERS.
   Agents made by the whole library play in each build, and must compute the same. Hostile files are
   refused. tests/run.sh compiles the builds: see player_builds.h. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L /* posix_memalign */
#define _FILE_OFFSET_BITS 64 /* else readdir fails on 32-bit machines with 64-bit inode numbers */
#endif
#include "toy.h"
#include "agent_file.h"
#include "number_text.h"
#include "player_builds.h"
#if defined(__unix__) || defined(__APPLE__)
#include <dirent.h>
#endif

/* RISE_PLAY_ONLY alone; with RISE_NO_SIMD; with RISE_NO_SIMD and -mfma; with RISE_NO_SIMD,
   RISE_NO_RAINBOW and RISE_NO_ENCODERS. player_learns has the last three macros, but not
   RISE_PLAY_ONLY. */
extern const player_build player_all, player_plain, player_fma, player_small, player_learns;
static const player_build whole = PLAYER_TABLE("whole");

enum { PLAYERS = 2, BUILDS = 4, STEPS = 24 };
enum { CANARY = 64, CANARY_BYTE = 0xA5 };

/* Returns build i of those with RISE_PLAY_ONLY, or NULL if it does not run here. */
static const player_build *build(int i)
{
    static const player_build *const builds[BUILDS] = {&player_all, &player_plain, &player_small,
#ifdef PLAYER_FMA
                                                       &player_fma};
    if (i == 3 && !__builtin_cpu_supports("fma")) return NULL;
#else
                                                       NULL};
#endif
    return builds[i];
}

/* ---------------------------------------------------------------------------------------------- */
/* An agent in a block between canaries */

typedef struct guarded {
    const player_build *build;
    rise_agent *agent;
    unsigned char *room; /* CANARY bytes, the block, CANARY bytes */
    size_t bytes;
} guarded;

enum { PROCESSES = 3 };
static int player_process; /* machine.process of the next player_machine, 0..PROCESSES - 1 */

static rise_agent_desc player_machine(int players)
{
    rise_agent_desc m;
    memset(&m, 0, sizeof m);
    m.embed_fn = toy_embed, m.players = players;
    m.processes = PROCESSES, m.process = player_process;
    return m;
}
/* Opens a file in a block of exactly the bytes that the build asks for. */
static rise_result guarded_open(guarded *g, const player_build *b, const void *data, size_t size,
                                int players)
{
    rise_agent_desc m = player_machine(players);
    rise_error error = {RISE_OK, "x"};
    rise_result result;
    memset(g, 0, sizeof *g);
    g->build = b;
    g->bytes = b->open_bytes(data, size, &m, &error);
    g->room = (unsigned char *)malloc(g->bytes + 2 * CANARY);
    if (g->room == NULL) exit(1);
    memset(g->room, CANARY_BYTE, g->bytes + 2 * CANARY);
    if (g->bytes == 0) {
        if (b->create == NULL) CHECK(error.text[0] == '\0');
        CHECK(error.result < RISE_OK);
        return error.result;
    }
    m.memory_block = g->room + CANARY, m.memory_bytes = g->bytes;
    result = b->open(&g->agent, data, size, &m, &error);
    CHECK((g->agent != NULL) == (result == RISE_OK));
    CHECK(result == RISE_OK || (error.result == result && error.text[0] == '\0'));
    return result;
}
/* Destroys the agent, and checks that the CANARY bytes before and after its block are unchanged. */
static void guarded_close(guarded *g)
{
    size_t i;
    int wrong = 0;
    if (g->agent != NULL) g->build->destroy(g->agent);
    for (i = 0; i < CANARY; i++)
        wrong += g->room[i] != CANARY_BYTE || g->room[CANARY + g->bytes + i] != CANARY_BYTE;
    CHECK(wrong == 0);
    free(g->room);
}

/* ---------------------------------------------------------------------------------------------- */
/* Agents play side by side */

/* What all agents see. */
typedef struct sight {
    uint32_t dice;
    uint8_t *frames;
    float numbers[PLAYERS * 1024], rewards[PLAYERS];
    uint8_t allowed[PLAYERS * 256];
    rise_event events[PLAYERS];
} sight;

static int sight_byte(sight *s)
{
    s->dice = s->dice * 1664525u + 1013904223u;
    return (int)(s->dice >> 24);
}
/* Draws an observation of each player. Episodes of both players begin every 11 steps. Player 1 is
   absent once in each 11 steps. */
static void sight_draw(sight *s, const rise_agent_desc *d, int step)
{
    int const pixels = d->frame_width * d->frame_height * d->frame_channels;
    int i;
    for (i = 0; i < PLAYERS * pixels; i++) s->frames[i] = (uint8_t)sight_byte(s);
    for (i = 0; i < PLAYERS * d->numbers; i++) s->numbers[i] = (float)sight_byte(s) / 64 - 2;
    for (i = 0; i < PLAYERS * d->actions; i++) s->allowed[i] = (uint8_t)(sight_byte(s) & 128);
    for (i = 0; i < PLAYERS; i++) {
        s->allowed[i * d->actions + step % d->actions] = 1;
        s->rewards[i] = (float)sight_byte(s) / 64 - 2;
        s->events[i] = step % 11 == 0                 ? RISE_FIRST
                       : step % 11 == 10 && step > 11 ? RISE_TERMINATED
                                                      : RISE_MIDDLE;
    }
    if (step % 11 == 5) s->events[1] = RISE_ABSENT;
}
/* Plays a step: all players in one call, or one after another. */
static void sight_show(const sight *s, const player_build *b, rise_agent *a, int step, int *actions)
{
    const rise_agent_desc *const d = b->query(a);
    const uint8_t *const frames = d->frame_width > 0 ? s->frames : NULL;
    const float *const numbers = d->numbers > 0 ? s->numbers : NULL;
    const uint8_t *const allowed = step % 2 == 1 ? s->allowed : NULL;
    int const pixels = d->frame_width * d->frame_height * d->frame_channels;
    int i;
    if (step % 3 == 0) {
        CHECK(b->play_all(a, frames, numbers, s->rewards, s->events, allowed, actions) == RISE_OK);
        return;
    }
    for (i = 0; i < PLAYERS; i++)
        actions[i] = b->play_numbers(a, i, frames != NULL ? frames + i * pixels : NULL,
                                     numbers != NULL ? numbers + i * d->numbers : NULL,
                                     s->rewards[i], s->events[i],
                                     allowed != NULL ? allowed + i * d->actions : NULL);
}
/* Returns whether Q is the same bit for bit if both builds have fused kernels; otherwise, whether
   it is close. The largest differences seen are 2e-6, and 6e-6 with 8-bit weights. There an input
   of a layer is rounded to one of up to 32767 whole numbers, and may be rounded to the next one. */
static int same_values(const rise_real *x, const rise_real *y, int count, int exact, int bits)
{
    double const limit = bits == 8 ? 1e-4 : 2e-5;
    int i;
    if (x == NULL || y == NULL) return 0;
    if (exact) return same_reals(x, y, (size_t)count);
    for (i = 0; i < count; i++)
        if (!(fabs((double)x[i] - (double)y[i]) <= limit * (1 + fabs((double)y[i])))) return 0;
    return 1;
}
/* An agent of the whole library and one of another build play the same episodes. */
static void play_side_by_side(rise_agent *a, const guarded *g)
{
    static sight s;
    const rise_agent_desc *const d = rise_agent_query(a);
    size_t const pixels = (size_t)(d->frame_width * d->frame_height * d->frame_channels);
    rise_metrics m, n;
    int step, i, exact, wrong = 0, other = 0;
    s.frames = (uint8_t *)malloc(PLAYERS * pixels + 1);
    s.dice = 5;
    if (s.frames == NULL) exit(1);
    rise_agent_metrics(a, &m);
    g->build->metrics(g->agent, &n);
    CHECK(m.parameters == n.parameters && n.bytes == g->bytes);
    exact = m.fused && n.fused;
    for (step = 0; step < STEPS; step++) {
        int actions[PLAYERS], own[PLAYERS];
        sight_draw(&s, d, step);
        sight_show(&s, &whole, a, step, own);
        sight_show(&s, g->build, g->agent, step, actions);
        for (i = 0; i < PLAYERS; i++) {
            wrong += !same_values(g->build->values(g->agent, i), rise_agent_values(a, i),
                                  d->actions, exact, d->weight_bits);
            other += actions[i] != own[i];
        }
    }
    CHECK(wrong == 0);
    CHECK(other == 0 || !exact);
    free(s.frames);
}
/* Opens a file in each build but player_small, and plays beside an agent of the whole library. */
static void plays_everywhere(const buffer *b, size_t offset)
{
    placed const p = placed_at(b, offset);
    rise_agent_desc const machine = player_machine(PLAYERS);
    rise_error error = {RISE_OK, ""};
    rise_agent *a = NULL;
    char about[300];
    int i;
    snprintf(about, sizeof about, "%.200s, offset %d", check_state.about, (int)offset);
    for (i = 0; i < BUILDS; i++) {
        rise_result result;
        guarded g;
        if (build(i) == NULL || build(i) == &player_small) continue;
        check_about("%s in %s", about, build(i)->name);
        if (!CHECK(rise_agent_open(&a, p.data, b->size, &machine, &error) == RISE_OK))
            printf("    %s\n", error.text);
        result = guarded_open(&g, build(i), p.data, b->size, PLAYERS);
        if (CHECK(result == RISE_OK) && a != NULL) {
            rise_metrics m;
            rise_agent_metrics(a, &m);
            CHECK(m.bytes == rise_agent_open_bytes(p.data, b->size, &machine, NULL));
            CHECK(g.bytes <= m.bytes);
            CHECK((build(i)->query(g.agent)->weights != NULL) ==
                  (rise_agent_query(a)->weights != NULL));
            play_side_by_side(a, &g);
        } else {
            printf("    result %d: %s\n", (int)result, check_state.about);
        }
        guarded_close(&g);
        rise_agent_destroy(a);
    }
    CHECK(memcmp(p.data, b->data, b->size) == 0);
    free(p.room);
}

/* Every memory, cell, head, fusion and frozen encoder but ResNet-18, and fields such as -3.1, which
   no float equals. */
static const char *const kinds_of_agents[] = {
    "memory=rise",
    "memory=rise cell=gru carry_state=1",
    "memory=rise cell=mingru fusion=gate",
    "memory=rise cell=lstm fusion=sum feed_action=1 carry_state=1",
    "memory=full cell=gru stored residual",
    "memory=full cell=mingru panels",
    "memory=full cell=lstm wide layer_norm=1",
    "memory=none",
    "memory=none plain",
    "memory=none blind head=iqn",
    "memory=rise blind feed_action=1 cell=gru",
    "memory=rise numbers=3 number_features=2 action_masks=1 feed_action=1",
    "memory=none numbers=3 number_features=4 pool",
    "memory=none head=c51 noisy=1 panels",
    "memory=rise head=c51 value_min=-3.1 value_max=4.7 context_scale=0.3",
    "memory=rise head=iqn noisy=1 munchausen=1",
    "memory=none head=iqn residual spectral_norm=1 wide",
    "memory=rise head=mean noisy=1 spectral_norm=1 impala",
    "memory=none value_rescale=1 frame_channels=2",
    "memory=rise embedding=signs wide",
    "memory=rise embedding=signs pool embedding_f32=1",
    "memory=rise embedding=downsample frame_channels=2",
    "memory=rise embedding=conv pool",
    "memory=rise embedding=gaussian embedding_f32=1",
    "memory=rise embedding=sparse",
    "memory=rise embedding=snapshot snapshot_steps=3 stored burn_in=1",
    "memory=rise embedding=user cell=gru",
    "memory=rise window_samples=3 window=9 raw_frames=1",
    "memory=none raw_frames=1 frame_stack=5",
};
static void agents_play_as_in_the_whole_library(void)
{
    int k, kind;
    for (k = 0; k < COUNT(kinds_of_agents); k += check_share > 1 ? 3 : 1) {
        rise_agent_desc d = described(kinds_of_agents[k]);
        world w;
        if (d.frame_channels == 2) d.frame_width = d.frame_height = 3; /* at most PIXELS bytes */
        w = world_after(d, 60);
        for (kind = 0; kind < KINDS; kind++) {
            buffer b = saved(w.agent, (rise_save)kind);
            check_about("%s, %s", kinds_of_agents[k], kind_names[kind]);
            plays_everywhere(&b, 0);
            check_about("%s, %s", kinds_of_agents[k], kind_names[kind]);
            if (kind_plays(kind)) plays_everywhere(&b, (size_t)(1 + k % 5));
            free(b.data);
        }
        rise_agent_destroy(w.agent);
    }
}
/* A player draws random actions from the same random stream as in the whole library. The stream
   depends on machine.process. */
static void players_explore_as_in_the_whole_library(void)
{
    world w = world_begin("memory=rise cell=gru", 60);
    buffer b = saved(w.agent, RISE_SAVE_POLICY);
    int i, step;
    for (i = 0; i < BUILDS * PROCESSES; i++) {
        rise_agent *a = NULL;
        rise_agent_desc machine;
        guarded g;
        int wrong = 0, random = 0;
        if (build(i / PROCESSES) == NULL) continue;
        player_process = i % PROCESSES;
        machine = player_machine(PLAYERS);
        check_about("%s, process %d", build(i / PROCESSES)->name, player_process);
        CHECK(rise_agent_open(&a, b.data, b.size, &machine, NULL) == RISE_OK);
        CHECK(guarded_open(&g, build(i / PROCESSES), b.data, b.size, PLAYERS) == RISE_OK);
        CHECK(rise_agent_set_player(a, 1, 0.5, 0) == RISE_OK);
        CHECK(g.build->set_player(g.agent, 1, 0.5, 0) == RISE_OK);
        for (step = 0; step < 60; step++) {
            rise_event const event = step % 9 == 0 ? RISE_FIRST : RISE_MIDDLE;
            int const action = rise_agent_play(a, 1, w.frames, 0, event, NULL);
            const rise_real *const q = rise_agent_values(a, 1);
            wrong += g.build->play(g.agent, 1, w.frames, 0, event, NULL) != action;
            random += q[action] < q[0] || q[action] < q[1] || q[action] < q[2];
        }
        CHECK(wrong == 0 && random > 5);
        /* with a temperature, rounding may change a drawn action: only checks that each is drawn */
        CHECK(g.build->set_player(g.agent, 1, 0, 1e6) == RISE_OK);
        for (step = 0, random = 0; step < 60; step++)
            random |= 1 << g.build->play(g.agent, 1, w.frames, 0, RISE_FIRST, NULL);
        CHECK(random == 7);
        guarded_close(&g);
        rise_agent_destroy(a);
    }
    player_process = 0;
    rise_agent_destroy(w.agent);
    free(b.data);
}

/* Each sample file opens and plays as in the whole library. */
static void sample_files_play(void)
{
#if defined(__unix__) || defined(__APPLE__)
    const char *const path = folder_beside("RISE_SAMPLES", "samples");
    DIR *const folder = opendir(path);
    const struct dirent *entry;
    int count = 0;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        static unsigned char bytes[1 << 18];
        buffer b = {bytes, 0, 0, 0, 0};
        char name[1300];
        FILE *file;
        if (strstr(entry->d_name, ".rise") == NULL) continue;
        snprintf(name, sizeof name, "%.1000s/%.280s", path, entry->d_name);
        file = fopen(name, "rb");
        if (!CHECK(file != NULL)) continue;
        b.size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        check_about("%.100s", entry->d_name);
        CHECK(b.size < sizeof bytes);
        plays_everywhere(&b, 0);
        count++;
    }
    if (folder != NULL) closedir(folder);
    check_about("%s", path);
    CHECK(count >= 20);
#else
    check_skip("this is no POSIX system");
#endif
}

/* ---------------------------------------------------------------------------------------------- */
/* Memory, calls and files that are refused */

/* Returns the file of a tiny policy. */
static buffer small_policy(const char *words)
{
    world w = tiny_world(words, 20);
    buffer b = saved(w.agent, RISE_SAVE_POLICY);
    rise_agent_destroy(w.agent);
    return b;
}
static rise_result result_of(const player_build *b, const buffer *file, const rise_agent_desc *m)
{
    rise_error error = {RISE_OK, "x"};
    rise_agent *agent = (rise_agent *)&error;
    rise_result const result = b->open(&agent, file->data, file->size, m, &error);
    CHECK((agent != NULL) == (result == RISE_OK));
    CHECK(result == RISE_OK || (error.result == result && error.text[0] == '\0'));
    if (agent != NULL) b->destroy(agent);
    return result;
}
static void memory_is_known_before(void)
{
    buffer b = small_policy("memory=rise numbers=2 number_features=2");
    int i, players;
    size_t before = 0;
    for (i = 0; i < BUILDS; i++)
        for (players = 0; players < 40 && build(i) != NULL; players += 13) {
            rise_agent_desc m = player_machine(players);
            size_t const bytes = build(i)->open_bytes(b.data, b.size, &m, NULL);
            unsigned char *const block = (unsigned char *)malloc(bytes + 8);
            if (block == NULL) exit(1);
            check_about("%s, %d players", build(i)->name, players);
            CHECK(bytes > 500 && (players == 0 || bytes > before));
            before = bytes;
            CHECK(result_of(build(i), &b, &m) == RISE_NO_MEMORY); /* no memory at all */
            CHECK(result_of(build(i), &b, NULL) == RISE_NO_MEMORY);
            m.memory_bytes = bytes;
            CHECK(result_of(build(i), &b, &m) == RISE_NO_MEMORY);
            m.memory_block = block, m.memory_bytes = 0;
            CHECK(result_of(build(i), &b, &m) == RISE_BAD_DESC);
            m.memory_bytes = 1;
            CHECK(result_of(build(i), &b, &m) == RISE_NO_MEMORY);
            m.memory_bytes = bytes - 1;
            CHECK(result_of(build(i), &b, &m) == RISE_NO_MEMORY);
            m.memory_bytes = bytes;
            CHECK(result_of(build(i), &b, &m) == RISE_OK);
            m.memory_block = block + 7; /* at any address */
            CHECK(result_of(build(i), &b, &m) == RISE_OK);
            m.background = -1; /* no thread, like 0 */
            CHECK(result_of(build(i), &b, &m) == RISE_OK);
            free(block);
            m.players = 5000;
            CHECK(build(i)->open_bytes(b.data, b.size, &m, NULL) == 0);
            m.players = -1;
            CHECK(result_of(build(i), &b, &m) == RISE_BAD_DESC);
        }
    free(b.data);
}
/* rise_agent_open_bytes of the whole library returns the bytes that the opened agent then has. It
   refuses wrong files. */
static void the_whole_library_knows_its_memory(void)
{
    buffer b = small_policy("memory=rise numbers=2 number_features=2");
    rise_agent_desc m = player_machine(3);
    size_t const bytes = rise_agent_open_bytes(b.data, b.size, &m, NULL);
    rise_error error;
    rise_agent *a;
    rise_metrics metrics;
    CHECK(rise_agent_open(&a, b.data, b.size, &m, NULL) == RISE_OK);
    rise_agent_metrics(a, &metrics);
    CHECK(metrics.bytes == bytes && toy_memory.newest == bytes);
    rise_agent_destroy(a);
    CHECK(rise_agent_open_bytes(NULL, b.size, &m, &error) == 0 && error.result == RISE_BAD_CALL);
    CHECK(strstr(error.text, "data is NULL") != NULL);
    CHECK(rise_agent_open_bytes(b.data, 100, &m, &error) == 0 && error.result == RISE_BAD_FILE);
    CHECK(rise_agent_open_bytes(b.data, b.size - 1, &m, &error) == 0);
    m.features = 9;
    CHECK(rise_agent_open_bytes(b.data, b.size, &m, &error) == 0 && error.result == RISE_MISMATCH);
    free(b.data);
}
/* Wrong calls have these results in each build, and an empty message. */
static void wrong_calls_are_refused(void)
{
    buffer b = small_policy("memory=rise numbers=2 number_features=2");
    uint8_t frame[PIXELS] = {0}, none[ACTIONS] = {0};
    float numbers[2] = {1, (float)HUGE_VAL}, good[2] = {1, 2};
    float const rewards[1] = {0};
    rise_event const events[1] = {RISE_MIDDLE};
    int action, i;
    for (i = 0; i < BUILDS; i++) {
        guarded g;
        rise_error error;
        rise_metrics m;
        rise_agent *a;
        const player_build *const p = build(i);
        if (p == NULL) continue;
        check_about("%s", p->name);
        CHECK(guarded_open(&g, p, b.data, b.size, 1) == RISE_OK);
        a = g.agent;
        CHECK(p->values(a, 0) == NULL && p->values(a, 1) == NULL && p->values(NULL, 0) == NULL);
        CHECK(p->play_numbers(a, 0, frame, good, 0, RISE_MIDDLE, NULL) == RISE_BAD_CALL);
        CHECK(p->error(a)->result == RISE_BAD_CALL && p->error(a)->text[0] == '\0');
        CHECK(p->play_numbers(a, 1, frame, good, 0, RISE_FIRST, NULL) == RISE_BAD_CALL);
        CHECK(p->play_numbers(a, -1, frame, good, 0, RISE_FIRST, NULL) == RISE_BAD_CALL);
        CHECK(p->play_numbers(a, 0, NULL, good, 0, RISE_FIRST, NULL) == RISE_BAD_CALL);
        CHECK(p->play_numbers(a, 0, frame, NULL, 0, RISE_FIRST, NULL) == RISE_BAD_CALL);
        CHECK(p->play(a, 0, frame, 0, RISE_FIRST, NULL) == RISE_BAD_CALL);
        CHECK(p->play_numbers(a, 0, frame, numbers, 0, RISE_FIRST, NULL) == RISE_NOT_FINITE);
        CHECK(p->play_numbers(a, 0, frame, good, 0, RISE_FIRST, none) == RISE_BAD_CALL);
        CHECK(p->play_numbers(a, 0, frame, good, 0, (rise_event)9, NULL) == RISE_BAD_CALL);
        CHECK(p->values(a, 0) == NULL);
        CHECK(p->play_numbers(a, 0, frame, good, 0, RISE_FIRST, NULL) >= 0);
        CHECK(p->values(a, 0) != NULL);
        CHECK(p->play_numbers(a, 0, frame, good, numbers[1], RISE_MIDDLE, NULL) ==
              RISE_NOT_FINITE);
        CHECK(p->play_all(a, frame, good, rewards, events, NULL, &action) == RISE_OK);
        CHECK(p->play_all(a, frame, good, rewards, events, NULL, NULL) == RISE_BAD_CALL);
        CHECK(p->play_all(a, NULL, good, rewards, events, NULL, &action) == RISE_BAD_CALL);
        CHECK(p->set_player(a, 0, 2, 0) == RISE_BAD_CALL);
        CHECK(p->set_player(a, 0, 0, -1) == RISE_BAD_CALL);
        CHECK(p->set_player(a, 1, 0, 0) == RISE_BAD_CALL);
        CHECK(p->set_player(NULL, 0, 0, 0) == RISE_BAD_CALL);
        CHECK(p->play(NULL, 0, frame, 0, RISE_FIRST, NULL) == RISE_BAD_CALL);
        CHECK(p->open(NULL, b.data, b.size, NULL, &error) == RISE_BAD_CALL);
        CHECK(p->open(&a, NULL, b.size, NULL, &error) == RISE_BAD_CALL && a == NULL);
        CHECK(p->open_bytes(NULL, b.size, NULL, &error) == 0 && error.result == RISE_BAD_CALL);
        CHECK(p->query(NULL) == NULL && p->error(NULL)->result == RISE_BAD_CALL);
        p->metrics(NULL, &m), p->destroy(NULL);
        CHECK(strcmp(p->version(), rise_version()) == 0);
        CHECK(strcmp(p->result_text(RISE_NO_MEMORY), rise_result_text(RISE_NO_MEMORY)) == 0);
        CHECK(p->kernels(RISE_ISA_AUTO) != NULL && p->kernels(RISE_ISA_REF) == NULL);
        guarded_close(&g);
    }
    free(b.data);
}
/* rise_agent_read copies the weights, and returns RISE_IO if the callback fails. */
static void policies_are_read_through_a_callback(void)
{
    buffer b = small_policy("memory=full cell=gru"), cut;
    int i;
    for (i = 0; i < BUILDS; i++) {
        rise_agent_desc m = player_machine(1);
        rise_agent *a, *own;
        size_t const bytes = 1 << 18;
        uint8_t frame[PIXELS] = {1, 2, 3};
        unsigned char *block;
        if (build(i) == NULL) continue;
        block = (unsigned char *)malloc(bytes);
        if (block == NULL) exit(1);
        check_about("%s", build(i)->name);
        m.memory_block = block, m.memory_bytes = bytes;
        b.at = 0;
        CHECK(build(i)->read(&a, buffer_read, &b, b.size, &m, NULL) == RISE_OK && b.at == b.size);
        CHECK(build(i)->query(a)->weights == NULL);
        m.memory_block = NULL;
        CHECK(rise_agent_open(&own, b.data, b.size, &m, NULL) == RISE_OK);
        rise_agent_play(own, 0, frame, 0, RISE_FIRST, NULL);
        build(i)->play(a, 0, frame, 0, RISE_FIRST, NULL);
        CHECK(same_values(build(i)->values(a, 0), rise_agent_values(own, 0), ACTIONS,
                          rise_kernels_of(RISE_ISA_AUTO)->fused &&
                              build(i)->kernels(RISE_ISA_AUTO)->fused, 32));
        build(i)->destroy(a), rise_agent_destroy(own);
        m.memory_block = block;
        cut = copy_of(&b, b.size - 9);
        CHECK(build(i)->read(&a, buffer_read, &cut, b.size, &m, NULL) == RISE_IO && a == NULL);
        free(cut.data);
        CHECK(build(i)->read(&a, NULL, &b, b.size, &m, NULL) == RISE_BAD_CALL && a == NULL);
        free(block);
    }
    free(b.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* Hostile files */

/* Opens a file, and plays if it opens. Returns the result. */
static rise_result try_file(const player_build *b, const buffer *file)
{
    guarded g;
    rise_result const result = guarded_open(&g, b, file->data, file->size, 1);
    if (result == RISE_OK) {
        const rise_agent_desc *const d = b->query(g.agent);
        size_t const pixels = (size_t)(d->frame_width * d->frame_height * d->frame_channels);
        uint8_t *const frame = (uint8_t *)calloc(pixels + 1, 1);
        float *const numbers = (float *)calloc((size_t)d->numbers + 1, sizeof *numbers);
        int step;
        if (frame == NULL || numbers == NULL) exit(1);
        for (step = 0; step < 3; step++) {
            int const action =
                b->play_numbers(g.agent, 0, pixels > 0 ? frame : NULL,
                                d->numbers > 0 ? numbers : NULL, 0,
                                step == 0 ? RISE_FIRST : RISE_MIDDLE, NULL);
            CHECK(action >= 0 ? action < d->actions : action == RISE_NOT_FINITE);
        }
        free(frame), free(numbers);
    }
    guarded_close(&g);
    return result;
}
static rise_result try_text(const player_build *p, const buffer *b, const char *text)
{
    buffer c = with_description(b, text, strlen(text));
    rise_result const result = try_file(p, &c);
    free(c.data);
    return result;
}
/* Opens the file after the line of `field` was replaced by `line`, or deleted if `line` is "". */
static rise_result try_line(const player_build *p, const buffer *b, const char *field,
                            const char *line)
{
    buffer c = with_line(b, field, line);
    rise_result const result = try_file(p, &c);
    free(c.data);
    return result;
}
static void short_and_damaged_files_are_refused(void)
{
    static const char *const words[] = {"memory=none", "memory=rise cell=gru numbers=2",
                                        "memory=rise head=c51 noisy=1 embedding=conv"};
    int i, k;
    size_t at, bit;
    for (k = 0; k < COUNT(words); k++) {
        buffer b = small_policy(words[k]);
        const player_build *const p = build(k % 2);
        check_about("%s", words[k]);
        CHECK(try_file(p, &b) == RISE_OK);
        for (at = 0; at < b.size; at += check_share) {
            buffer cut = copy_of(&b, at);
            CHECK(try_file(p, &cut) < RISE_OK);
            if (at >= 24) put(&cut, 16, 8, at), fix_sums(&cut); /* a file of this size */
            CHECK(try_file(p, &cut) < RISE_OK);
            free(cut.data);
        }
        for (bit = 0; bit < 8 * b.size; bit += (size_t)(k == 0 ? 3 : 11) * check_share) {
            unsigned char const flip = (unsigned char)(1u << bit % 8);
            buffer damaged = copy_of(&b, b.size);
            check_about("%s, bit %d", words[k], (int)bit);
            damaged.data[bit / 8] ^= flip;
            CHECK(try_file(p, &damaged) < RISE_OK);
            fix_sums(&damaged); /* with correct checksums, the file may be valid */
            for (i = 0; i < 2; i++) try_file(build(i), &damaged);
            free(damaged.data);
        }
        free(b.data);
    }
}
/* Files hold resolved descriptions. Only the whole library computes fields that are 0. A player
   refuses fields that are 0, out of range, not a number or missing. */
static void unresolved_fields_are_refused(void)
{
    static const struct {
        const char *field, *line;
    } zeros[] = {{"features", "features=0\n"},           {"pool_to", "pool_to=0\n"},
                 {"embedding", "embedding=auto\n"},      {"frame_width", "frame_width=0\n"},
                 {"frame_stack", "frame_stack=0\n"},     {"actions", "actions=0\n"},
                 {"head_units", "head_units=0\n"},       {"recurrent_units", "recurrent_units=0\n"},
                 {"embedding_size", "embedding_size=0\n"}, {"conv_count", "conv_count=0\n"},
                 {"conv[0].filters", "conv[0].filters=0\n"}, {"window", "window=0\n"},
                 {"frame_channels", "frame_channels=0\n"}, {"context_scale", "context_scale=0\n"},
                 {"players", "players=0\n"},             {"embedding_pool", "embedding_pool=0\n"},
                 {"number_features", "number_features=0\n"},
                 {"value_max", "value_max=-10\n"},
                 {"memory", "memory=\n"},                {"cell", "cell=rnn\n"},
                 {"cell", "cell=auto\n"},                {"network_width", "network_width=0\n"},
                 {"conv[0].stride", "conv[0].stride=0\n"}, {"atoms", "atoms=0\n"},
                 {"conv[0].size", "conv[0].size=0\n"},  {"quantiles", "quantiles=0\n"},
                 {"numbers", "numbers=1e99\n"},          {"features", "features=nan\n"},
                 {"features", "features=2.5\n"},         {"seed", "seed=-1\n"},
                 {"value_min", "value_min=inf\n"},       {"value_min", "value_min=1e400\n"}};
    buffer b = small_policy("memory=rise numbers=2 number_features=2");
    int i, k;
    for (i = 0; i < 2; i++)
        for (k = 0; k < COUNT(zeros); k++) {
            check_about("%s, %s", build(i)->name, zeros[k].line);
            CHECK(try_line(build(i), &b, zeros[k].field, zeros[k].line) < RISE_OK);
            CHECK(try_line(build(i), &b, zeros[k].field, "") == RISE_BAD_FILE);
        }
    check_about("results");
    CHECK(try_line(build(0), &b, "features", "features=0\n") == RISE_BAD_DESC);
    CHECK(try_line(build(0), &b, "pool_to", "pool_to=0\n") == RISE_BAD_DESC);
    CHECK(try_line(build(0), &b, "embedding", "embedding=auto\n") == RISE_BAD_DESC);
    CHECK(try_line(build(0), &b, "features", "features=3\n") == RISE_BAD_FILE);
    CHECK(try_line(build(0), &b, "features", "features=8192\nplay") == RISE_BAD_FILE);
    free(b.data);
}
/* A forged file of frames without conv layers is refused, also if the network is not CUSTOM. With
   8-bit weights, the linear layer of its 0 inputs would divide by 0. */
static void frames_without_convs_are_refused(void)
{
    int i, kind;
    for (kind = RISE_SAVE_POLICY; kind < KINDS; kind++) {
        world w = world_begin("memory=none network=small", 50);
        buffer b = saved(w.agent, (rise_save)kind);
        for (i = 0; i < 2; i++)
            CHECK(try_line(build(i), &b, "conv_count", "conv_count=0\n") == RISE_BAD_DESC);
        rise_agent_destroy(w.agent);
        free(b.data);
    }
}
/* A player does not know fields that only learning reads. It refuses unknown fields of a newer
   revision. */
static void unknown_fields_follow_the_revision(void)
{
    buffer b = small_policy("memory=rise");
    char line[80];
    int i;
    for (i = 0; i < 2; i++) {
        const player_build *const p = build(i);
        check_about("%s", p->name);
        CHECK(try_line(p, &b, "n_step", "") == RISE_OK);
        CHECK(try_line(p, &b, "n_step", "n_step=x\n") == RISE_OK);
        CHECK(try_line(p, &b, "n_step", "warp_factor=9\n") == RISE_OK);
        CHECK(try_line(p, &b, "n_step", "?warp_factor=9\n") == RISE_OK);
        CHECK(try_line(p, &b, "n_step", "?features=2\n") == RISE_BAD_FILE); /* twice */
        CHECK(try_line(p, &b, "n_step", "warp_factor\n") == RISE_BAD_FILE);
        CHECK(try_line(p, &b, "seed", "seed=18446744073709551615\n") == RISE_OK);
        CHECK(try_line(p, &b, "seed", "seed=18446744073709551616\n") == RISE_BAD_FILE);
        CHECK(try_line(p, &b, "description", "description=0\n") == RISE_BAD_FILE);
        CHECK(try_line(p, &b, "description", "description=1e3\n") == RISE_BAD_FILE);
        CHECK(try_line(p, &b, "description", "") == RISE_BAD_FILE);
        snprintf(line, sizeof line, "description=%d\n?warp_factor=9\n",
                 RISEI_DESCRIPTION_REVISION + 1);
        CHECK(try_line(p, &b, "description", line) == RISE_NEWER_FILE); /* it has n_step */
        snprintf(line, sizeof line, "description=%d\nwarp_factor=9\n",
                 RISEI_DESCRIPTION_REVISION + 1);
        CHECK(try_line(p, &b, "description", line) == RISE_NEWER_FILE);
        CHECK(try_text(p, &b, "") == RISE_BAD_FILE);
        CHECK(try_text(p, &b, "description=1") == RISE_BAD_FILE);
        CHECK(try_text(p, &b, "description=1\n") == RISE_BAD_FILE);
    }
    free(b.data);
}
/* A file of a newer version of the format is refused as RISE_NEWER_FILE. */
static void newer_formats_are_refused(void)
{
    buffer b = small_policy("memory=none");
    put(&b, 8, 4, RISEI_FILE_VERSION + 1);
    fix_sums(&b);
    CHECK(try_file(build(0), &b) == RISE_NEWER_FILE);
    put(&b, 8, 4, RISEI_FILE_VERSION - 1);
    fix_sums(&b);
    CHECK(try_file(build(0), &b) < RISE_OK);
    free(b.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* What builds leave out */

static const struct {
    const char *words, *sentence; /* NULL: every build has it; "": any sentence */
} parts[] = {
    {"memory=rise", NULL},
    {"memory=rise embedding=downsample", NULL},
    {"memory=none blind", NULL},
    {"memory=full", NULL},
    {"memory=none head=c51", "c51 is set, which RISE_NO_RAINBOW leaves out; compile without it"},
    {"memory=none head=iqn", "iqn is set, which RISE_NO_RAINBOW leaves out; compile without it"},
    {"memory=none noisy=1", "noisy is set, which RISE_NO_RAINBOW leaves out; compile without it"},
    {"memory=none spectral_norm=1",
     "spectral_norm is set, which RISE_NO_RAINBOW leaves out; compile without it"},
    {"memory=rise embedding=conv",
     "embedding is conv, which RISE_NO_ENCODERS leaves out; compile without it"},
    {"memory=rise embedding=gaussian",
     "embedding is gaussian, which RISE_NO_ENCODERS leaves out; compile without it"},
    {"memory=rise embedding=sparse",
     "embedding is sparse, which RISE_NO_ENCODERS leaves out; compile without it"},
    {"memory=rise embedding=snapshot snapshot_steps=9",
     "embedding is snapshot, which RISE_NO_ENCODERS leaves out; compile without it"},
    {"memory=rise embedding=user",
     "embedding is user, which RISE_NO_ENCODERS leaves out; compile without it"},
    {"memory=rise embedding=resnet18", ""}};

/* Agents that need what a build leaves out are refused with RISE_UNAVAILABLE. */
static void what_is_left_out_is_refused(void)
{
    int k;
    for (k = 0; k < COUNT(parts); k++) {
        buffer b;
        world w;
        check_about("%s", parts[k].words);
        if (strstr(parts[k].words, "resnet18") != NULL) {
            b = small_policy("memory=rise embedding=conv embedding_size=512");
            CHECK(try_line(build(0), &b, "embedding", "embedding=resnet18\n") == RISE_UNAVAILABLE);
            CHECK(try_line(build(2), &b, "embedding", "embedding=resnet18\n") == RISE_UNAVAILABLE);
            free(b.data);
            continue;
        }
        w = world_begin(parts[k].words, 50);
        b = saved(w.agent, RISE_SAVE_POLICY);
        CHECK(try_file(&player_small, &b) ==
              (parts[k].sentence == NULL ? RISE_OK : RISE_UNAVAILABLE));
        CHECK(try_file(&player_plain, &b) == RISE_OK);
        if (parts[k].sentence == NULL) {
            rise_agent_desc const machine = player_machine(PLAYERS);
            rise_agent *a = NULL;
            guarded g;
            CHECK(rise_agent_open(&a, b.data, b.size, &machine, NULL) == RISE_OK);
            CHECK(guarded_open(&g, &player_small, b.data, b.size, PLAYERS) == RISE_OK);
            play_side_by_side(a, &g);
            guarded_close(&g);
            rise_agent_destroy(a);
        }
        rise_agent_destroy(w.agent);
        free(b.data);
    }
}
/* The whole library without these parts refuses with a sentence. */
static void sentences_name_the_macro(void)
{
    int k;
    for (k = 0; k < COUNT(parts); k++) {
        rise_agent_desc d;
        rise_error error = {RISE_OK, ""};
        rise_agent *a = NULL;
        rise_result result;
        d = described(parts[k].words);
        if (d.embedding == RISE_EMBED_RESNET18) d.embedding_size = 512, d.embedding_file = "x";
        check_about("%s", parts[k].words);
        result = player_learns.create(&a, &d, &error);
        if (parts[k].sentence == NULL) {
            CHECK(result == RISE_OK && a != NULL);
            player_learns.destroy(a);
            continue;
        }
        CHECK(result == RISE_UNAVAILABLE && error.result == RISE_UNAVAILABLE && a == NULL);
        if (!CHECK(parts[k].sentence[0] == '\0' ? error.text[0] != '\0'
                                                : strcmp(error.text, parts[k].sentence) == 0))
            printf("    %s\n", error.text);
    }
}
/* rise_self_test also tests a build that leaves parts out. */
static void the_self_test_passes_without_them(void)
{
    rise_error error = {RISE_OK, ""};
    if (!CHECK(player_learns.self_test(RISE_ISA_AUTO, &error) == RISE_OK))
        printf("    %s\n", error.text);
}
/* A player reads the doubles that strtod reads or, without Rainbow, these doubles rounded to
   floats. */
static void numbers_are_read_as_by_strtod(void)
{
#ifdef _WIN32
    check_skip("this strtod is not exact");
#else
    risei_random dice = risei_random_stream(16, 1);
    int i, floats = 0;
    for (i = 0; i < 100000 / check_share; i++) {
        char text[NUMBER_TEXT];
        double right = 0, plain = 77, small = 77;
        int reads;
        number_text(i, &dice, text);
        reads = number_right(text, &right);
        check_about("\"%s\"", text);
        CHECK(player_plain.number(text, &plain) == reads);
        if (reads) CHECK(memcmp(&plain, &right, sizeof plain) == 0);
        /* fields are smaller than 1e13 and, if not 0, larger than 1e-13 */
        if (!reads || fabs(right) > 3e38 || (fabs(right) < 2e-38 && fabs(right) > 0)) continue;
        floats++;
        CHECK(player_small.number(text, &small));
        right = (double)(float)right;
        CHECK(memcmp(&small, &right, sizeof small) == 0);
    }
    check_about("%d floats", floats);
    CHECK(floats > 40000 / check_share);
#endif
}
/* rise_frame_shrink of each build makes the frame of the whole library. */
static void pictures_are_shrunk_in_the_same_way(void)
{
    static uint8_t picture[40 * 30 * 3], frame[2][9 * 8 * 3];
    rise_picture pixels;
    int i, k;
    for (k = 0; k < (int)sizeof picture; k++) picture[k] = (uint8_t)(k * k * 7);
    memset(&pixels, 0, sizeof pixels);
    pixels.pixels = picture, pixels.width = 40, pixels.height = 30;
    for (i = 0; i < BUILDS; i++) {
        if (build(i) == NULL) continue;
        CHECK(rise_frame_shrink(NULL, &pixels, frame[0], 9, 8, 3, NULL) == RISE_OK);
        CHECK(build(i)->shrink(NULL, &pixels, frame[1], 9, 8, 3, NULL) == RISE_OK);
        CHECK(memcmp(frame[0], frame[1], sizeof frame[0]) == 0);
        CHECK(build(i)->shrink(NULL, &pixels, frame[1], 0, 8, 3, NULL) == RISE_BAD_CALL);
    }
}

static const check_test tests[] = {
    TEST(agents_play_as_in_the_whole_library),
    TEST(players_explore_as_in_the_whole_library),
    TEST(sample_files_play),
    TEST(memory_is_known_before),
    TEST(the_whole_library_knows_its_memory),
    TEST(wrong_calls_are_refused),
    TEST(policies_are_read_through_a_callback),
    TEST(short_and_damaged_files_are_refused),
    TEST(unresolved_fields_are_refused),
    TEST(frames_without_convs_are_refused),
    TEST(unknown_fields_follow_the_revision),
    TEST(newer_formats_are_refused),
    TEST(what_is_left_out_is_refused),
    TEST(sentences_name_the_macro),
    TEST(the_self_test_passes_without_them),
    TEST(numbers_are_read_as_by_strtod),
    TEST(pictures_are_shrunk_in_the_same_way),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
