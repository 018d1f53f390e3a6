/* Plays episodes of the small games, and draws them in the terminal. The agent plays without random
   actions, and does not learn from these episodes. */
#ifndef GAME_EPISODE_H
#define GAME_EPISODE_H

#include "terminal.h" /* first: defines _DEFAULT_SOURCE */

#include "games.h"

#include "../rise.h"

typedef struct episode {
    game state;
    int action;   /* the last action; -1 before the first */
    float reward; /* the reward of that action */
    double score; /* the sum of all rewards */
} episode;

static inline void episode_begin(episode *e, int start)
{
    game_start(&e->state, start);
    e->action = -1;
    e->reward = 0;
    e->score = 0;
}

/* Plays one step as character `player` of rise_agent_play. Returns 0 and changes nothing if the
   episode is over or rise_agent_play fails. */
static inline int episode_step(episode *e, rise_agent *agent, int player)
{
    uint8_t view[GAME_SIDE * GAME_SIDE];
    int action;
    if (e->state.done) return 0;
    game_view(&e->state, view);
    action = rise_agent_play(agent, player, view, e->reward,
                             e->state.time == 0 ? RISE_FIRST : RISE_MIDDLE, NULL);
    if (action < 0) return 0;
    e->action = action;
    e->reward = game_step(&e->state, action);
    e->score += (double)e->reward;
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* Drawing. A cell of the terminal shows two pixels, one above the other. */

/* Returns the side of a game's pixel: its width in terminal cells, its height in half cells. */
static inline int episode_scale(const game_spec *spec)
{
    int const high = 28 / spec->height, wide = 24 / spec->width;
    return high < wide ? high : wide;
}
static inline int episode_columns(const game_spec *spec)
{
    return spec->width * episode_scale(spec);
}
static inline int episode_rows(const game_spec *spec)
{
    return (spec->height * episode_scale(spec) + 1) / 2;
}

/* Returns the colour of a pixel: grey if the agent sees the pixel, else amber. */
static inline int episode_colour(int seen, int real)
{
    int const grey = 20 + seen * 235 / 255;
    return seen == real ? grey * 0x010101 : 0x9C5F00;
}

static inline void episode_draw(const episode *e, terminal *t, int row, int column)
{
    const game_spec *const spec = e->state.spec;
    int const scale = episode_scale(spec);
    uint8_t real[GAME_PIXELS];
    int r, c, half;
    game_draw(&e->state, 1, real);
    for (r = 0; r < episode_rows(spec); r++)
        for (c = 0; c < episode_columns(spec); c++) {
            int colours[2];
            for (half = 0; half < 2; half++) {
                int const y = (2 * r + half) / scale, i = y * spec->width + c / scale;
                colours[half] = y < spec->height ? episode_colour(e->state.frame[i], real[i])
                                                 : TERMINAL_PLAIN;
            }
            /* 0x2580 fills the upper half of the cell with ink; the lower half is paper */
            terminal_put(t, row + r, column + c, 0x2580, colours[0], colours[1]);
        }
}

/* Returns the last action's name; "" before the first action; or how the episode ended. */
static inline const char *episode_caption(const episode *e)
{
    if (e->state.time == 0) return "";
    if (!e->state.done) return e->state.spec->action_names[e->action];
    return e->state.cut ? "stopped by the step limit" : e->reward > 0 ? "won" : "lost";
}

/* Draws the values of all actions as bars from -1 to 1. The chosen action is orange. */
static inline void episode_draw_values(const episode *e, const rise_real *values, terminal *t)
{
    const game_spec *const spec = e->state.spec;
    int const column = episode_columns(spec) + 6;
    int i;
    terminal_text(t, 3, column, TERMINAL_PLAIN, "expected return of each action");
    for (i = 0; i < spec->actions; i++) {
        int const row = 5 + (spec->actions > 8 ? i : 2 * i);
        int const ink = i == e->action ? 0xE8710A : 0x8C8C8C;
        terminal_text(t, row, column, ink, "%s", spec->action_names[i]);
        terminal_bar(t, row, column + 8, 24, ((double)values[i] + 1) / 2, ink);
        terminal_text(t, row, column + 34, ink, "%+.2f", (double)values[i]);
    }
}

/* Plays the whole episode slowly. Draws each frame with the values of the actions, then the end. */
static inline void episode_watch(episode *e, rise_agent *agent, int player, terminal *t,
                                 const char *title)
{
    int playing = 1;
    while (playing && !terminal_interrupted) {
        episode const seen = *e; /* the frame that the agent acts on */
        playing = episode_step(e, agent, player);
        terminal_clear(t);
        terminal_text(t, 0, 2, TERMINAL_PLAIN,
                      "%s   score %+.2f   (what the agent cannot see is drawn in amber)", title,
                      seen.score);
        terminal_text(t, 1, 2, TERMINAL_PLAIN, "%s", seen.state.spec->text);
        episode_draw(&seen, t, 3, 2);
        terminal_text(t, 3 + episode_rows(seen.state.spec), 2, TERMINAL_PLAIN, "%s",
                      episode_caption(&seen));
        if (playing) episode_draw_values(e, rise_agent_values(agent, player), t);
        terminal_show(t);
        terminal_sleep(playing ? 0.25 : 1);
    }
}

#endif
