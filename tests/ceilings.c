/* Derives the scores in the table of examples/games.h for Pairs and Pong, which have too many
   episodes to list. Dynamic programming over what a player knows finds the policies. These then
   play the real game from its frames alone.

   Pairs, with memory: a player knows how many pairs are left, of how many pairs it has seen one
   card, and of how many both cards. All orders of the other cards are equally likely, whatever it
   did. Without memory, it knows the cards in the last GAME_STACK frames. The best policy is found
   among those that choose at random among cards that they do not see: for these, all orders are
   equally likely again. It is not proved that knowing the places is worth nothing. A policy that
   goes through the cards in order is tried, and is not better.

   Pong: one frame tells everything, and what follows is certain up to the next serve, which is
   always seen. So with memory the player knows everything at any rate of blank frames. Without
   memory, it knows everything while one of the last GAME_STACK frames was seen. When none was, it
   must do the same each time: its habit. For a given habit the best match is found exactly, except
   for the limit of steps, which few matches reach. The habits tried are the two of a greedy agent,
   and a coin toss. */
#include "../examples/games.h"
#include "check.h"

#include <stdlib.h>

static double larger(double a, double b) { return a > b ? a : b; }

/* A mean of samples with its tolerance: four standard errors. */
typedef struct sample {
    double sum, squares;
    int count;
} sample;
static void sample_add(sample *s, double x)
{
    s->sum += x;
    s->squares += x * x;
    s->count++;
}
static double sample_mean(const sample *s) { return s->sum / s->count; }
static double sample_error(const sample *s)
{
    double const mean = sample_mean(s);
    return 4 * sqrt(larger(0, s->squares / s->count - mean * mean) / s->count) + 1e-6;
}

/* Checks the best player without memory on the game's own list of starts; the table's margin is the
   tolerance. */
static void check_list(const sample *list, const game_spec *spec)
{
    CHECK(list->count == spec->starts &&
          fabs(sample_mean(list) - spec->without_memory) < spec->margin + 1e-6);
    CHECK(fabs(sample_error(list) - spec->margin) < 0.2 * spec->margin + 1e-5);
}

/* ---------------------------------------------------------------------------------------------- */
/* Pairs with memory */

static const double turned = -1.0 / GAME_PAIRS_STEPS, matched = 1.0 / 8;

/* What the player knows: the number of pairs left, of how many it knows one card and of how many
   both, and which card waits. */
typedef enum waiting_card { WAITS_NONE, WAITS_SINGLE, WAITS_COUPLE } waiting_card;
typedef struct knowledge {
    int pairs, singles, couples;
    waiting_card waiting;
} knowledge;
/* What to turn: a card never seen, one of a single or of a couple that does not wait, or the mate
   of the waiting one. */
typedef enum choice { TURN_NEW, TURN_SINGLE, TURN_COUPLE, TURN_MATE, CHOICES } choice;

typedef double knowledge_values[9][9][9][3];
/* the best score from here on; first index: number of cards that may still be turned */
static knowledge_values recalled[GAME_PAIRS_STEPS + 1];

static double *recalled_at(int left, knowledge k)
{
    return &recalled[left][k.pairs][k.singles][k.couples][k.waiting];
}
static int never_seen(knowledge k) { return 2 * k.pairs - k.singles - 2 * k.couples; }
static int possible(knowledge k)
{
    if (k.waiting == WAITS_SINGLE && k.singles == 0) return 0;
    if (k.waiting == WAITS_COUPLE && k.couples == 0) return 0;
    return never_seen(k) >= k.singles;
}

/* Returns the value of turning a card that was never seen. */
static double value_of_new(int left, knowledge k)
{
    int const unseen = never_seen(k), waits = k.waiting == WAITS_SINGLE, others = k.singles - waits;
    knowledge match = k, couple = k, single = k;
    double value = 0;
    match.pairs--, match.singles--, match.waiting = WAITS_NONE;
    couple.singles--, couple.couples++,
        couple.waiting = k.waiting == WAITS_NONE ? WAITS_COUPLE : WAITS_NONE;
    single.singles++, single.waiting = k.waiting == WAITS_NONE ? WAITS_SINGLE : WAITS_NONE;
    if (waits) value += (matched + *recalled_at(left - 1, match)) / unseen;
    if (others > 0) value += others * *recalled_at(left - 1, couple) / unseen;
    if (unseen > k.singles) value += (unseen - k.singles) * *recalled_at(left - 1, single) / unseen;
    return turned + value;
}

/* Returns the value of a choice, or -HUGE_VAL where there is no such card. */
static double value_of_choice(int left, knowledge k, choice c)
{
    knowledge next = k;
    int const first = k.waiting == WAITS_NONE;
    next.waiting = WAITS_NONE;
    switch (c) {
    case TURN_NEW: return never_seen(k) > 0 ? value_of_new(left, k) : -HUGE_VAL;
    case TURN_SINGLE:
        if (k.singles - (k.waiting == WAITS_SINGLE) == 0) return -HUGE_VAL;
        if (first) next.waiting = WAITS_SINGLE;
        return turned + *recalled_at(left - 1, next);
    case TURN_COUPLE:
        if (k.couples - (k.waiting == WAITS_COUPLE) == 0) return -HUGE_VAL;
        if (first) next.waiting = WAITS_COUPLE;
        return turned + *recalled_at(left - 1, next);
    default:
        if (k.waiting != WAITS_COUPLE) return -HUGE_VAL;
        next.pairs--, next.couples--;
        return turned + matched + *recalled_at(left - 1, next);
    }
}
static choice best_choice(int left, knowledge k)
{
    int c, best = TURN_NEW;
    for (c = 1; c < CHOICES; c++)
        if (value_of_choice(left, k, (choice)c) > value_of_choice(left, k, (choice)best)) best = c;
    return (choice)best;
}

static double solve_with_memory(void)
{
    knowledge k;
    int left, waiting;
    for (left = 1; left <= GAME_PAIRS_STEPS; left++)
        for (k.pairs = 1; k.pairs <= 8; k.pairs++)
            for (k.singles = 0; k.singles <= 8; k.singles++)
                for (k.couples = 0; k.couples <= 8; k.couples++)
                    for (waiting = 0; waiting < 3; waiting++) {
                        k.waiting = (waiting_card)waiting;
                        if (possible(k))
                            *recalled_at(left, k) = value_of_choice(left, k, best_choice(left, k));
                    }
    memset(&k, 0, sizeof k);
    k.pairs = 8;
    return *recalled_at(GAME_PAIRS_STEPS, k);
}

/* ---------------------------------------------------------------------------------------------- */
/* Pairs without memory */

/* What the last frames show, newest first: the card that is face up in each, or 0. Cards are
   numbered in the order in which they first occur here. Each card that has its mate here has the
   mate's number, else 0. */
typedef struct view {
    int pairs, waiting;
    int cards[GAME_STACK];
    int mate[GAME_STACK + 1];
} view;
typedef struct outcome {
    double chance, reward;
    int next; /* a view, or -1: the game is over */
} outcome;

enum { MOST_VIEWS = 1000, NEW_CARD = GAME_STACK + 1 };
static view views[MOST_VIEWS];
/* what turning card 1, 2, ... may lead to; [0]: a card that is not seen */
static outcome outcomes[MOST_VIEWS][GAME_STACK + 1][GAME_STACK + 1];
static int outcome_count[MOST_VIEWS][GAME_STACK + 1];
static int view_count;
/* the best score from here on */
static double glimpsed[GAME_PAIRS_STEPS + 1][MOST_VIEWS];

/* Returns the same view with cards numbered as they occur. The numbers in `cards` are at most
   NEW_CARD. mate[c]: the mate of card c, or 0. */
static view view_renumbered(int pairs, int waiting, const int *cards, const int *mate)
{
    int number[NEW_CARD + 1] = {0}, count = 0, i;
    view v;
    memset(&v, 0, sizeof v);
    v.pairs = pairs;
    v.waiting = waiting;
    for (i = 0; i < GAME_STACK; i++) {
        if (cards[i] != 0 && number[cards[i]] == 0) number[cards[i]] = ++count;
        v.cards[i] = number[cards[i]];
    }
    for (i = 1; i <= NEW_CARD; i++)
        if (number[i] != 0) v.mate[number[i]] = number[mate[i]];
    return v;
}

static int view_index(const view *v)
{
    int i = 0;
    while (i < view_count && memcmp(&views[i], v, sizeof *v) != 0) i++;
    if (i == view_count && CHECK(i < MOST_VIEWS)) views[view_count++] = *v;
    return i;
}

/* Returns the outcome of turning card `number`. mate[c]: the mate of card c after that, or 0. */
static outcome view_turn(const view *v, int number, const int *mate, double chance)
{
    int const match = v->waiting && mate[number] == v->cards[0];
    int cards[GAME_STACK], i;
    outcome o = {chance, turned, -1};
    view next;
    if (match) o.reward += matched;
    if (match && v->pairs == 1) return o;
    cards[0] = number;
    memcpy(cards + 1, v->cards, sizeof cards - sizeof *cards);
    for (i = 0; i < GAME_STACK && match; i++)
        if (cards[i] == number || cards[i] == mate[number]) cards[i] = 0;
    next = view_renumbered(v->pairs - match, !v->waiting, cards, mate);
    o.next = view_index(&next);
    return o;
}

static void view_expand(int index)
{
    view const v = views[index];
    int known = 0, singles = 0, unseen, i;
    int mate[NEW_CARD + 1] = {0};
    outcome *const fresh = outcomes[index][0];
    memcpy(mate, v.mate, sizeof v.mate);
    for (i = 0; i < GAME_STACK; i++) known = v.cards[i] > known ? v.cards[i] : known;
    for (i = 1; i <= known; i++) singles += mate[i] == 0;
    unseen = 2 * v.pairs - known;
    for (i = 1; i <= known; i++)
        if (!v.waiting || i != v.cards[0]) {
            outcomes[index][i][0] = view_turn(&v, i, mate, 1);
            outcome_count[index][i] = 1;
        }
    for (i = 1; i <= known; i++)
        if (mate[i] == 0 && unseen > 0) { /* it turns out to be the mate of i */
            mate[i] = NEW_CARD, mate[NEW_CARD] = i;
            fresh[outcome_count[index][0]++] = view_turn(&v, NEW_CARD, mate, 1.0 / unseen);
            mate[i] = mate[NEW_CARD] = 0;
        }
    if (unseen > singles)
        fresh[outcome_count[index][0]++] =
            view_turn(&v, NEW_CARD, mate, (double)(unseen - singles) / unseen);
}

/* Returns the value of turning a card of the view (0: one that is not seen), or -HUGE_VAL where
   that is impossible. */
static double value_of_turn(int left, int index, int card)
{
    double value = 0;
    int i;
    for (i = 0; i < outcome_count[index][card]; i++) {
        const outcome *const o = &outcomes[index][card][i];
        value += o->chance * (o->reward + (o->next < 0 ? 0 : glimpsed[left - 1][o->next]));
    }
    return outcome_count[index][card] > 0 ? value : -HUGE_VAL;
}

static double solve_without_memory(void)
{
    view first;
    int left, i, card;
    memset(&first, 0, sizeof first);
    first.pairs = 8;
    view_index(&first);
    for (i = 0; i < view_count; i++) view_expand(i); /* their number grows in the loop */
    for (left = 1; left <= GAME_PAIRS_STEPS; left++)
        for (i = 0; i < view_count; i++) {
            glimpsed[left][i] = -HUGE_VAL;
            for (card = 0; card <= GAME_STACK; card++)
                glimpsed[left][i] = larger(glimpsed[left][i], value_of_turn(left, i, card));
        }
    return glimpsed[GAME_PAIRS_STEPS][0];
}

/* ---------------------------------------------------------------------------------------------- */
/* Players of Pairs */

typedef enum card_look { LOOKS_GONE, LOOKS_DOWN, LOOKS_UP, LOOKS_WAITING } card_look;
static card_look look(const uint8_t *frame, int card)
{
    int const dot = frame[card / 4 * 36 + card % 4 * 3 + 13];
    return dot == 0 ? LOOKS_GONE : dot == 60 ? LOOKS_DOWN : dot == 160 ? LOOKS_UP : LOOKS_WAITING;
}
/* Return the card that is face up, or -1, and the face of the card that is up. */
static int card_up(const uint8_t *frame)
{
    int card = 15;
    while (card >= 0 && look(frame, card) < LOOKS_UP) card--;
    return card;
}
static int face_up(const uint8_t *frame)
{
    const uint8_t *const corner = frame + card_up(frame) / 4 * 36 + card_up(frame) % 4 * 3;
    int i = 0;
    while (i == 4 || (i < 9 && corner[i / 3 * 12 + i % 3] != 255)) i++;
    CHECK(i < 9);
    return i < 4 ? i : i - 1;
}

/* What players know of the cards: their faces, or -1. */
typedef struct table {
    const uint8_t *frame;
    int faces[16];
    /* order of cards that they do not know: random, or, half of the time, one after the other */
    int in_order;
} table;

static int unknown_card(const table *t)
{
    int const from = t->in_order && check_below(2) ? card_up(t->frame) : -1;
    int fitting[16], count = 0, i;
    for (i = 1; i <= 16; i++) {
        int const card = (from + i) % 16;
        if (look(t->frame, card) != LOOKS_GONE && t->faces[card] < 0) fitting[count++] = card;
    }
    return count == 0 ? 0 : fitting[from >= 0 ? 0 : check_below(count)];
}
static int known_mate(const table *t, int card)
{
    int mate = 15;
    while (mate >= 0 &&
           (mate == card || look(t->frame, mate) == LOOKS_GONE || t->faces[mate] != t->faces[card]))
        mate--;
    return t->faces[card] < 0 || look(t->frame, card) == LOOKS_GONE ? -1 : mate;
}

/* With memory: takes a known pair, else turns an unknown card. */
static int remembering_player(const table *t)
{
    int const up = card_up(t->frame);
    int card = 15;
    if (up >= 0 && look(t->frame, up) == LOOKS_WAITING)
        return known_mate(t, up) >= 0 ? known_mate(t, up) : unknown_card(t);
    while (card >= 0 && known_mate(t, card) < 0) card--;
    return card >= 0 ? card : unknown_card(t);
}

/* Without memory: plays the best choice of its view. `seen` are the cards in the last frames,
   newest first. */
static int forgetful_player(const table *t, const int *seen)
{
    int cards[GAME_STACK], mate[NEW_CARD + 1] = {0}, left = 0, index, best = 0, i, j;
    view v;
    for (i = 0; i < 16; i++) left += look(t->frame, i) != LOOKS_GONE;
    for (i = 0; i < GAME_STACK; i++) {
        cards[i] = seen[i] >= 0 && look(t->frame, seen[i]) != LOOKS_GONE ? i + 1 : 0;
        for (j = 0; j < i && cards[i] != 0; j++)
            if (seen[j] == seen[i]) cards[i] = j + 1;
    }
    for (i = 0; i < GAME_STACK; i++)
        for (j = 0; j < GAME_STACK; j++)
            if (cards[i] != 0 && cards[j] != 0 && seen[i] != seen[j] &&
                t->faces[seen[i]] == t->faces[seen[j]])
                mate[cards[i]] = cards[j];
    v = view_renumbered(left / 2, seen[0] >= 0 && look(t->frame, seen[0]) == LOOKS_WAITING, cards,
                        mate);
    index = view_index(&v);
    for (i = 1; i <= GAME_STACK; i++)
        if (value_of_turn(GAME_PAIRS_STEPS, index, i) >
            value_of_turn(GAME_PAIRS_STEPS, index, best))
            best = i;
    for (i = 0; best > 0 && v.cards[i] != best; i++) continue;
    return best > 0 ? seen[i] : unknown_card(t);
}

/* Plays one episode from its frames alone. A player without memory forgets the cards that left the
   stack. */
static double play_pairs(game *g, int memory, int in_order)
{
    int seen[GAME_STACK] = {-1, -1, -1, -1}, i;
    double score = 0;
    table t;
    t.in_order = in_order;
    t.frame = g->frame;
    for (i = 0; i < 16; i++) t.faces[i] = -1;
    while (!g->done) {
        int const gone_by = seen[GAME_STACK - 1];
        score += (double)game_step(g, memory ? remembering_player(&t) : forgetful_player(&t, seen));
        memmove(seen + 1, seen, sizeof seen - sizeof *seen);
        seen[0] = card_up(g->frame);
        if (seen[0] >= 0) t.faces[seen[0]] = face_up(g->frame);
        for (i = 0; i < GAME_STACK && seen[i] != gone_by; i++) continue;
        if (!memory && gone_by >= 0 && i == GAME_STACK) t.faces[gone_by] = -1;
    }
    return score;
}

/* Checks the mean score of many random episodes, and of those in the list. */
static void test_players_of_pairs(int memory, int in_order, double expected)
{
    sample random, list;
    game g;
    int i;
    memset(&random, 0, sizeof random);
    memset(&list, 0, sizeof list);
    CHECK(game_init(&g, GAME_PAIRS, 0, 1));
    for (i = 0; i < 12000 / check_share; i++) {
        game_reset(&g);
        sample_add(&random, play_pairs(&g, memory, in_order));
    }
    for (i = 0; i < g.spec->starts; i++) {
        game_start(&g, i);
        sample_add(&list, play_pairs(&g, memory, in_order));
    }
    if (in_order)
        CHECK(sample_mean(&random) < expected + sample_error(&random));
    else
        CHECK(fabs(sample_mean(&random) - expected) < sample_error(&random));
    if (!memory && !in_order) check_list(&list, g.spec);
}

static void pairs_scores_are_the_best(void)
{
    const game_spec *const spec = game_spec_of(GAME_PAIRS);
    const game_spec *const open = game_spec_of(GAME_OPEN_PAIRS);
    double const best = solve_with_memory(), without = solve_without_memory();
    check_about("pairs");
    /* the number of turns; Velleman & Warrington (2013) have 12.4, too */
    CHECK(fabs((1 - best) * GAME_PAIRS_STEPS / 2 - 12.393) < 1e-3);
    CHECK(fabs((1 - without) * GAME_PAIRS_STEPS / 2 - 19.070) < 1e-3);
    CHECK(fabs(spec->best - best) < 1e-6 && fabs(spec->without_memory - without) < 1e-6);
    CHECK(fabs(open->best - best) < 1e-6 && fabs(open->without_memory - best) < 1e-6);
    test_players_of_pairs(1, 0, best);
    test_players_of_pairs(0, 0, without);
    test_players_of_pairs(0, 1, without);
}

/* ---------------------------------------------------------------------------------------------- */
/* Pong: where a step leads, and the best play */

enum { POSITIONS = 8 * 4 * 3 * 2 * 7 * 6, WON = -1, LOST = -2, IMPOSSIBLE = -3 };

static int position_of(const game *g)
{
    const game_court *const c = &g->court;
    return ((((c->x * 4 + c->y) * 3 + c->dx + 1) * 2 + (c->dy > 0)) * 7 + g->place) * 6 + c->other;
}
/* Returns 0 where there is no such position, because the ball cannot come from beyond the sides. */
static int set_position(game *g, int position)
{
    game_court *const c = &g->court;
    c->other = position % 6;
    g->place = position / 6 % 7;
    c->dy = position / 42 % 2 == 0 ? -1 : 1;
    c->dx = position / 84 % 3 - 1;
    c->y = position / 252 % 4;
    c->x = position / 1008;
    return c->x - c->dx >= 0 && c->x - c->dx < 8;
}
/* Returns the position in a frame, which must not be blank. */
static int position_seen(const uint8_t *frame)
{
    game g;
    int i, tail = 0, ball = 0;
    memset(&g, 0, sizeof g);
    for (i = 8; i < 56; i++) {
        if (frame[i] == 90) tail = i;
        if (frame[i] == 255) ball = i;
    }
    while (frame[8 + g.court.other] != 200) g.court.other++;
    while (frame[48 + g.place] != 200) g.place++;
    g.court.x = ball % 8;
    g.court.y = ball / 8 - 2;
    g.court.dx = ball % 8 - tail % 8;
    g.court.dy = ball / 8 - tail / 8;
    return position_of(&g);
}

static int served[15];
static int after[POSITIONS][2];

static void make_positions(void)
{
    static int made;
    int i, action;
    game g;
    if (made) return;
    made = 1;
    CHECK(game_init(&g, GAME_PONG, 0, 1));
    for (i = 0; i < 15; i++) {
        g.court.dx = i / 5 - 1, g.court.dy = 1;
        g.court.x = 2 + i % 5 + g.court.dx, g.court.y = 1;
        g.court.other = 2, g.place = 3;
        served[i] = position_of(&g);
    }
    for (i = 0; i < POSITIONS; i++)
        for (action = 0; action < 2; action++) {
            float reward;
            game_start(&g, 0);
            after[i][action] = IMPOSSIBLE;
            if (!set_position(&g, i)) continue;
            CHECK(position_of(&g) == i);
            reward = game_step(&g, action);
            after[i][action] = reward > 0 ? WON : reward < 0 ? LOST : position_of(&g);
        }
}

/* blank: chance that a frame is blank. habit: chance that the player goes right when the stack is
   blank. won, lost, endless: what each end of a rally is worth. */
typedef struct rally {
    double blank, habit;
    double won, lost, endless;
    double discount; /* 1, or slightly less to prefer shorter play */
} rally;

/* By the number of blank frames since the last one seen; with GAME_STACK of them, the stack is
   blank. */
typedef double rally_values[GAME_STACK + 1][POSITIONS];

static double value_of_move(const rally *r, const double (*values)[POSITIONS], int blanks,
                            int position, int action)
{
    int const next = after[position][action], more = blanks < GAME_STACK ? blanks + 1 : GAME_STACK;
    if (next == WON || next == LOST) return next == WON ? r->won : r->lost;
    return r->discount * ((1 - r->blank) * values[0][next] + r->blank * values[more][next]);
}

/* Improves the values until they converge. */
static void solve_rally(const rally *r, double (*values)[POSITIONS])
{
    double change;
    int blanks, i;
    for (blanks = 0; blanks <= GAME_STACK; blanks++)
        for (i = 0; i < POSITIONS; i++) values[blanks][i] = r->endless;
    do {
        change = 0;
        for (blanks = 0; blanks <= GAME_STACK; blanks++)
            for (i = POSITIONS - 1; i >= 0; i--) {
                double left, right, value;
                if (after[i][0] == IMPOSSIBLE) continue;
                left = value_of_move(r, (const double (*)[POSITIONS])values, blanks, i, 0);
                right = value_of_move(r, (const double (*)[POSITIONS])values, blanks, i, 1);
                value = blanks < GAME_STACK ? larger(left, right)
                                            : (1 - r->habit) * left + r->habit * right;
                change = larger(change, fabs(value - values[blanks][i]));
                values[blanks][i] = value;
            }
    } while (change > 1e-7);
}

/* Returns the best mean score of a match without a limit of steps; an endless rally leaves the
   score as it is. */
static double solve_match(double blank, double habit)
{
    static rally_values values;
    double scores[GAME_PONG_POINTS + 1][GAME_PONG_POINTS + 1];
    rally r = {0, 0, 0, 0, 0, 1};
    int own, other, i;
    r.blank = blank;
    r.habit = habit;
    for (own = GAME_PONG_POINTS; own >= 0; own--)
        for (other = GAME_PONG_POINTS; other >= 0; other--) {
            scores[own][other] = r.endless = (double)(own - other) / GAME_PONG_POINTS;
            if (own == GAME_PONG_POINTS || other == GAME_PONG_POINTS) continue;
            r.won = scores[own + 1][other];
            r.lost = scores[own][other + 1];
            solve_rally(&r, values);
            for (i = 0, scores[own][other] = 0; i < 15; i++)
                scores[own][other] += values[0][served[i]] / 15;
        }
    return scores[0][0];
}

/* ---------------------------------------------------------------------------------------------- */
/* Players of Pong */

static rally_values plan; /* values for a player that goes left when the stack is blank */

static int planned(const rally *r, int blanks, int position)
{
    const double (*const values)[POSITIONS] = (const double (*)[POSITIONS])plan;
    return blanks < GAME_STACK && value_of_move(r, values, blanks, position, 1) >
                                      value_of_move(r, values, blanks, position, 0);
}

/* With memory: looks at serves alone, and computes the rest. */
static double play_with_memory(game *g, const rally *r)
{
    double score = 0;
    int position = position_seen(g->frame);
    while (!g->done) {
        int const action = planned(r, 0, position);
        score += (double)game_step(g, action);
        position = after[position][action];
        if (position < 0 && !g->done) position = position_seen(g->frame);
    }
    return score;
}

/* Without memory: computes from the newest frame that is not blank, if the stack has one. */
static double play_without_memory(game *g, const rally *r)
{
    uint8_t stack[GAME_STACK][GAME_PIXELS];
    double score = 0;
    int i;
    for (i = 0; i < GAME_STACK; i++) memcpy(stack[i], g->frame, sizeof g->frame);
    while (!g->done) {
        int position = -1, blanks = 0, action = 0;
        for (i = GAME_STACK - 1; i >= 0 && position < 0; i--)
            if (memchr(stack[i], 255, 56) != NULL)
                position = position_seen(stack[i]), blanks = GAME_STACK - 1 - i;
        for (i = 0; i <= blanks && position >= 0; i++) {
            action = planned(r, i, position);
            if (i < blanks) position = after[position][action];
        }
        score += (double)game_step(g, action);
        memmove(stack[0], stack[1], sizeof stack - sizeof stack[0]);
        memcpy(stack[GAME_STACK - 1], g->frame, sizeof g->frame);
    }
    return score;
}

static void pong_case(game_kind kind)
{
    const game_spec *const spec = game_spec_of(kind);
    rally r = {0, 0, 1, -1, 0, 0.9999};
    sample random, list;
    game g;
    int i, cut = 0;
    check_about("%s", spec->name);
    memset(&random, 0, sizeof random);
    memset(&list, 0, sizeof list);
    CHECK(game_init(&g, kind, 0, 1));
    make_positions();
    solve_rally(&r, plan); /* blank is 0: with memory, the player always knows the position */
    for (i = 0; i < spec->starts; i++) {
        game_start(&g, i);
        CHECK(fabs(play_with_memory(&g, &r) - spec->best) < 1e-6);
    }
    r.blank = spec->blank / 100.0;
    solve_rally(&r, plan);
    for (i = 0; i < 6000 / check_share; i++) {
        game_reset(&g);
        sample_add(&random, play_without_memory(&g, &r));
        cut += g.cut;
    }
    for (i = 0; i < spec->starts; i++) {
        game_start(&g, i);
        sample_add(&list, play_without_memory(&g, &r));
    }
    CHECK(fabs(sample_mean(&random) - spec->without_memory) < sample_error(&random));
    check_list(&list, spec);
    CHECK(cut <= random.count / 100);
}

/* Going left is the best habit: better than going right and than a coin toss. With CHECK_QUICK, the
   other two are not computed. */
static void habit_case(game_kind kind)
{
    const game_spec *const spec = game_spec_of(kind);
    check_about("%s", spec->name);
    make_positions();
    CHECK(fabs(solve_match(spec->blank / 100.0, 0) - spec->without_memory) < 1e-5);
    if (check_share > 1) return;
    CHECK(solve_match(spec->blank / 100.0, 0.5) < spec->without_memory);
    CHECK(solve_match(spec->blank / 100.0, 1) < spec->without_memory);
}

static void pong_scores_are_the_best(void)
{
    pong_case(GAME_PONG);
    pong_case(GAME_PONG_50);
    pong_case(GAME_PONG_75);
}
static void going_left_is_the_best_habit(void)
{
    habit_case(GAME_PONG_50);
    habit_case(GAME_PONG_75);
}

static const check_test tests[] = {
    TEST(pairs_scores_are_the_best),
    TEST(pong_scores_are_the_best),
    TEST(going_left_is_the_best_habit),
};
int main(int count, char **arguments) { return CHECK_MAIN(count, arguments, tests); }
