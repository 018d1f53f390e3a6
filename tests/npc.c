/* Tests the example examples/npc.c: its lessons. A made-up person presses keys in the game's
   window, with SDL's driver "dummy", which needs no screen. Needs SDL2. Without it, run.sh defines
   NO_SDL2. */
#ifdef NO_SDL2

#include <stdio.h>
int main(void)
{
    printf("npc: skipped, SDL2 is not installed here\n0 passed, 0 failed\n");
    return 0;
}

#elif !defined(__unix__) && !defined(__APPLE__)

#include <stdio.h>
int main(void)
{
    printf("npc: skipped, this is no POSIX system\n0 passed, 0 failed\n");
    return 0;
}

#else

#define _DEFAULT_SOURCE
#define SDL_MAIN_HANDLED
#include <SDL.h>

/* The game's events come from the made-up person, and no frame waits for the next one. */
static int person_event(SDL_Event *event);
#define SDL_PollEvent person_event
#define SDL_Delay(milliseconds) ((void)(milliseconds))
#define SDL_CreateRenderer(window, index, flags) SDL_CreateRenderer(window, index, 0)

int npc_main(int count, char **arguments);
#define main npc_main
#include "../examples/npc.c"
#undef main

#include "check.h"
#include "folder.h"
#include "process.h"

static char place[FOLDER_NAME], text[1 << 14];
static const char *driver = "dummy"; /* SDL's driver of windows */

/* The made-up person. It presses t, plays `rounds` rounds and presses Escape. It never reads the
   game's world. It moves a copy of that world, from the same start and by the keys that it presses.
   So the copy stays equal to the game's world only if the game does what the keys say. */
static struct {
    int rounds, start; /* rounds to play; the start of the first one */
    int asked;         /* 1: the frame's event has been returned */
    int begun, pause;
    int arrow;
    world copy;
    hunt hunt;
} person;

static const SDL_Keycode arrows[FACINGS] = {SDLK_RIGHT, SDLK_DOWN, SDLK_LEFT, SDLK_UP};

static void person_begin_round(void)
{
    world_lesson(&person.copy, person.start++);
    person.arrow = person.copy.seekers[0].facing;
    person.hunt.goal = -1;
}
/* Returns the key that is pressed in this frame. 0: none. */
static SDL_Keycode person_key(void)
{
    world *const w = &person.copy;
    SDL_Keycode key = 0;
    if (!person.begun) {
        person.begun = 1;
        person_begin_round();
        return SDLK_t;
    }
    if (w->over && person.rounds == 0) return SDLK_ESCAPE;
    if (person.pause > 0) return 0;
    if (w->over) person_begin_round();
    if (w->frame % DECISION == 0 && w->frame > 0) {
        int const arrow = hunt_facing(&person.hunt, w);
        if (arrow != person.arrow) key = arrows[arrow];
        person.arrow = arrow;
    }
    return key;
}
/* Moves the copy by one frame, as the game moves its world. */
static void person_frame(void)
{
    world *const w = &person.copy;
    if (!person.begun || (person.pause > 0 && person.pause-- > 0)) return;
    if (w->frame % DECISION == 0)
        world_turn(w, 0, seeker_turn_to(&w->seekers[0], person.arrow));
    world_lesson_tick(w);
    if (w->over) person.pause = 60, person.rounds--;
}
/* Replaces SDL_PollEvent: writes the key that is pressed in this frame and returns 1; the next call
   returns 0. */
static int person_event(SDL_Event *event)
{
    SDL_Keycode key = 0;
    if (person.rounds > 0 || person.begun) {
        if (!person.asked) key = person_key();
        person.asked = !person.asked && key != 0;
        if (key == 0) person_frame();
    }
    memset(event, 0, sizeof *event);
    event->type = SDL_KEYDOWN;
    event->key.keysym.sym = key;
    return key != 0;
}

/* Runs the game in `place` with the arguments `more`. The person teaches `rounds` rounds, the first
   one from `start`. The game's output goes to `text`. Returns the exit status. */
static int play(const char *more, int rounds, int start)
{
    char line[400], *words[30];
    int end;
    pid_t const pid = process_fork(&end);
    if (pid == 0) {
        snprintf(line, sizeof line, "npc %s", more);
        if (chdir(place) != 0) exit(100);
        setenv("SDL_VIDEODRIVER", driver, 1);
        person.rounds = rounds;
        person.start = start;
        exit(npc_main(check_words(line, words, 30), words));
    }
    return process_output(pid, end, text, sizeof text);
}
static int said(const char *words) { return strstr(text, words) != NULL; }
static int recorded(demonstrations *d, const char *name)
{
    static world lesson;
    char path[FOLDER_PATH];
    demonstrations_init(d, &lesson_game);
    return demonstrations_read(d, folder_path(place, name, path), &lesson);
}

/* The key t begins a lesson, and the arrow keys play seeker 0. npc.txt has each round. */
static void keys_are_recorded(void)
{
    static world w;
    demonstrations d;
    hunt h;
    int i, k, arrow;
    char path[FOLDER_PATH];
    unlink(folder_path(place, "npc.txt", path));
    CHECK(play("--path none --scale 1 --screenshot k.bmp", 3, 0) == 0);
    CHECK(recorded(&d, "npc.txt") && d.count == 3);
    memset(&h, 0, sizeof h);
    for (i = 0; i < d.count; i++) {
        const demonstration *const e = &d.episodes[i];
        check_about("round %d", i);
        CHECK(e->start == i && e->steps > 1);
        world_lesson(&w, i);
        arrow = w.seekers[0].facing;
        h.goal = -1;
        for (k = 0; k < e->steps && !w.over; k++) {
            int const action = d.actions[e->first + (size_t)k];
            if (k > 0) arrow = hunt_facing(&h, &w);
            if (action != seeker_turn_to(&w.seekers[0], arrow)) break;
            world_lesson_step(&w, action);
        }
        CHECK(k == e->steps && w.over);
    }
    check_about("%s", "");
    CHECK(d.score > 0.5); /* it catches the player, which is worth 1 */
    demonstrations_free(&d);
    /* a second session adds rounds with other starts */
    CHECK(play("--path none --scale 1", 1, 3) == 0);
    CHECK(recorded(&d, "npc.txt") && d.count == 4 && d.episodes[3].start == 3);
    demonstrations_free(&d);
}

/* --teach with --fast: the scripted seeker teaches. A round that is not finished is not kept. */
static void script_is_recorded(void)
{
    demonstrations d;
    int count;
    CHECK(play("--path none --teach s.txt --fast 1", 0, 0) == 0);
    CHECK(recorded(&d, "s.txt") && d.count > 2);
    count = d.count;
    demonstrations_free(&d);
    CHECK(play("--path none --teach s.txt --fast 0.001 --memory none", 0, 0) == 0);
    CHECK(said("The agent learns from") && said("0 rounds shown, 0 catches; s.txt holds"));
    CHECK(recorded(&d, "s.txt") && d.count == count);
    demonstrations_free(&d);
}

static double catches_a_minute(void)
{
    const char *const at = strstr(text, "level 5 ");
    return at != NULL ? strtod(at + 8, NULL) : -1;
}
/* An agent that has learned from demonstrations only catches the player more than twice as often as
   an untaught agent. A loaded agent does not learn from the demonstrations again. */
static void lessons_teach(void)
{
    double taught, untaught;
    CHECK(play("--path none --teach t.txt --fast 6", 0, 0) == 0);
    CHECK(play("--path t.rise --demonstrations t.txt --match 2", 0, 0) == 0);
    CHECK(said("The agent learns from"));
    taught = catches_a_minute();
    CHECK(play("--path none --match 2", 0, 0) == 0 && !said("The agent learns from"));
    untaught = catches_a_minute();
    check_note("%.2f catches a minute, %.2f untaught", taught, untaught);
    CHECK(untaught >= 0 && taught > 2 * untaught + 2);
    /* a saved agent has learned from them already */
    CHECK(play("--path t.rise --demonstrations t.txt --fast 0.01", 0, 0) == 0);
    CHECK(!said("The agent learns from"));
    CHECK(said("The agent of t.rise exists already, so it does not learn from the ") &&
          said(" rounds in t.txt. For a new agent, name a new file with --path.\n"));
}

static void wrong_options_are_refused(void)
{
    static const char *const wrong[][2] = {
        {"--seekers 2.7", "--seekers 2.7: a whole number from 1 to 8 is needed"},
        {"--seed 1.5", "--seed 1.5: a whole number from 0"},
        {"--level 6", "--level 6: a whole number from 0 to 5"},
        {"--view 0", "--view 0: a whole number from 1 to 8"},
        {"--match -1", "--match -1: a number from 0"},
        {"--memory big", "--memory big: rise|none|full is needed"},
        {"--fast", "--fast: a value must follow"},
        {"--other 1", "--other 1: there is no such option"},
        {"--teach a.txt --demonstrations b.txt", "--teach and --demonstrations exclude each other"},
        {"--teach a.txt --match 1", "--teach and --match exclude each other"},
    };
    size_t i;
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char more[100];
        check_about("%s", wrong[i][0]);
        snprintf(more, sizeof more, "--path none --frames 1 %s", wrong[i][0]);
        CHECK(play(more, 0, 0) == 2 && said(wrong[i][1]) && !said(" steps, "));
    }
    check_about("%s", "");
    CHECK(play("--help", 0, 0) == 0 && said("  --match MINUTES ") && !said(" steps, "));
}

/* A match needs no --fast, and measures levels 1 and 5. The share of time is a mean over the
   seekers that take part, counted here in another game with the same options. */
static void match_is_measured(void)
{
    static game g;
    static command_line line;
    static const char row[] = "minute  0.1  level 1 ", share[] = "seekers see the player ";
    char *words[] = {"npc", "--path", "none", "--match", "0.1", "--seekers", "1", "--seed", "3"};
    int frame, seen = 0;
    const char *at;
    CHECK(play("--path none --match 0.1 --seekers 1 --seed 3", 0, 0) == 0);
    CHECK(said("minute  0.1  level 5 ") && !said("learning") && !said("level 2"));
    CHECK(said("% of the time  found again in ") && said(" losses  0 steps"));
    command_begin(&line, table, (int)(sizeof table / sizeof *table));
    CHECK(command_parse(&line, 9, words));
    read_options(&g.options, &line);
    if (!CHECK(game_begin(&g))) return;
    g.demo = 1;
    crew_set_level(&g.crew, 1);
    for (frame = 0; frame < 360 && CHECK(game_tick(&g, 0, 0)); frame++)
        seen += g.world.seekers[0].sees;
    rise_agent_destroy(g.crew.agent);
    at = strstr(text, row);
    at = at != NULL ? strstr(at, share) : NULL;
    CHECK(at != NULL && seen > 0);
    if (at != NULL) CHECK(fabs(strtod(at + strlen(share), NULL) - 100.0 * seen / 360) < 0.051);
}

/* Minutes that fill no block of five have a line, too. Without a round, there is no file. */
static void short_games_are_reported(void)
{
    CHECK(play("--path none --fast 0.1", 0, 0) == 0 && said("minute  0.1  learning"));
    CHECK(play("--path none --teach short.txt --fast 0.001", 0, 0) == 0);
    CHECK(said("no round ended, so short.txt is not written"));
}
/* A game that cannot open its window leaves no file. An agent that cannot be opened stays. */
static void other_agents_stay(void)
{
    char path[FOLDER_PATH];
    driver = "none";
    CHECK(play("--path unseen.rise --frames 1", 0, 0) == 1 && said("the window cannot be opened"));
    driver = "dummy";
    CHECK(access(folder_path(place, "unseen.rise", path), F_OK) != 0);
    folder_path(place, "loop.rise", path);
    CHECK(symlink("loop.rise", path) == 0); /* leads to itself, so no one can open it */
    CHECK(play("--path loop.rise --fast 0.01", 0, 0) == 1);
    CHECK(said("loop.rise") && !said("calls have waited"));
}

/* While a person teaches, the agent counts each of the person's steps and no others, because its
   own seekers are absent. */
static void agent_sees_the_lesson(void)
{
    demonstrations d;
    char path[FOLDER_PATH];
    const char *at;
    unlink(folder_path(place, "npc.txt", path));
    CHECK(play("--path none --scale 1", 2, 0) == 0);
    CHECK(recorded(&d, "npc.txt") && d.count == 2);
    at = strstr(text, " steps, ");
    while (at != NULL && at > text && at[-1] >= '0' && at[-1] <= '9') at--;
    CHECK(at != NULL && strtol(at, NULL, 10) == (long)d.steps);
    demonstrations_free(&d);
}

static void wrong_files_are_refused(void)
{
    static const char *const wrong[][2] = {
        {"", "does not begin with \"rise.h demonstrations\""},
        {"rise.h demonstrations 1 corridor 10\n0: 0\n",
         "holds demonstrations of corridor with length 10, not of hide-and-seek"},
        {"rise.h demonstrations 1 hide-and-seek 300\n", "w.txt holds no episode"},
        {"rise.h demonstrations 1 hide-and-seek 300\n0: 0\n", "ends before its episode does"},
        {"rise.h demonstrations 1 hide-and-seek 300\n0: 3\n", "must be from 0 to 2"},
    };
    int i;
    CHECK(play("--path none --demonstrations none.txt", 0, 0) == 1);
    CHECK(said("none.txt cannot be opened"));
    for (i = 0; i < (int)(sizeof wrong / sizeof *wrong); i++) {
        check_about("%s", wrong[i][0]);
        folder_write(place, "w.txt", wrong[i][0]);
        CHECK(play("--path none --teach w.txt --fast 0.1", 0, 0) == 1 && said(wrong[i][1]));
        CHECK(play("--path none --demonstrations w.txt --fast 0.1", 0, 0) == 1 &&
              said(wrong[i][1]));
    }
    check_about("%s", "");
    CHECK(play("--path none --teach none/w.txt --fast 1", 0, 0) == 1);
    CHECK(said("none/w.txt cannot be written: No such file"));
}

static const check_test tests[] = {
    TEST(keys_are_recorded),
    TEST(script_is_recorded),
    TEST(lessons_teach),
    TEST(wrong_options_are_refused),
    TEST(match_is_measured),
    TEST(short_games_are_reported),
    TEST(other_agents_stay),
    TEST(agent_sees_the_lesson),
    TEST(wrong_files_are_refused),
};

int main(int count, char **arguments)
{
    int status;
    if (!folder_make("npc", place)) return 1;
    status = CHECK_MAIN(count, arguments, tests);
    return folder_unmake(place) ? status : 1;
}

#endif
