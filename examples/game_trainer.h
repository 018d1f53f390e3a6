/* Training on the small games of games.h: the settings for each game, an agent in training with the
   games that it plays, and its score. memory.c, memory_gif.c, cluster.c, web/web.c and benchmarks
   use this file. */
#ifndef GAME_TRAINER_H
#define GAME_TRAINER_H

#include "demonstrations.h" /* first: defines _DEFAULT_SOURCE */
#include "game_episode.h"

#include <math.h>

/* Settings that differ from game to game. trainer_desc sets all others. */
typedef struct recipe {
    /* Steps of training, if --steps is not given. From step learn_start on, the share of random
       actions falls during steps / 2 steps, and the learning rate during `steps` steps. */
    int steps;
    int show_steps;     /* steps of training when memory.c compares all three agents */
    int evaluate_every; /* steps */
    /* Frames that the recurrent net is unrolled over. 0: the steps of the longest episode. Then
       acting with carry_state and learning compute the same recurrent state from the same
       weights. */
    int window;
    int n_step;      /* 0: the library's default */
    int feed_action; /* 1: last action and reward enter the recurrent net: blank frames hide both */
} recipe;

static inline const recipe *recipe_of(game_kind kind)
{
    static const recipe recipes[GAME_KINDS] = {
        /* blink */ {20000, 10000, 1000, 0, 0, 0},
        /* corridor */ {80000, 30000, 1000, 0, 0, 0},
        /* lock-catch */ {120000, 80000, 2000, 0, 0, 0},
        /* catch */ {120000, 20000, 1000, 0, 0, 0},
        /* key-door */ {60000, 30000, 1000, 0, 0, 0},
        /* pairs */ {200000, 60000, 10000, 0, 0, 0},
        /* pong-75 */ {400000, 100000, 10000, 20, 6, 1},
        /* pong-50 */ {400000, 100000, 10000, 20, 6, 1},
        /* pong */ {100000, 60000, 5000, 20, 6, 0},
        /* open-blink */ {20000, 10000, 1000, 0, 0, 0},
        /* open-corridor */ {60000, 20000, 1000, 0, 0, 0},
        /* open-key-door */ {60000, 30000, 1000, 0, 0, 0},
        /* open-pairs */ {200000, 60000, 10000, 0, 0, 0},
    };
    return &recipes[kind];
}

enum {
    TRAINER_GAMES = 8,     /* environments of the agent in training */
    TRAINER_LANES = TRAINER_GAMES + 1, /* with demonstrations: the last is the demonstrator */
    TRAINER_TAUGHT = 3000, /* updates from demonstrations alone, before the agent acts */
    TRAINER_FEATURES = 64, /* half the default: enough for these games, and faster */
    /* characters of rise_agent_play: */
    EVALUATED = 0, /* plays the evaluations */
    SHOWN = 1,     /* plays the episodes that are shown */
    PLAYERS = 2
};

/* An agent in training and the games that it plays. */
typedef struct trainer {
    rise_agent *agent;
    game games[TRAINER_GAMES];
    uint8_t frames[TRAINER_LANES * GAME_SIDE * GAME_SIDE];
    float rewards[TRAINER_LANES];
    rise_event events[TRAINER_LANES];
    int actions[TRAINER_LANES];
} trainer;

/* Changes the description for enlarged frames. The library's network for frames of 84 x 84 learns
   in millions of steps, and one update of NONE takes 38 ms. This network has two conv layers and a
   dense layer, and one update of NONE takes 6 ms (RISE: bench/README.md). With padding, the first
   layer covers every pixel of 84 x 84 and of 42 x 42 pixels, and gives 14 x 14 positions. The heads
   and the recurrent state are smaller than the library's for large frames. Fields that depend on
   the number of steps have the values that the library uses for small frames. All other fields keep
   the values of trainer_desc and the defaults for large frames. */
static inline void trainer_enlarge(rise_agent_desc *d, const game *g)
{
    d->network = RISE_NETWORK_CUSTOM;
    d->conv_count = 2;
    d->conv[0].filters = 16, d->conv[0].size = g->side / 10;
    d->conv[0].stride = g->side / 14, d->conv[0].pad = g->side / 42;
    d->conv[1].filters = 32, d->conv[1].size = 4, d->conv[1].stride = 2;
    d->features = d->head_units = 128;
    d->recurrent_units = 64;
    d->learning_rate = 1e-3;
    d->target_period = 100;
    d->learn_start = 1000;
    d->replay_capacity = 50000;
    d->epsilon_end = 0.05;
}

/* Returns the description of an agent that learns `g` in `steps` steps. */
static inline rise_agent_desc trainer_desc(const game *g, double steps, int seed)
{
    const recipe *const how = recipe_of(g->kind);
    rise_agent_desc d;
    memset(&d, 0, sizeof d); /* a field that stays 0 gets its default */
    d.frame_width = game_width(g);
    d.frame_height = game_height(g);
    d.frame_stack = GAME_STACK;
    d.actions = g->spec->actions;
    d.environments = TRAINER_GAMES;
    d.players = PLAYERS;
    d.window = how->window > 0 ? how->window : game_longest(g);
    d.n_step = how->n_step;
    d.feed_action = how->feed_action;
    d.carry_state = 1;
    d.features = TRAINER_FEATURES;
    d.epsilon_steps = (int)fmin(steps / 2, 1e9); /* 1e9 is the most that the fields allow */
    d.learning_rate_steps = (int)fmin(steps, 1e9);
    d.seed = (uint64_t)seed;
    if (g->side > 0) trainer_enlarge(&d, g);
    return d;
}

/* Changes the description of an agent that learns from demonstrations first. The demonstrator has
   1 / environments of the replay buffer, and all demonstrations must fit there. bench/teach.md has
   the measurements. */
static inline void trainer_desc_taught(rise_agent_desc *d, const demonstrations *shown)
{
    double const frames = ((double)shown->steps + shown->count) * (double)TRAINER_LANES;
    d->environments = TRAINER_LANES;
    d->demonstrators = 1;
    d->epsilon_start = 0.3; /* default 1; random actions show which demonstrations are wrong */
    d->demonstration_weight = 0.3;
    d->priority_exponent = -1;
    d->learn_start = shown->steps > 100 ? (int)shown->steps : 100;
    if (frames > 50000) d->replay_capacity = (int)(frames < 1e9 ? frames : 1e9);
}

/* Creates the agent and its games. The games are like `g`, but their episodes depend on desc->seed.
   Returns the result of rise_agent_create. */
static inline rise_result trainer_begin(trainer *t, const game *g, const rise_agent_desc *desc,
                                        rise_error *error)
{
    int i;
    for (i = 0; i < TRAINER_GAMES; i++) {
        game_init(&t->games[i], g->kind, g->length, desc->seed * TRAINER_GAMES + (uint64_t)i);
        t->games[i].side = g->side;
        t->events[i] = RISE_FIRST;
        t->rewards[i] = 0;
    }
    t->rewards[TRAINER_GAMES] = 0;
    t->events[TRAINER_GAMES] = RISE_ABSENT; /* ignored without a demonstrator */
    return rise_agent_create(&t->agent, desc, error);
}

/* Passes one step of a demonstration to the agent, while its own games are absent. */
static inline rise_result trainer_demonstrate_step(trainer *t, const game *g, float reward,
                                                   rise_event event, int action)
{
    int const pixels = game_width(g) * game_height(g);
    game_view(g, t->frames + TRAINER_GAMES * pixels);
    t->rewards[TRAINER_GAMES] = reward;
    t->events[TRAINER_GAMES] = event;
    t->actions[TRAINER_GAMES] = action;
    return rise_agent_observe(t->agent, t->frames, NULL, t->rewards, t->events, NULL, t->actions);
}

/* Passes all demonstrations to the agent, before its own first step. Then the agent learns from
   them. The agent must have the description of trainer_desc_taught. Returns 0 if the agent
   failed. */
static inline int trainer_demonstrate(trainer *t, const demonstrations *shown)
{
    rise_result result = RISE_OK;
    game g = t->games[0];
    int i, k;
    for (i = 0; i < TRAINER_GAMES; i++) t->events[i] = RISE_ABSENT;
    for (i = 0; i < shown->count && result == RISE_OK; i++) {
        const demonstration *const e = &shown->episodes[i];
        float reward = 0;
        game_start(&g, e->start);
        for (k = 0; k < e->steps && result == RISE_OK; k++) {
            int const action = shown->actions[e->first + (size_t)k];
            result = trainer_demonstrate_step(t, &g, reward, k == 0 ? RISE_FIRST : RISE_MIDDLE,
                                              action);
            reward = game_step(&g, action);
        }
        if (result == RISE_OK)
            result = trainer_demonstrate_step(t, &g, reward,
                                              g.cut ? RISE_TRUNCATED : RISE_TERMINATED, 0);
    }
    for (i = 0; i < TRAINER_TAUGHT && result == RISE_OK; i++) result = rise_agent_learn(t->agent);
    for (i = 0; i < TRAINER_GAMES; i++) t->events[i] = RISE_FIRST;
    t->events[TRAINER_GAMES] = RISE_ABSENT;
    return result == RISE_OK;
}

/* Does one step of all games; the agent chooses the actions and learns. A game that is over passes
   its last frame to the agent, and begins a new episode instead of a step. Returns the number of
   games that took a step; -1 if the agent failed. */
static inline int trainer_tick(trainer *t)
{
    int const pixels = game_width(&t->games[0]) * game_height(&t->games[0]);
    int i, steps = 0;
    for (i = 0; i < TRAINER_GAMES; i++) game_view(&t->games[i], t->frames + i * pixels);
    if (rise_agent_step_all(t->agent, t->frames, NULL, t->rewards, t->events, NULL, t->actions) !=
        RISE_OK)
        return -1;
    for (i = 0; i < TRAINER_GAMES; i++) {
        if (t->games[i].done) {
            game_reset(&t->games[i]);
            t->events[i] = RISE_FIRST;
        } else {
            t->rewards[i] = game_step(&t->games[i], t->actions[i]);
            t->events[i] = !t->games[i].done ? RISE_MIDDLE
                           : t->games[i].cut ? RISE_TRUNCATED
                                             : RISE_TERMINATED;
            steps++;
        }
    }
    return steps;
}

/* Returns the mean score of the greedy agent over the game's `starts`, each played once. The mean
   is rounded to a millionth, because the rewards are floats with rounding errors. So if the game is
   not sampled, the mean is exact, and a perfect agent scores exactly spec->best. */
static inline double trainer_score(rise_agent *agent, const game *g)
{
    double sum = 0;
    int start;
    episode e;
    e.state = *g;
    for (start = 0; start < g->spec->starts; start++) {
        episode_begin(&e, start);
        while (episode_step(&e, agent, EVALUATED)) continue;
        sum += e.score;
    }
    return floor(sum / g->spec->starts * 1e6 + 0.5) / 1e6;
}

#endif
