/* Tests the tool examples/memory.c: what it says about the files that it writes, that a file which
   cannot be written leaves the older one, and that a signal ends the training. */
#if !defined(__unix__) && !defined(__APPLE__)

#include <stdio.h>
int main(void)
{
    printf("memory: skipped, this is no POSIX system\n0 passed, 0 failed\n");
    return 0;
}

#else

#define _FILE_OFFSET_BITS 64 /* else readdir fails on 32-bit machines with 64-bit inode numbers */
#include "faults.h"
#include "../examples/chart.h" /* before game_trainer.h, as in memory.c */
#include "../examples/game_trainer.h"
/* The signal that the next tools get in the 20th tick of their training, and how often. 0: none. */
static int signal_number, signal_times;
static int ticks; /* of the trainer in this process */
static int tick_with_signals(trainer *t)
{
    int const steps = trainer_tick(t);
    int i;
    if (signal_number == 0 || ++ticks < 20) return steps;
    if (ticks > 20) _exit(99); /* the training did not end */
    for (i = 0; i < signal_times; i++) raise(signal_number);
    return steps;
}
#define trainer_tick(t) tick_with_signals(t)
int memory_main(int count, char **arguments);
#define main memory_main
#include "../examples/memory.c"
#undef main

#include "check.h"
#include "folder.h"
#include "process.h"

static char place[FOLDER_NAME], text[1 << 16];
/* Which call of the next tools fails, and how: see faults.h. 0: none. */
static long fault_at;
static fault_kind fault_how;
static const char *keys = ""; /* what the next tools read from their standard input */

/* Runs the tool in `place` with a game of few steps and these arguments, at most `most_bytes` in a
   file. Its output goes to `text`. Returns its exit status, or minus the signal that ended it. */
static int tool(const char *more, size_t most_bytes)
{
    char line[400], *words[30];
    int end, in[2];
    pid_t pid;
    if (pipe(in) != 0) return -1;
    if (write(in[1], keys, strlen(keys)) != (ssize_t)strlen(keys)) return -1; /* fits the pipe */
    close(in[1]);
    pid = process_fork(&end);
    if (pid == 0) {
        dup2(in[0], 0);
        snprintf(line, sizeof line, "memory --game blink --steps 100 %s", more);
        if (signal_number != 0) signal(signal_number, SIG_DFL);
        process_limit_files(most_bytes);
        if (chdir(place) != 0) exit(100);
        faults_plan(fault_at, fault_how);
        faults.say = 1;
        exit(memory_main(check_words(line, words, 30), words));
    }
    close(in[0]);
    return process_output(pid, end, text, sizeof text);
}
static int said(const char *words) { return strstr(text, words) != NULL; }
/* Returns the size of a file in `place`; -1: there is none. */
static long bytes(const char *name)
{
    char path[FOLDER_PATH];
    struct stat s;
    return stat(folder_path(place, name, path), &s) == 0 ? (long)s.st_size : -1;
}

static void files_are_announced(void)
{
    CHECK(tool("--memory none", 0) >= 0);
    CHECK(said("No agent will be saved: --save PATH saves the best NONE agent."));
    CHECK(said("No learning curves will be saved: --svg PATH saves them.") && !said("is saved"));
    CHECK(tool("--memory rise --seeds 2 --save a.rise --svg a.svg", 0) >= 0);
    CHECK(said("The best RISE agent will be saved in a.rise; the other agents are not saved."));
    CHECK(said("The learning curves will be in a.svg.") && bytes("a.svg") > 0);
    CHECK(said("The best RISE agent is saved in a.rise.") && bytes("a.rise") > 0);
    CHECK(tool("", 0) >= 0); /* the show */
    CHECK(said("The best RISE agent will be saved in blink-"));
    CHECK(said("; may train as long as RISE\n") && said("allowed to train as long as RISE did"));
    CHECK(said("; the other agents are not saved."));
}

/* A wrong option is refused with a sentence that says what is possible. */
static void wrong_options_are_refused(void)
{
    static const char *const wrong[][2] = {
        {"--seed x", "--seed x: a whole number from 0 to 1000000000 is needed"},
        {"--seed 1.5", "--seed 1.5: a whole number from 0"},
        {"--seeds 2.7", "--seeds 2.7: a whole number from 1 to 1000"},
        {"--seeds 0", "--seeds 0: a whole number"},
        {"--minutes nan", "--minutes nan: a number from 0.01 to 1000000"},
        {"--memory big", "--memory big: rise|none|full is needed"},
        {"--memory rise|none", "--memory rise|none: rise|none|full is needed"},
        {"--steps 1kM", "--steps 1kM: a number from"},
        {"--length 7", "--length for blink must be 8 to 500"},
        {"--game catch --length 9", "catch has one length only: leave out --length"},
        {"--game chess", "there is no game chess"},
        {"--set wings=2", "no field \"wings\""},
        {"--set window", "--set window: FIELD=VALUE is needed"},
        {"--set environments=16", "--set environments=16: the tool sets this itself: leave it out"},
        {"--set action_masks=1", "--set action_masks=1: the tool sets this itself: leave it out"},
        {"--set demonstrators=1", "--set demonstrators=1: the tool sets this itself"},
        {"--set seed=4", "--set seed=4: the tool sets this itself: pass --seed"},
        {"--seed", "--seed: a value must follow"},
        {"--speed 9", "--speed 9: there is no such option"},
        {"--teach a.txt --demonstrations b.txt", "--teach and --demonstrations exclude each other"},
    };
    size_t i;
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check_about("%s", wrong[i][0]);
        CHECK(tool(wrong[i][0], 0) == 2 && said(wrong[i][1]) && !said("Score: "));
    }
    check_about("%s", "");
    CHECK(tool("--help", 0) == 0 && said("corridor      4 to 500 [10]") && !said("Score: "));
    /* each option has an effect */
    CHECK(tool("--memory none --seed 7 --seeds 2 --set window=4 --set batch=8", 0) >= 0);
    CHECK(said("NONE seed 8") && said("with 0 of 2 seeds") && !said("RISE"));
}

static void full_disk_keeps_older_files(void)
{
    static const char *const line = "--memory none --save b.rise --svg b.svg";
    long agent, curve;
    CHECK(tool(line, 0) >= 0);
    agent = bytes("b.rise"), curve = bytes("b.svg");
    CHECK(agent > 300 && curve > 300);
    CHECK(tool(line, 300) == 1);
    CHECK(said("b.svg cannot be written: File too large; choose another path with --svg"));
    CHECK(said("b.rise") && said("File too large; choose another path with --save"));
    CHECK(bytes("b.rise") == agent && bytes("b.svg") == curve);
    CHECK(folder_visit(place, "b.svg", 0) == 1 && folder_visit(place, "b.rise", 0) == 1);
    /* no agent was trained, so there is no curve */
    CHECK(tool("--memory none --svg b.svg --set discount=5", 0) == 1 && said("discount is 5"));
    CHECK(bytes("b.svg") == curve && !said("curves are in"));
    /* a device is no file to be replaced */
    CHECK(tool("--memory none --svg /dev/null", 0) >= 0 && said("curves are in /dev/null"));
}

/* Returns whether a file in `place` is a policy that can be loaded. */
static int loads(const char *name)
{
    char path[FOLDER_PATH];
    rise_agent_desc machine;
    rise_agent *agent;
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    folder_path(place, name, path);
    if (rise_agent_load(&agent, path, &machine, NULL) != RISE_OK) return 0;
    rise_agent_destroy(agent);
    return 1;
}
/* A call that fails, or a kill at any call, leaves whole files: the older ones or the new ones. */
static void faults_keep_older_files(void)
{
    static const char *const line = "--memory none --save d.rise --svg d.svg";
    static const fault_kind hows[] = {FAULT_ONCE, FAULT_ON, FAULT_KILL};
    int i, failed, plain;
    long curve;
    plain = tool(line, 0);
    curve = bytes("d.svg");
    CHECK(plain >= 0 && plain <= 1 && loads("d.rise") && curve > 300);
    for (i = 0; i < 3; i++) {
        long at = 0;
        do {
            int status;
            fault_at = ++at, fault_how = hows[i];
            status = tool(line, 0);
            fault_at = 0;
            failed = said("FAULT: ");
            check_about("fault %ld of kind %d, status %d", at, i, status);
            CHECK(loads("d.rise") && bytes("d.svg") >= curve - 100);
            if (hows[i] == FAULT_KILL)
                CHECK(status == (failed ? -SIGKILL : plain));
            else if (said(strerror(EIO)) || said(", fflush") || said(", fclose"))
                CHECK(failed && status == 1 && said(strerror(EIO)));
            else
                CHECK(status == plain && said(" agent is saved in d.rise.") &&
                      said(" curves are in d.svg"));
        } while (failed);
        CHECK(at > 20);
    }
    check_about("%s", "");
}

/* A symbolic link stays a link, and the file that it leads to is replaced. The mode stays. */
static void links_and_modes_stay(void)
{
    char link[FOLDER_PATH], file[FOLDER_PATH];
    struct stat s;
    folder_path(place, "link.svg", link), folder_path(place, "c.svg", file);
    CHECK(tool("--memory none --svg c.svg", 0) >= 0 && bytes("c.svg") > 300);
    CHECK(truncate(file, 0) == 0 && chmod(file, 0640) == 0 && symlink("c.svg", link) == 0);
    CHECK(tool("--memory none --svg link.svg", 0) >= 0 && bytes("c.svg") > 300);
    CHECK(lstat(link, &s) == 0 && S_ISLNK(s.st_mode));
    CHECK(stat(file, &s) == 0 && (s.st_mode & 0777) == 0640);
    /* a link to nothing stays, and is reported */
    CHECK(remove(file) == 0);
    CHECK(tool("--memory none --svg link.svg", 0) == 1 && said(strerror(ENOENT)));
    CHECK(lstat(link, &s) == 0 && S_ISLNK(s.st_mode) && stat(file, &s) != 0);
}

/* A path that leads to a pipe, as /dev/stdout often does, is opened. */
static void pipes_are_written(void)
{
    static replace_file r;
    char path[40], four[5] = "";
    int ends[2];
    if (!CHECK(pipe(ends) == 0)) return;
    snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
    if (access(path, W_OK) == 0) {
        FILE *const file = replace_begin(&r, path);
        CHECK(file != NULL && fputs("four", file) >= 0 && replace_end(&r, 1));
        CHECK(read(ends[0], four, 4) == 4 && strcmp(four, "four") == 0);
    }
    close(ends[0]), close(ends[1]);
}

/* replace.h leaves files of similar names. Two parts of a program can write the same file at once:
   each replaces the file when it ends. */
static void other_files_stay(void)
{
    static replace_file one, two;
    char path[FOLDER_PATH], fifo[FOLDER_PATH], link[FOLDER_PATH], victim[FOLDER_PATH], name[40];
    struct stat s;
    FILE *file;
    folder_path(place, "u.svg", path), folder_path(place, "victim", victim);
    folder_path(place, "u.svg.new", fifo);
    snprintf(name, sizeof name, "u.svg.new-%ld-0", (long)getpid());
    folder_path(place, name, link);
    CHECK(mkfifo(fifo, 0600) == 0 && symlink(victim, link) == 0);
    file = replace_begin(&one, path);
    CHECK(file != NULL && fputs("one", file) >= 0);
    file = replace_begin(&two, path);
    CHECK(file != NULL && fputs("three", file) >= 0);
    CHECK(bytes("u.svg") == -1);
    CHECK(replace_end(&one, 1) && bytes("u.svg") == 3);
    CHECK(replace_end(&two, 1) && bytes("u.svg") == 5);
    CHECK(replace_begin(&one, path) != NULL && !replace_end(&one, 0) && bytes("u.svg") == 5);
    CHECK(lstat(link, &s) == 0 && S_ISLNK(s.st_mode) && stat(victim, &s) != 0);
    CHECK(lstat(fifo, &s) == 0 && S_ISFIFO(s.st_mode));
    CHECK(folder_visit(place, "u.svg", 0) == 3);
    CHECK(remove(link) == 0 && remove(fifo) == 0);
}

/* The first SIGINT, SIGTERM or SIGHUP ends the training, and the tool saves what was trained so
   far. The second SIGINT or SIGTERM ends the process. A terminal that closes often sends SIGHUP
   twice, so the second SIGHUP does nothing. */
static void signals_end_the_training(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    int i;
    for (i = 0; i < 3; i++)
        for (signal_times = 1; signal_times <= 2; signal_times++) {
            int const killed = signal_times == 2 && signals[i] != SIGHUP;
            char line[120], agent[20], curve[20];
            snprintf(agent, sizeof agent, "s%d%d.rise", i, signal_times);
            snprintf(curve, sizeof curve, "s%d%d.svg", i, signal_times);
            snprintf(line, sizeof line, "--memory none --steps 1e9 --save %s --svg %s", agent,
                     curve);
            check_about("signal %d, %d times", signals[i], signal_times);
            signal_number = signals[i];
            CHECK(tool(line, 0) == (killed ? -signals[i] : 1));
            signal_number = 0;
            CHECK(said("Interrupted. These are the results up to then.") == !killed);
            CHECK(said("The best NONE agent is saved in ") == !killed);
            CHECK(loads(agent) == !killed && (bytes(curve) > 300) == !killed);
        }
    check_about("%s", "");
}

/* ---------------------------------------------------------------------------------------------- */
/* Demonstrations */

/* Writes into `to` the right keys for `count` episodes of Blink that begin with `before` recorded
   ones. */
static void right_keys(char *to, int before, int count)
{
    game g;
    int i;
    game_init(&g, GAME_BLINK, 0, 1 + 1000 * (uint64_t)before);
    for (i = 0; i < count; i++) {
        game_reset(&g);
        memset(to + 10 * i, '1' + g.start, 10);
    }
    to[10 * count] = '\0';
}
/* Reads a file of demonstrations in `place`. */
static int recorded(demonstrations *d, game_kind kind, int length, const char *name)
{
    char path[FOLDER_PATH];
    teach_init(d, kind, length);
    return teach_read(d, folder_path(place, name, path));
}

/* Whole episodes are recorded, after those that the file has. */
static void keys_are_recorded(void)
{
    static const uint8_t twos[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    demonstrations d;
    char right[200];
    keys = "";
    CHECK(tool("--teach e.txt", 0) == 1 && said("no episode was played to its end, so e.txt is"));
    CHECK(bytes("e.txt") == -1);
    keys = "1x1\n31\1772222222222222"; /* backspace begins the episode again; 3 is no action */
    CHECK(tool("--teach e.txt", 0) == 0 && said("e.txt holds 1 episodes, 1 of them new."));
    CHECK(recorded(&d, GAME_BLINK, 8, "e.txt") && d.count == 1 && d.steps == 10);
    CHECK(memcmp(d.actions, twos, 10) == 0);
    demonstrations_free(&d);
    right_keys(right, 1, 2);
    strcat(right, "0" "1111111111"); /* 0 ends */
    keys = right;
    CHECK(tool("--teach e.txt", 0) == 0 && said("e.txt holds 3 episodes, 2 of them new."));
    CHECK(said("episode 2: start") && said("10 steps, score +1.00") && !said("episode 4"));
    CHECK(said("./memory --game blink --memory rise --demonstrations e.txt"));
    CHECK(recorded(&d, GAME_BLINK, 8, "e.txt") && d.count == 3 && d.steps == 30);
    CHECK(memcmp(d.actions, twos, 10) == 0 && d.actions[10] == right[0] - '1');
    CHECK(d.actions[29] == right[10] - '1' && d.episodes[2].start == right[10] - '1');
    demonstrations_free(&d);
    /* arrows: four times up, right, up, left */
    keys = "\033[A\033[A\033[A\033[A\033[C\033OA\033[D";
    CHECK(tool("--game corridor --length 5 --teach c.txt", 0) == 0 && said("--length 5"));
    CHECK(recorded(&d, GAME_CORRIDOR, 5, "c.txt") && d.count == 1 && d.steps == 7);
    CHECK(d.actions[3] == 0 && d.actions[4] == 2 && d.actions[5] == 0 && d.actions[6] == 1);
    demonstrations_free(&d);
    keys = "";
}

/* 100 steps of the tool reach the goal with demonstrations, and miss the goal without. CHECK_QUICK
   only records the demonstrations. */
static void demonstrations_teach(void)
{
    char right[200];
    right_keys(right, 0, 8);
    keys = right;
    CHECK(tool("--teach right.txt", 0) == 0 && said("Their mean score is +1.00."));
    keys = "";
    if (check_share > 1) return; /* with sanitizers, the rest takes two minutes */
    CHECK(tool("--memory rise --demonstrations right.txt", 0) == 0);
    CHECK(said("Each agent learns from 8 demonstrations first: 80 steps, mean score +1.00."));
    CHECK(said("RISE reached the goal"));
    CHECK(tool("--memory rise", 0) == 1 && said("RISE missed the goal"));
}

/* If demonstrations take all the time, the agent is evaluated after them. */
static void taught_agents_are_evaluated(void)
{
    char right[200];
    const char *speed;
    right_keys(right, 0, 8);
    keys = right;
    CHECK(tool("--teach taught.txt", 0) == 0);
    keys = "";
    if (check_share > 1) return; /* with sanitizers, the rest takes two minutes */
    CHECK(tool("--memory rise --demonstrations taught.txt --minutes 0.01 --save t.rise", 0) == 0);
    CHECK(said("RISE reached the goal: it scored +1.00 (100%).") && said("90% after 0k steps"));
    CHECK(said("is saved in t.rise") && !said("not evaluated"));
    speed = strstr(text, " steps/s  "); /* does not count the updates of the demonstrations */
    CHECK(speed != NULL && strtod(speed + 10, NULL) < 1e5);
}
/* The schedules of exploration and learning rate fit any --steps. */
static void many_steps_are_taken(void)
{
    CHECK(tool("--memory none --steps 3000M --minutes 0.01", 0) == 1 && said("NONE missed"));
}
/* An action takes up to four bytes in a file of demonstrations. */
static int long_step(void *state, int action, double *score)
{
    (void)action, (void)score;
    return ++*(int *)state == DEMONSTRATIONS_STEPS - 1;
}
static void long_begin(void *state, int start) { (void)start, *(int *)state = 0; }
static void long_episodes_are_read(void)
{
    static const demonstrations_game of = {"long", 1, 1, 256, long_begin, long_step, ""};
    static uint8_t actions[DEMONSTRATIONS_STEPS - 1];
    demonstrations d;
    char path[FOLDER_PATH];
    int state;
    memset(actions, 255, sizeof actions);
    demonstrations_init(&d, &of);
    CHECK(demonstrations_add(&d, 0, actions, sizeof actions, 0));
    CHECK(demonstrations_write(&d, folder_path(place, "long.txt", path)));
    demonstrations_free(&d);
    demonstrations_init(&d, &of);
    if (!CHECK(demonstrations_read(&d, path, &state))) printf("    %s\n", d.why);
    CHECK(d.count == 1 && d.steps == sizeof actions);
    demonstrations_free(&d);
}

/* A file that is wrong is refused with a sentence, for training and for recording. */
static void wrong_demonstrations_are_refused(void)
{
    static const char *const wrong[][2] = {
        {"", "does not begin with \"rise.h demonstrations\""},
        {"P5 8 8 255\n", "does not begin with \"rise.h demonstrations\""},
        {"rise.h demonstrations 2 blink 8\n", "has version 2, and this program reads version 1"},
        {"rise.h demonstrations 1 blink 9\n", "of blink with length 9, not of blink with length 8"},
        {"rise.h demonstrations 1 catch 0\n", "of catch with length 0, not of blink"},
        {"rise.h demonstrations 1 blink 8\n", "w.txt holds no episode"},
        {"rise.h demonstrations 1 blink 8\n\n", "line 2 of w.txt does not begin with a start"},
        {"rise.h demonstrations 1 blink 8\n2: 0 0\n", "line 2 of w.txt does not begin with a"},
        {"rise.h demonstrations 1 blink 8\n0: 0 0 0 0 0 0 0 0 0 0\n0: 0 0\n",
         "line 3 of w.txt ends before its episode does"},
        {"rise.h demonstrations 1 blink 8\n0: 0 0 0 0 0 0 0 0 0 0 0\n",
         "line 2 of w.txt goes on after its episode ended"},
        {"rise.h demonstrations 1 blink 8\n0: 0 0 2\n",
         "action 3 in line 2 of w.txt must be from 0 to 1"},
        {"rise.h demonstrations 1 blink 8\n0: 0 -1\n", "action 2 in line 2 of w.txt must be"},
        {"rise.h demonstrations 1 blink 8\n0: 99999999999999999999\n", "action 1 in line 2"},
    };
    int i;
    keys = "1111111111";
    for (i = 0; i < (int)(sizeof wrong / sizeof *wrong); i++) {
        check_about("%s", wrong[i][0]);
        folder_write(place, "w.txt", wrong[i][0]);
        CHECK(tool("--memory none --demonstrations w.txt", 0) == 2 && said(wrong[i][1]));
        CHECK(tool("--teach w.txt", 0) == 2 && said(wrong[i][1]));
        CHECK(bytes("w.txt") == (long)strlen(wrong[i][0]));
    }
    check_about("%s", "");
    CHECK(tool("--demonstrations none.txt", 0) == 2);
    CHECK(said("memory: none.txt cannot be opened: No such file or directory"));
    CHECK(tool("--demonstrations .", 0) == 2 && said("cannot be"));
    folder_write(place, "w.txt", "rise.h demonstrations 1 blink 8\r\n0: 0 0 0 0 0 0 0 0 0 0\r\n");
    CHECK(tool("--teach w.txt", 0) == 0 && said("w.txt holds 2 episodes, 1 of them new"));
    CHECK(tool("--teach w.txt", 60) == 1);
    CHECK(said("w.txt cannot be written: File too large; choose another path"));
    CHECK(tool("--teach none/w.txt", 0) == 1 && said("cannot be written: No such file"));
    keys = "";
}

/* A call that fails, or a kill at any call, loses no recorded episode. */
static void faults_keep_recorded_episodes(void)
{
    static const fault_kind hows[] = {FAULT_ONCE, FAULT_ON, FAULT_KILL};
    demonstrations d;
    int i, failed, count = 1;
    keys = "1111111111";
    CHECK(tool("--teach f.txt", 0) == 0);
    for (i = 0; i < 3; i++) {
        long at = 0;
        do {
            int status;
            fault_at = ++at, fault_how = hows[i];
            status = tool("--teach f.txt", 0);
            fault_at = 0;
            failed = said("FAULT: ");
            check_about("fault %ld of kind %d, status %d", at, i, status);
            CHECK(recorded(&d, GAME_BLINK, 8, "f.txt") && d.count >= count);
            CHECK(status != 0 || d.count == count + 1);
            CHECK(d.count <= count + 1);
            count = d.count;
            demonstrations_free(&d);
        } while (failed);
        CHECK(at > 3);
    }
    check_about("%s", "");
    keys = "";
}

/* --self-test does nothing else, and passes here. */
static void self_test_passes(void)
{
    CHECK(tool("--save self-test.rise --self-test", 0) == 0 && bytes("self-test.rise") == -1);
    CHECK(said("ref: the self-test passes") && !said("fails") && !said("blink"));
}

static const check_test tests[] = {
    TEST(files_are_announced),
    TEST(wrong_options_are_refused),
    TEST(full_disk_keeps_older_files),
    TEST(faults_keep_older_files),
    TEST(links_and_modes_stay),
    TEST(pipes_are_written),
    TEST(other_files_stay),
    TEST(signals_end_the_training),
    TEST(keys_are_recorded),
    TEST(demonstrations_teach),
    TEST(taught_agents_are_evaluated),
    TEST(many_steps_are_taken),
    TEST(long_episodes_are_read),
    TEST(wrong_demonstrations_are_refused),
    TEST(faults_keep_recorded_episodes),
    TEST(self_test_passes),
};
int main(int count, char **arguments)
{
    int status;
    if (!folder_make("memory", place)) return 1;
    status = CHECK_MAIN(count, arguments, tests);
    return folder_unmake(place) ? status : 1;
}

#endif
