/* Tests the training tool, examples/atari.c, with made-up environments. A saved run survives when
   the tool or its children are killed, and when the disk is full. */
#if !defined(__unix__) && !defined(__APPLE__)

#include <stdio.h>
int main(void)
{
    printf("training: skipped, this is no POSIX system\n0 passed, 0 failed\n");
    return 0;
}

#else

#define _FILE_OFFSET_BITS 64 /* else readdir fails on 32-bit machines with 64-bit inode numbers */
#include "faults.h"
int atari_main(int count, char **arguments);
#define main atari_main
#include "../examples/atari.c"
#undef main

#include "check.h"
#include "child.h"
#include "folder.h"
#include "process.h"

enum { TRIES = 12 };
static char place[FOLDER_NAME], run_folder[TRAIN_PATH], said[FOLDER_PATH], children[FOLDER_PATH];

/* ---------------------------------------------------------------------------------------------- */
/* Starting the tool in a process of its own */

/* Which call of the next tools fails, and how: see faults.h. 0: none. */
static long fault_at;
static fault_kind fault_how;
static int bare; /* 1: the tool gets only the arguments in `more`, and those about files */
static int no_folder; /* 1: the tool gets no --folder */

/* Starts the tool with arguments for a small and quick run, followed by those in `more`. */
static pid_t tool_start(const char *more, size_t most_bytes)
{
    static const char *const usual =
        "atari --env Made/Up-v1 --environments 2 --evaluate-every 150 --episodes 3 --last-episodes "
        "3 "
        "--plain --set learn_start=50 --set batch=4 --set window=4 --set replay_capacity=500 ";
    static char text[2000];
    char *words[60];
    pid_t pid;
    remove(said); /* so that nobody takes an older output for that of this tool */
    fflush(NULL);
    pid = fork();
    if (pid != 0) return pid;
    snprintf(text, sizeof text, "%s --python %s --bridge %s %s %s %s",
             bare ? "atari --plain" : usual, self, self, no_folder ? "" : "--folder",
             no_folder ? "" : run_folder, more);
    if (freopen(said, "w", stdout) == NULL) _exit(100);
    dup2(1, 2);
    setpgid(0, 0); /* so that a signal can be sent to the group, as a terminal does */
    signal(SIGINT, SIG_DFL); /* a shell that runs tests in the background ignores it */
    signal(SIGHUP, SIG_DFL);
    process_limit_files(most_bytes);
    faults_plan(fault_at, fault_how);
    faults.say = 1;
    exit(atari_main(check_words(text, words, 60), words));
}
/* Runs the tool, at most `most_bytes` in a file. Returns what process_end returns. */
static int tool_within(const char *more, size_t most_bytes)
{
    return process_end(tool_start(more, most_bytes));
}
static int tool(const char *more) { return tool_within(more, 0); }
/* Returns whether the tool goes on. Its exit status is kept for process_end. */
static int tool_runs(pid_t pid)
{
    siginfo_t ended;
    memset(&ended, 0, sizeof ended);
    return waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0;
}

/* Returns the tool's output. */
static const char *tool_text(void)
{
    static char text[1 << 20];
    folder_read(place, "said", text, sizeof text);
    return text;
}
static int tool_said(const char *words) { return strstr(tool_text(), words) != NULL; }
/* Returns how often `words` follow `mark` in the output; -1: there is no mark. */
static int tool_said_after(const char *mark, const char *words)
{
    const char *at = strstr(tool_text(), mark);
    int count = -1;
    for (; at != NULL; at = strstr(at + 1, words)) count++;
    return count;
}

/* Waits until the tool has printed these words or has ended: a busy machine is slow. */
static void tool_wait(pid_t pid, const char *words)
{
    while (!tool_said(words) && tool_runs(pid)) poll(NULL, 0, 10);
}

/* ---------------------------------------------------------------------------------------------- */
/* The files of a run */

/* Names the folder of the run. Each test begins with the folder "run". */
static void use_folder(const char *name)
{
    snprintf(run_folder, sizeof run_folder, "%s/%s", place, name);
}
/* Returns the path of a file of the run. */
static const char *in_folder(const char *name)
{
    static char path[FOLDER_PATH];
    return folder_path(run_folder, name, path);
}
static long file_bytes(const char *name)
{
    struct stat s;
    return stat(in_folder(name), &s) == 0 ? (long)s.st_size : -1;
}
/* Returns the steps of the saved agent; -1: it cannot be loaded. */
static long saved_steps(void)
{
    rise_agent *agent;
    rise_metrics m;
    if (rise_agent_load(&agent, in_folder("agent.rise"), NULL, NULL) != RISE_OK) return -1;
    rise_agent_metrics(agent, &m);
    rise_agent_destroy(agent);
    return (long)m.steps;
}
/* Returns the number of rows in log.csv; -1: the file is missing, a row is damaged, the steps do
   not rise, or the seconds fall. */
static int log_rows(void)
{
    char line[1000];
    train_row row, before = {0};
    int rows = 0, good = 1;
    FILE *const file = fopen(in_folder("log.csv"), "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL ||
        strncmp(line, "steps,seconds,", 14) != 0)
        return -1;
    for (; fgets(line, sizeof line, file) != NULL; rows++) {
        good = good && train_read_row(line, &row) && (rows == 0 || row.steps > before.steps) &&
               row.seconds >= before.seconds;
        before = row;
    }
    fclose(file);
    return good ? rows : -1;
}
/* Reads the last row of log.csv. Returns 0 if there is none. */
static int last_row(train_row *row)
{
    char line[1000];
    int found = 0;
    FILE *const file = fopen(in_folder("log.csv"), "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        found = train_read_row(line, row) || found;
    if (file != NULL) fclose(file);
    return found;
}
/* Returns whether the agent was saved at the end of the session. Then the tool writes a last row to
   log.csv, too, unless the newest row has these steps already. */
static int saved_at_the_end(void)
{
    train_row row;
    return last_row(&row) && (double)saved_steps() == row.steps;
}
/* Returns the FNV-1a hash of a file. */
static uint64_t file_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    int byte;
    FILE *const file = fopen(in_folder(name), "rb");
    while (file != NULL && (byte = getc(file)) != EOF)
        hash = (hash ^ (uint64_t)byte) * UINT64_C(0x100000001B3);
    if (file != NULL) fclose(file);
    return hash;
}

/* ---------------------------------------------------------------------------------------------- */
/* Tests */

static void whole_run_leaves_its_files(void)
{
    int rows;
    CHECK(tool("--steps 400") == 0);
    CHECK(tool_said("in an evaluation") && tool_said("In 3 evaluation episodes, the best"));
    CHECK(saved_steps() >= 400 && saved_steps() <= 402);
    CHECK(file_bytes("best.rise") > 0 && file_bytes("best.rise") < file_bytes("agent.rise"));
    CHECK(file_bytes("curve.svg") > 500 && file_bytes("episode.gif") > 100);
    rows = log_rows();
    CHECK(rows >= 3);
    /* a second run does not overwrite the first */
    CHECK(tool("--steps 800") == 1 && tool_said("--resume") && saved_steps() <= 402);
    CHECK(tool("--steps 800 --resume") == 0 && saved_steps() >= 800 && log_rows() > rows);
    CHECK(tool("--steps 900 --resume --save-every 0") == 0);
    /* nothing is logged or saved after the end */
    CHECK(tool_said_after("The best evaluation scored", "Saved after") == 1);
}
static void wrong_arguments_are_refused(void)
{
    CHECK(tool("--steps 10 --folder") == 2 && tool_said("Not understood: --folder"));
    CHECK(tool("--resume --python /nowhere/python") == 1 &&
          tool_said("/nowhere/python could not be started"));
    CHECK(tool("--resume --bridge /nowhere/bridge.py") == 1 &&
          tool_said("/nowhere/bridge.py cannot be read"));
    use_folder("another");
    CHECK(tool("--steps 100 --set window=0.5") == 1 && tool_said("window"));
    CHECK(tool("--steps 100 --preset alphago") == 2 && tool_said("alphago: dqn|rainbow|btr|r2d2"));
    CHECK(tool("--steps ten") == 2 && tool_said("--steps ten: a number from 1"));
    CHECK(tool("--seed 1.5") == 2 && tool_said("--seed 1.5: a whole number from 0"));
    CHECK(tool("--blank 2") == 2 && tool_said("from 0 to 1 is needed"));
    CHECK(tool("--evaluate-epsilon nan") == 2 && tool_said("nan: a number from 0 to 1"));
    CHECK(tool("--environments 257") == 2 && tool_said("from 1 to 256"));
    CHECK(tool("--keyword frameskip") == 2 && tool_said("KEY=VALUE is needed"));
    CHECK(tool("--wrap Wrapper") == 2 && tool_said("MODULE:WRAPPER is needed"));
    CHECK(tool("--memory big") == 2 && tool_said("rise|none|full is needed"));
    CHECK(tool("--speed 9") == 2 && tool_said("--speed 9: there is no such option"));
    CHECK(tool("--game pong") == 2 && tool_said("either --game or --env"));
    CHECK(tool("--protocol btr") == 2 && tool_said("--protocol is for --game"));
    CHECK(tool("--steps 60 --set batch=4 --set environments=16") == 2 &&
          tool_said("--set environments=16: the tool sets this itself: pass --environments") &&
          !tool_said("Starting"));
    CHECK(tool("--steps 60 --set memory=none") == 2 && tool_said("itself: pass --memory"));
    CHECK(tool("--steps 60 --set seed=9") == 2 && tool_said("sets this itself: pass --seed"));
    CHECK(tool("--steps 60 --set players=1") == 2 &&
          tool_said("--set players=1: the tool sets this itself: leave it out"));
    CHECK(tool("--steps 60 --set play_only=1") == 2 && tool_said("sets this itself: leave it out"));
    CHECK(tool("--steps 60 --set actions=9") == 2 && tool_said("sets this itself: leave it out"));
    CHECK(tool("--steps 100 --set replay_capacity=900000000 --set embedding=signs "
               "--set embedding_size=8192") == 1 && /* 15 TB */
          (tool_said("too much for this machine") || tool_said("memory")));
    /* a smaller replay buffer needs a smaller learn_start, too */
    CHECK(tool("--steps 100 --set replay_capacity=900000000 --set learn_start=800000000 "
               "--set embedding=signs --set embedding_size=8192") == 1 &&
          (!tool_said("begin a run with") || tool_said("000 --set learn_start=")));
    CHECK(file_bytes("agent.rise") == -1);
}
/* Repeats and no-ops must fit a message. */
static void too_many_repeats_are_refused(void)
{
    static arcade a;
    bridge_options o;
    arcade_protocol p;
    memset(&o, 0, sizeof o), memset(&p, 0, sizeof p);
    o.name = "Made/Up-v1", o.script = self;
    p.repeat = BRIDGE_PLAYED + 1;
    CHECK(!arcade_open(&a, &o, &p) && strstr(a.link.error, "repeat is 256") != NULL);
    p.repeat = 1, p.noops = 300;
    CHECK(!arcade_open(&a, &o, &p) && strstr(a.link.error, "noops is 300") != NULL);
}

/* Starts the tool with another folder. Returns its exit status. */
static int tool_in(const char *folder, const char *more)
{
    use_folder(folder);
    return tool(more);
}
static void folders_in_folders_are_made(void)
{
    char longer[TRAIN_PATH];
    CHECK(tool_in("some/where/else", "--steps 100") == 0 && file_bytes("agent.rise") > 0);
    CHECK(tool_in("some//where/below/", "--steps 100") == 0 && file_bytes("agent.rise") > 0);
    folder_write(place, "file", "");
    CHECK(tool_in("file/below", "--steps 100") == 1 &&
          tool_said("file/below cannot be written (Not a directory): pass another --folder"));
    CHECK(tool_in("file", "--steps 100") == 1 && tool_said("file cannot be written"));
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 20] = '\0';
    CHECK(tool_in(longer, "--steps 100") == 2 && tool_said("pass a shorter --folder"));
}

/* Returns whether run.txt of the folder has these words at least `times` times. */
static int recorded(const char *words, int times)
{
    static char text[1 << 16];
    const char *at = text;
    size_t const size = folder_read(run_folder, "run.txt", text, sizeof text);
    for (; times > 0 && at != NULL; times--) at = strstr(at + (at != text), words);
    return size > 0 && at != NULL;
}
static void run_is_recorded(void)
{
    CHECK(tool_in("recorded", "--steps 100 --set discount=0.9 --keyword a='b") == 0);
    CHECK(recorded("session 2", 1) && recorded("command atari --env Made/Up-v1 --env", 1));
    CHECK(recorded(" --keyword 'a='\\''b'\nrise.h ", 1) && recorded("\nmade-up 1.0\n", 1));
    CHECK(recorded("option --keyword a='b\n", 1) && recorded("option --set discount=0.9\n", 1));
    CHECK(recorded("option --memory rise\n", 1) && !recorded("option --folder", 1));
    CHECK(tool("--steps 120 --resume --set discount=0.9 --keyword a='b") == 0);
    CHECK(recorded("session 2", 2) && recorded("option --steps 120\n", 1));
}

/* Options that make another task or another agent are refused, and change nothing. */
static void resumed_run_keeps_its_options(void)
{
    static const char *const refused[][2] = {
        {"--memory none", "has --memory rise, and cannot go on with --memory none"},
        {"--seed 2", "has --seed 1, and cannot"},
        {"--environments 3", "has --environments 2, and cannot"},
        {"--env Other-v1", "has --env Made/Up-v1, and cannot go on with --env Other-v1"},
        {"--keyword a=1", "has no --keyword, and cannot go on with --keyword a=1"},
        {"--wrap a:B", "has no --wrap, and cannot"},
        {"--observation eye", "has no --observation, and cannot"},
        {"--render", "has no --render, and cannot go on with --render: leave"},
        {"--size 9", "has no --size"},
        {"--colour", "has no --colour"},
        {"--blank 0.5", "has --blank 0, and cannot"},
        {"--preset dqn", "has no --preset"},
        {"--set discount=0.5", "=500, and cannot go on with --set learn_start"},
    };
    uint64_t agent, record;
    size_t i;
    CHECK(tool_in("kept", "--steps 100") == 0);
    agent = file_hash("agent.rise"), record = file_hash("run.txt");
    for (i = 0; i < sizeof refused / sizeof *refused; i++) {
        char more[100];
        check_about("%s", refused[i][0]);
        snprintf(more, sizeof more, "--steps 200 --resume %s", refused[i][0]);
        CHECK(tool(more) == 1 && tool_said(refused[i][1]) && tool_said("run with --folder"));
        CHECK(file_hash("agent.rise") == agent && file_hash("run.txt") == record);
    }
    check_about("%s", "");
    CHECK(tool("--steps 0.2k --resume --seed 1.0 --threads 2 --blank 0.0") == 0);
    CHECK(tool_said("Changed: --steps 0.2k, previously --steps 100.") && saved_steps() >= 200);
    CHECK(tool_said("Changed: --threads 2, previously --threads 1."));
    CHECK(!tool_said("previously --seed"));
    CHECK(tool("--hours 1e-9 --resume") == 0);
    CHECK(tool_said("Kept from the run: --threads 2."));
    CHECK(tool_said("Changed: --hours 1e-9, previously no --hours."));
    CHECK(tool_said("Changed: no --steps, previously --steps 0.2k."));
    /* a run of an older release has no run.txt: the agent has some of its options */
    CHECK(remove(in_folder("run.txt")) == 0);
    CHECK(tool("--steps 300 --resume --memory none") == 1 && tool_said("has 2 environments and"));
    CHECK(tool("--steps 300 --resume --environments 3") == 1 && tool_said("leave these options"));
    CHECK(tool("--steps 300 --resume") == 0 && saved_steps() >= 300 && file_bytes("run.txt") > 0);
    CHECK(tool_said("Made/Up-v1, memory rise, seed 1: "));
    CHECK(tool_in("kept-none", "--steps 100 --memory none") == 0);
    CHECK(tool("--steps 120 --resume") == 0);
    CHECK(tool_said("Made/Up-v1, memory none, seed 1: "));
    CHECK(remove(in_folder("run.txt")) == 0);
    CHECK(tool("--steps 140 --resume") == 0);
    CHECK(tool_said("Made/Up-v1, memory none, seed 1: ")); /* from the agent */
}

/* A session that goes on with a run has another seed for its environments, and the same one if the
   run is repeated. The seed of evaluations stays. */
static void resumed_run_has_new_episodes(void)
{
    static const char *const folders[] = {"seeds-1", "seeds-2"};
    char path[FOLDER_PATH];
    unsigned long seeds[2][4] = {{0}};
    int i, k;
    for (i = 0; i < 2; i++) {
        FILE *file;
        setenv("BRIDGE_TEST_SEEDS", folder_path(place, "seeds", path), 1);
        CHECK(tool_in(folders[i], "--steps 100") == 0 && tool("--steps 200 --resume") == 0);
        unsetenv("BRIDGE_TEST_SEEDS");
        file = fopen(path, "r");
        for (k = 0; k < 4; k++) CHECK(file != NULL && fscanf(file, "%lu", &seeds[i][k]) == 1);
        if (file != NULL) fclose(file);
        remove(path);
        CHECK(seeds[i][0] == 1 && seeds[i][1] == 1000001 && seeds[i][3] == 1000001);
        CHECK(seeds[i][2] > 1000 && seeds[i][2] < 2147483000);
    }
    CHECK(seeds[0][2] == seeds[1][2]);
}

/* A child that hangs is given up after --patience. */
static void patience_is_an_option(void)
{
    setenv("BRIDGE_TEST", "hangs", 1);
    CHECK(tool_in("patience", "--steps 100 --patience 0.05") == 1 &&
          tool_said("seconds: pass a larger patience, or fewer environments") &&
          !tool_said("for 60 seconds"));
    setenv("BRIDGE_TEST", "is good", 1);
}

/* --folder and --resume are enough to go on. */
static void folder_is_enough_to_resume(void)
{
    CHECK(tool_in("enough", "--steps 100 --evaluate-every 70") == 0);
    bare = 1;
    CHECK(tool("--resume --steps 200") == 0 && saved_steps() >= 200);
    CHECK(tool_said("Kept from the run: --env Made/Up-v1."));
    CHECK(tool_said("Kept from the run: --evaluate-every 70."));
    CHECK(tool_said("Kept from the run: --environments 2."));
    CHECK(tool_in("nothing", "--resume") == 2 && tool_said("either --game or --env"));
    bare = 0;
}

static void frames_have_the_size_that_was_asked_for(void)
{
    static const struct {
        const char *folder, *options;
        int width, height, channels;
    } cases[] = {{"unchanged", "", WIDTH, HEIGHT, CHANNELS},
                 {"grey", "--size 7", 7, 7, 1},
                 {"colour", "--size 8 --colour", 8, 8, CHANNELS}};
    rise_agent_desc desc;
    int i;
    for (i = 0; i < 3; i++) {
        char more[100];
        check_about("%s", cases[i].folder);
        snprintf(more, sizeof more, "--steps 100 %s", cases[i].options);
        CHECK(tool_in(cases[i].folder, more) == 0);
        CHECK(rise_agent_peek(&desc, in_folder("agent.rise"), NULL) == RISE_OK);
        CHECK(desc.frame_width == cases[i].width && desc.frame_height == cases[i].height &&
              desc.frame_channels == cases[i].channels);
    }
    check_about("%s", "");
}

/* Plays with the best agent of the run. Returns the tool's exit status. */
static int tool_plays(void)
{
    char more[2 * TRAIN_PATH];
    snprintf(more, sizeof more, "--play %s", in_folder("best.rise"));
    return tool(more);
}
/* Numbers reach the agent, beside frames or alone. An agent of numbers has its own defaults. */
static void numbers_reach_the_agent(void)
{
    rise_agent_desc desc;
    int blind;
    for (blind = 0; blind < 2; blind++) {
        check_about("%s", blind ? "numbers" : "frames and numbers");
        child_will_show(3, blind);
        CHECK(tool_in(blind ? "numbers" : "both", "--steps 200") == 0 && log_rows() > 0);
        CHECK(tool_said("The agent sees 3 numbers: made-up numbers.\n"));
        CHECK(tool_said("The agent sees 5 x 4 pixels, 3 channels; the environment sends 5 x 4 x 3, "
                        "made-up pictures.\n") == !blind);
        CHECK(tool_said("to store 500 observations") == blind);
        CHECK(rise_agent_peek(&desc, in_folder("agent.rise"), NULL) == RISE_OK);
        CHECK(desc.numbers == 3 && desc.frame_width == (blind ? 0 : WIDTH));
        CHECK(desc.frame_stack == (blind ? 1 : 4) && (desc.n_step == 10) == blind);
        CHECK(desc.learning_rate_steps == (blind ? 160 : 0));
        CHECK((desc.target_period == 500) == blind);
        CHECK((file_bytes("episode.gif") > 100) == !blind); /* numbers have no film */
        CHECK(tool_said("GIF of one") == !blind && !tool_said("cannot be written"));
        CHECK(tool_plays() == 0 && tool_said("evaluation episodes, the agent scored"));
        CHECK(tool("--steps 300 --resume") == 0 && saved_steps() >= 300);
    }
    CHECK(tool_in("set", "--steps 100 --set n_step=2 --set frame_stack=3 --blank 0.5") == 1 &&
          tool_said("Made/Up-v1 shows numbers and no frames: leave out --size"));
    CHECK(tool("--steps 100 --set n_step=2 --set frame_stack=3") == 0);
    CHECK(rise_agent_peek(&desc, in_folder("agent.rise"), NULL) == RISE_OK);
    CHECK(desc.n_step == 2 && desc.frame_stack == 3 && desc.target_period == 500);
    CHECK(tool_in("preset", "--steps 100 --preset rainbow") == 0);
    CHECK(rise_agent_peek(&desc, in_folder("agent.rise"), NULL) == RISE_OK);
    CHECK(desc.head == RISE_HEAD_C51 && desc.target_period == 2000 && desc.frame_stack == 4);
    CHECK(tool_in("btr", "--steps 60 --preset btr") == 0); /* its conv net is left out */
    CHECK(rise_agent_peek(&desc, in_folder("agent.rise"), NULL) == RISE_OK);
    CHECK(desc.head == RISE_HEAD_IQN && desc.conv_count == 0 && desc.target_period == 500);
    child_will_show(0, 0);
    check_about("%s", "");
}
/* A run goes on only with as many numbers as it began with. An agent of frames alone, which earlier
   releases saved, goes on where there are also numbers, and does not see them. */
static void another_count_of_numbers_is_refused(void)
{
    static const struct {
        int numbers, blind, other, other_blind;
        const char *words; /* NULL: it goes on */
    } cases[] = {
        {3, 1, 2, 1, "6 actions, and 3 numbers; the game has 6 actions, and 2 numbers"},
        {3, 1, 4, 1, "3 numbers; the game has 6 actions, and 4 numbers"},
        {3, 0, 2, 0, "frames of 5 x 4 x 3, and 3 numbers; the game has 6 actions, frames of 5 x 4"},
        {3, 0, 3, 1, "frames of 5 x 4 x 3, and 3 numbers; the game has 6 actions, and 3 numbers"},
        {3, 1, 3, 0, "6 actions, and 3 numbers; the game has 6 actions, frames of 5 x 4 x 3"},
        {3, 0, 0, 0, "and 3 numbers; the game has 6 actions, frames of 5 x 4 x 3, and 0 numbers"},
        {0, 0, 3, 1, "frames of 5 x 4 x 3, and 0 numbers; the game has 6 actions, and 3 numbers"},
        {0, 0, 3, 0, NULL},
    };
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        char folder[20];
        uint64_t agent, record;
        int const goes_on = cases[i].words == NULL;
        snprintf(folder, sizeof folder, "counts-%d", (int)i);
        check_about("%s", goes_on ? "frames alone" : cases[i].words);
        child_will_show(cases[i].numbers, cases[i].blind);
        CHECK(tool_in(folder, "--steps 100 --evaluate-every 50") == 0);
        agent = file_hash("agent.rise"), record = file_hash("run.txt");
        child_will_show(cases[i].other, cases[i].other_blind);
        CHECK(tool_plays() == !goes_on && (goes_on || tool_said(cases[i].words)));
        CHECK(file_hash("agent.rise") == agent && file_hash("run.txt") == record);
        CHECK(tool("--steps 200 --resume") == !goes_on);
        CHECK(tool_said(goes_on ? "also shows numbers, which this agent does not see"
                                : cases[i].words));
        CHECK(goes_on ? saved_steps() >= 200
                      : file_hash("agent.rise") == agent && file_hash("run.txt") == record);
    }
    child_will_show(0, 0);
    check_about("%s", "");
}
/* The panel draws a bar for each number. At the largest recent magnitude of the number, its bar
   reaches the edge. */
static void numbers_are_drawn_as_bars(void)
{
    static session s;
    static const float first[] = {2, -4, 0}, second[] = {0.99f, 0.99f, 0};
    uint8_t drawn[TRAIN_PICTURE * TRAIN_PICTURE + 1], *const bars = drawn;
    static float many[BRIDGE_NUMBERS];
    int const half = TRAIN_PICTURE / 2, row = TRAIN_PICTURE / 3 * TRAIN_PICTURE;
    int i;
    drawn[TRAIN_PICTURE * TRAIN_PICTURE] = 77;
    draw_numbers(&s, first, 3, bars);
    CHECK(bars[0] == 30 && bars[half - 1] == 30 && bars[half] == 230 && bars[2 * half - 1] == 230);
    CHECK(bars[row] == 230 && bars[row + half - 1] == 230 && bars[row + half] == 90);
    CHECK(bars[2 * row] == 30 && bars[2 * row + half] == 90 && bars[2 * row + half + 1] == 30);
    draw_numbers(&s, second, 3, bars); /* a half and a quarter of the largest */
    CHECK(bars[half + half / 2 - 1] == 230 && bars[half + half / 2] == 30);
    CHECK(bars[row + half + half / 4 - 1] == 230 && bars[row + half + half / 4] == 30);
    for (i = 0; i < BRIDGE_NUMBERS; i++) many[i] = 1e30f;
    draw_numbers(&s, many, BRIDGE_NUMBERS, bars);
    CHECK(bars[2 * half - 1] == 230 && bars[0] == 30);
    draw_numbers(&s, many, 1, bars);
    CHECK(bars[(TRAIN_PICTURE - 2) * TRAIN_PICTURE + half] == 230);
    CHECK(drawn[TRAIN_PICTURE * TRAIN_PICTURE] == 77);
}

/* Returns the process number of child `n` of the last run; 0: there is none. */
static long child_number(int n)
{
    long pid = 0;
    FILE *const file = fopen(children, "r");
    for (; file != NULL && n >= 0; n--)
        if (fscanf(file, "%ld", &pid) != 1) pid = 0, n = 0;
    if (file != NULL) fclose(file);
    return pid;
}
static void wait_a_while(int attempt) { poll(NULL, 0, 20 + attempt * 17 % 150); }

/* Options with which only the end of the session saves the agent. */
#define SAVES_AT_THE_END "--steps 1e9 --resume --save-every 1e9 --evaluate-every 60"

/* A child that serves training or evaluation is killed. The tool says so, and saves the agent. The
   children of evaluation start after the first steps of a session, so these steps are saved. */
static void killed_children_are_reported(void)
{
    int attempt;
    for (attempt = 0; attempt < TRIES; attempt++) {
        long const before = saved_steps();
        int killed = 0;
        pid_t pid;
        remove(children);
        pid = tool_start(SAVES_AT_THE_END, 0);
        while (!killed) {
            long victim;
            wait_a_while(attempt);
            victim = child_number(attempt % 2);
            killed = victim > 0 && kill((pid_t)victim, SIGKILL) == 0;
        }
        check_about("child %d, attempt %d", attempt % 2, attempt);
        CHECK(process_end(pid) == 1 && tool_said("the environment's process"));
        CHECK(saved_steps() >= before + attempt % 2 && saved_at_the_end() && log_rows() > 0);
    }
    check_about("%s", "");
}
/* A signal to the tool's process group stops the tool, which saves the agent. A signal that comes
   before the tool has begun may end it. */
static void interrupts_save_the_run(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    int attempt;
    for (attempt = 0; attempt < TRIES; attempt++) {
        long const before = saved_steps();
        int const number = signals[attempt % 3], early = attempt % 2;
        pid_t const pid = tool_start(SAVES_AT_THE_END, 0);
        int status;
        if (early)
            wait_a_while(2 * attempt);
        else
            tool_wait(pid, "in an evaluation"); /* after the first steps */
        if (kill(-pid, number) != 0) kill(pid, number);
        status = process_end(pid);
        check_about("signal %d, attempt %d", number, attempt);
        CHECK(status == 0 || (early && status == -number));
        CHECK(status != 0 || tool_said("--resume goes on"));
        CHECK(saved_steps() >= before + !early && saved_at_the_end());
    }
    check_about("%s", "");
}
/* Signals that reach only the children do not end them. */
static void children_leave_signals_to_the_tool(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    int i, before;
    for (i = 0; i < 3; i++) {
        pid_t pid;
        remove(children);
        pid = tool_start("--steps 1e9 --resume --save-every 0", 0);
        tool_wait(pid, "Saved after");
        check_about("signal %d", signals[i]);
        CHECK(child_number(0) > 0 && kill((pid_t)child_number(0), signals[i]) == 0);
        before = tool_said_after("Starting", "Saved after");
        while (tool_runs(pid) && tool_said_after("Starting", "Saved after") < before + 3)
            poll(NULL, 0, 10);
        CHECK(tool_runs(pid) && kill(pid, SIGTERM) == 0 && process_end(pid) == 0);
    }
    check_about("%s", "");
}
/* A tool that is killed leaves the agent that it saved last. */
static void killed_tool_leaves_the_last_save(void)
{
    int attempt;
    for (attempt = 0; attempt < TRIES; attempt++) {
        long const before = saved_steps();
        pid_t const pid = tool_start("--steps 1e9 --resume --save-every 0", 0);
        wait_a_while(2 * attempt);
        kill(pid, SIGKILL);
        check_about("attempt %d", attempt);
        CHECK(process_end(pid) == -SIGKILL && saved_steps() >= before);
    }
    check_about("%s", "");
    CHECK(tool("--steps 1 --resume") == 0 && log_rows() > 0);
}
/* The tool reports that it could not save, and the last save is whole. */
static void full_disk_keeps_the_last_save(void)
{
    uint64_t const agent = file_hash("agent.rise"), best = file_hash("best.rise");
    long const steps = saved_steps(), later = steps + (check_share > 1 ? 100 : 400);
    char more[100];
    snprintf(more, sizeof more, "--steps %ld --resume --save-every 0", later);
    CHECK(tool_within(more, (size_t)file_bytes("agent.rise") / 3) == 1 && tool_said("NOT SAVED"));
    CHECK(file_hash("agent.rise") == agent && saved_steps() == steps);
    CHECK(file_hash("best.rise") == best || file_bytes("best.rise") < file_bytes("agent.rise") / 3);
    CHECK(tool(more) == 0 && saved_steps() >= later);
}

/* Runs a scenario in a process of its own. Its output goes through a pipe to `said`, because a
   scenario may limit the size of files. Returns its result. */
static int apart(int (*scenario)(void))
{
    static char text[1 << 20];
    int end, result;
    pid_t const pid = process_fork(&end);
    if (pid == 0) {
        result = scenario();
        fflush(stdout);
        _exit(result); /* agents of a scenario stay: a leak checker must not run */
    }
    result = process_output(pid, end, text, sizeof text);
    folder_write(place, "said", text);
    return result;
}
/* In a scenario: if a condition does not hold, prints its line and returns 1. */
#define MUST(condition)                                                                            \
    if (!(condition)) return fprintf(stderr, "line %d: %s\n", __LINE__, #condition), 1
/* Checks that a scenario returns 0. */
#define CHECK_APART(scenario)                                                                      \
    if (!CHECK(apart(scenario) == 0)) printf("    %s", tool_text())

/* Begins a session of the run in the folder, with a new agent. Returns 0 on failure. */
static int begin_session(train_run *t, int seed)
{
    rise_agent_desc d;
    rise_agent *agent;
    rise_error error;
    train_options o;
    memset(&d, 0, sizeof d);
    memset(&o, 0, sizeof o);
    d.frame_width = d.frame_height = 8;
    d.frame_channels = 1;
    d.actions = 2;
    d.replay_capacity = d.learn_start = 100;
    d.seed = (uint64_t)seed;
    o.title = "made up";
    o.folder = run_folder;
    o.steps = o.evaluate_every = 100;
    o.plain = 1;
    if (rise_agent_create(&agent, &d, &error) != RISE_OK) return puts(error.text), 0;
    return train_open(t, &o, agent);
}
/* Records an evaluation after one more step. */
static void score_after_a_step(train_run *t, double score)
{
    static const uint8_t frame[64];
    rise_agent_step(t->agent, frame, 0, train_steps(t) > 0 ? RISE_MIDDLE : RISE_FIRST);
    train_evaluated(t, score);
}

/* A session that was killed leaves best.rise and, if it was killed between two writes, the line of
   a policy in best.txt that never became best.rise. */
static int kill_after_the_best(void)
{
    static train_run one, two, three;
    train_best next = {9, 9, 123};
    uint64_t best;
    MUST(begin_session(&one, 1));
    score_after_a_step(&one, 5);
    MUST(file_bytes("best.rise") > 0 && file_bytes("agent.rise") > 0);
    MUST(train_note_best(&one, &next));
    best = file_hash("best.rise");
    MUST(begin_session(&two, 2)); /* has no step, so it keeps no row of log.csv */
    MUST(begin_session(&two, 2) && two.best.score == 5 && two.best.steps == 1);
    score_after_a_step(&two, 3);
    MUST(file_hash("best.rise") == best && two.best.score == 5);
    score_after_a_step(&two, 6);
    MUST(file_hash("best.rise") != best && two.best.score == 6);
    MUST(remove(in_folder("best.txt")) == 0 && mkdir(in_folder("best.txt"), 0777) == 0);
    best = file_hash("best.rise");
    score_after_a_step(&two, 9); /* a folder cannot be written */
    MUST(file_hash("best.rise") == best && two.best.score == 6);
    MUST(strstr(two.trouble[TRAIN_BEST], strerror(EISDIR)) != NULL);
    MUST(rmdir(in_folder("best.txt")) == 0);
    score_after_a_step(&two, 8);
    MUST(file_bytes("best.txt") > 0 && two.best.score == 8);
    MUST(remove(in_folder("best.txt")) == 0); /* an older version wrote none */
    MUST(begin_session(&three, 3) && three.best.score == 9); /* from log.csv: no worse one wins */
    MUST(remove(in_folder("best.rise")) == 0);
    MUST(begin_session(&three, 3) && isnan(three.best.score));
    return 0;
}
static void worse_agent_never_replaces_the_best(void)
{
    use_folder("best");
    CHECK_APART(kill_after_the_best);
    CHECK(remove(in_folder("agent.rise")) == 0);
}

/* Saves everything. Returns whether each file was written. */
static int all_saved(train_run *t, double score)
{
    int file, bad = 0;
    score_after_a_step(t, score);
    train_save(t);
    train_save_curve(t);
    for (file = 0; file < TRAIN_FILES; file++) bad += t->trouble[file][0] != '\0';
    return bad == 0;
}
/* Saves everything. Returns whether each file has an error text with the folder and the cause. */
static int all_refused(train_run *t, double score, int why)
{
    int file, good = 1;
    all_saved(t, score);
    for (file = 0; file < TRAIN_FILES; file++) {
        puts(t->trouble[file]);
        good = good && strstr(t->trouble[file], run_folder) != NULL &&
               strstr(t->trouble[file], strerror(why)) != NULL;
    }
    return good && strncmp(train_news(t), "NOT SAVED: ", 11) == 0; /* the panel shows the worst */
}
/* Returns the hash of all files of the run. */
static uint64_t run_hash(void)
{
    static const char *const names[] = {"agent.rise", "best.rise", "best.txt", "log.csv",
                                        "curve.svg"};
    uint64_t hash = 0;
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++) hash = mix(hash + file_hash(names[i]));
    return hash;
}
static int fill_the_disk(void)
{
    static train_run t;
    uint64_t before;
    MUST(begin_session(&t, 1) && all_saved(&t, 5));
    before = run_hash();
    process_limit_files(1);
    MUST(all_refused(&t, 7, EFBIG) && t.best.score == 5);
    MUST(all_refused(&t, 8, EFBIG) && run_hash() == before);
    process_limit_files((size_t)file_bytes("log.csv") + 10); /* room for a part of a row */
    MUST(!train_append_row(&t, &t.now) && errno == EFBIG && run_hash() == before);
    process_limit_files(0);
    MUST(all_saved(&t, 6) && t.best.score == 6 && log_rows() == 2 && run_hash() != before);
    MUST(folder_visit(run_folder, "curve.svg", 0) == 1);
    MUST(folder_visit(run_folder, "best.", 0) == 2); /* best.rise and best.txt */
    MUST(train_close(&t));
    return 0;
}
static int move_the_folder(void)
{
    static train_run t;
    char away[TRAIN_PATH + 10];
    snprintf(away, sizeof away, "%.250s-away", run_folder);
    MUST(begin_session(&t, 1) && all_saved(&t, 5));
    MUST(rename(run_folder, away) == 0);
    MUST(all_refused(&t, 7, ENOENT) && all_refused(&t, 8, ENOENT) && t.best.score == 5);
    MUST(rename(away, run_folder) == 0);
    MUST(all_saved(&t, 6) && t.best.score == 6 && log_rows() == 2);
    return 0;
}
/* Each file that cannot be written is reported, stays as it was, and is written later. */
static void run_outlives_a_full_disk_and_a_lost_folder(void)
{
    uint64_t film;
    char more[2 * TRAIN_PATH];
    use_folder("full");
    CHECK_APART(fill_the_disk);
    use_folder("moved");
    CHECK_APART(move_the_folder);
    CHECK(tool_in("film", "--steps 200") == 0);
    film = file_hash("episode.gif");
    snprintf(more, sizeof more, "--last-episodes 1 --play %s", in_folder("best.rise"));
    CHECK(tool_within(more, 500) == 0);
    CHECK(tool_said("episode.gif cannot be written: File too large"));
    CHECK(film != 0 && file_hash("episode.gif") == film);
    CHECK(folder_visit(run_folder, "episode.gif", 0) == 1);
    film = file_hash("run.txt");
    CHECK(tool_within("--resume --steps 300", 500) == 1);
    CHECK(tool_said("run.txt cannot be written (File too large)"));
    CHECK(film != 0 && file_hash("run.txt") == film);
    CHECK(folder_visit(run_folder, "run.txt", 0) == 1);
}

/* Without --folder, --play writes its film beside the agent's file, although the default seed and
   memory would name another folder. */
static void film_is_beside_the_agent(void)
{
    static session s;
    static const char *const paths[][2] = {{"some/where/best.rise", "some/where"},
                                           {"best.rise", "."},
                                           {"/best.rise", "/"},
                                           {"../best.rise", ".."}};
    char line[2 * TRAIN_PATH];
    size_t i;
    CHECK(tool_in("beside", "--steps 200 --seed 3") == 0);
    CHECK(remove(in_folder("episode.gif")) == 0);
    no_folder = 1;
    CHECK(tool_plays() == 0);
    no_folder = 0;
    snprintf(line, sizeof line, "GIF of one episode: %s\n", in_folder("episode.gif"));
    CHECK(tool_said(line) && file_bytes("episode.gif") > 100);
    for (i = 0; i < sizeof paths / sizeof *paths; i++) {
        check_about("%s", paths[i][0]);
        command_begin(&s.line, table, TABLE);
        command_set(&s.line, command_find(&s.line, "--env"), "Made/Up-v1");
        command_set(&s.line, command_find(&s.line, "--play"), paths[i][0]);
        CHECK(name_folder(&s) && strcmp(s.folder, paths[i][1]) == 0);
        command_set(&s.line, command_find(&s.line, "--folder"), "given");
        CHECK(name_folder(&s) && strcmp(s.folder, "given") == 0);
    }
    check_about("%s", "");
}

/* A signal ends --play, and the unfinished GIF is removed. */
static void interrupted_film_is_removed(void)
{
    char more[2 * TRAIN_PATH];
    pid_t pid;
    CHECK(tool_in("unfinished", "--steps 100") == 0);
    snprintf(more, sizeof more, "--play %s --last-episodes 1e9", in_folder("best.rise"));
    pid = tool_start(more, 0);
    while (folder_visit(run_folder, "episode.gif.new-", 0) == 0 && tool_runs(pid))
        poll(NULL, 0, 10);
    CHECK(kill(pid, SIGTERM) == 0 && process_end(pid) == 0);
    CHECK(folder_visit(run_folder, "episode.gif.new-", 0) == 0 && file_bytes("episode.gif") > 100);
}

/* Returns how many frames of episode.gif change most of the picture, and all of them in *frames. A
   frame holds the rectangle that differs from the frame before. */
static int film_changes(int *frames)
{
    static unsigned char bytes[1 << 16];
    FILE *const file = fopen(in_folder("episode.gif"), "rb");
    size_t const size = file != NULL ? fread(bytes, 1, sizeof bytes, file) : 0;
    size_t at;
    int changes = 0;
    if (file != NULL) fclose(file);
    *frames = 0;
    for (at = 0; at + 18 <= size; at++) {
        if (memcmp(bytes + at, "\x21\xF9\x04\x04", 4) != 0) continue; /* begins a frame */
        ++*frames;
        changes += bytes[at + 13] + 256 * bytes[at + 14] > 80; /* pixels in a row, of 165 */
    }
    return changes;
}
/* Training evaluates in 4 environments, then plays 1 episode with the best agent. The film shows
   the environment that plays. All frames of the others are equal. */
static void film_shows_the_episode(void)
{
    int frames, changes;
    CHECK(tool_in("few", "--steps 300 --episodes 4 --last-episodes 1") == 0);
    changes = film_changes(&frames);
    CHECK(frames >= 2 && changes == frames);
}

/* Evaluates an agent with one player in three environments. */
static int evaluate_with_one_player(void)
{
    static session s;
    rise_agent_desc d;
    rise_agent *agent;
    double score;
    memset(&d, 0, sizeof d);
    d.frame_width = WIDTH, d.frame_height = HEIGHT, d.frame_channels = CHANNELS;
    d.actions = ACTIONS;
    d.players = 1;
    MUST(rise_agent_create(&agent, &d, NULL) == RISE_OK);
    s.options.environment = "Made/Up-v1";
    s.options.python = s.options.bridge = self;
    MUST(!evaluate(&s, agent, 3, NULL, &score));
    arcade_close(&s.evaluated);
    return 0;
}
/* Goes on with a run whose steps are done and whose last evaluation was interrupted. */
static int resume_for_the_last_evaluation(void)
{
    static session s;
    static train_run one;
    rise_agent_desc d;
    rise_agent *agent;
    train_options o;
    MUST(begin_session(&one, 1));
    memset(&d, 0, sizeof d);
    d.frame_width = WIDTH, d.frame_height = HEIGHT, d.frame_channels = CHANNELS;
    d.actions = ACTIONS;
    d.players = EVALUATED_GAMES;
    MUST(rise_agent_create(&agent, &d, NULL) == RISE_OK);
    o = one.options;
    o.steps = 1;
    MUST(train_open(&s.training, &o, agent));
    rise_agent_step(agent, (const uint8_t[PIXELS]){0}, 0, RISE_FIRST);
    train_tick(&s.training);
    MUST(train_over(&s.training) && isnan(s.training.best.score));
    s.options.environment = "Made/Up-v1";
    s.options.python = s.options.bridge = self;
    s.options.episodes = 3;
    /* the interrupted session has logged its last step, without a score */
    MUST(train_close(&s.training) && train_open(&s.training, &o, agent));
    MUST(learn(&s) && !isnan(s.training.best.score) && s.training.best.steps == 1);
    MUST(log_rows() == 1);
    arcade_close(&s.evaluated);
    return 0;
}
static void last_evaluation_is_made_up_for(void)
{
    use_folder("made-up-for");
    CHECK_APART(resume_for_the_last_evaluation);
}

/* A failed call of the agent, and a failed environment, give one sentence and the status 1. */
static void failed_evaluation_says_why_once(void)
{
    CHECK_APART(evaluate_with_one_player);
    CHECK(strncmp(tool_text(), "atari: player is 1", 18) == 0);
    CHECK(strchr(tool_text(), '\n') == strrchr(tool_text(), '\n'));
    CHECK(tool_in("failing", "--steps 200") == 0);
    setenv("BRIDGE_TEST", "crashes", 1);
    CHECK(tool_plays() == 1 && tool_said("atari: the environment's process was ended by signal 9"));
    CHECK(!tool_said("evaluation episodes, the"));
    setenv("BRIDGE_TEST", "is good", 1);
}

/* A start that is refused leaves no folder. */
static void refused_start_leaves_no_folder(void)
{
    char more[2 * TRAIN_PATH], path[FOLDER_PATH], deep[2 * TRAIN_PATH], longer[260];
    struct stat s;
    snprintf(more, sizeof more, "--play %s --python /nowhere/python", in_folder("best.rise"));
    CHECK(tool_in("refused/inside", more) == 1 && tool_said("/nowhere/python"));
    folder_path(place, "refused", path);
    CHECK(stat(path, &s) != 0);
    use_folder("refused/inside");
    CHECK(tool_within("--steps 100", 300) == 1 && tool_said("cannot be written (File too large)"));
    CHECK(stat(path, &s) != 0);
    memset(longer, 'x', sizeof longer);
    longer[256] = '\0'; /* no file system allows it */
    snprintf(deep, sizeof deep, "%s/in/%s", path, longer);
    CHECK(train_make_folder(deep) == -1 && errno == ENAMETOOLONG);
    CHECK(stat(path, &s) != 0);
    snprintf(deep, sizeof deep, "%s//in/side/", path);
    CHECK(train_make_folder(deep) == 3 && train_make_folder(deep) == 0);
    train_remove_folders(deep, 2);
    CHECK(stat(path, &s) == 0 && rmdir(path) == 0);
}

/* Returns the default folder of an environment. */
static const char *folder_of(const char *environment)
{
    static session s;
    command_begin(&s.line, table, TABLE);
    command_set(&s.line, command_find(&s.line, "--env"), environment);
    return name_folder(&s) ? s.folder : "";
}
static void folders_of_two_packages_differ(void)
{
    static const char *const names[] = {"Breakout-v1", "MinAtar/Breakout-v1", "other:Breakout-v1",
                                        "other/Breakout-v1", "other:MinAtar/Breakout-v1"};
    char first[TRAIN_PATH], name[COMMAND_TEXT + 20], longer[300];
    options o;
    size_t i, j;
    for (i = 0; i < 5; i++)
        for (j = 0; j < i; j++) {
            snprintf(first, sizeof first, "%s", folder_of(names[i]));
            check_about("%s and %s", names[i], names[j]);
            CHECK(strcmp(first, folder_of(names[j])) != 0);
        }
    check_about("%s", "");
    CHECK(strcmp(folder_of(names[1]), "runs/MinAtar/Breakout-v1-rise-1") == 0);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK(folder_of(longer)[0] == '\0'); /* it would be cut */
    memset(&o, 0, sizeof o);
    o.environment = longer;
    game_name(&o, name, sizeof name);
    CHECK(strcmp(name, longer) == 0);
    o.environment = NULL;
    o.game = "tic_tac_toe_3d"; /* ALE's only game with a letter after a digit */
    game_name(&o, name, sizeof name);
    CHECK(strcmp(name, "ALE/TicTacToe3D-v5") == 0);
}

/* Returns the score of best.rise by best.txt; NAN: best.txt has no line for this file. */
static double best_score(void)
{
    char line[200];
    uint64_t hash;
    double score = (double)NAN, read;
    FILE *const file = fopen(in_folder("best.txt"), "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%" SCNx64 " %lf", &hash, &read) == 2 && hash == file_hash("best.rise"))
            score = read;
    if (file != NULL) fclose(file);
    return score;
}
/* Returns whether best.rise can be loaded and played. */
static int best_plays(void)
{
    rise_agent_desc machine;
    rise_agent *agent;
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    if (rise_agent_load(&agent, in_folder("best.rise"), &machine, NULL) != RISE_OK) return 0;
    rise_agent_destroy(agent);
    return 1;
}
/* Writes a best.txt that gives best.rise this score. */
static void set_best_score(double score)
{
    FILE *const file = fopen(in_folder("best.txt"), "w");
    if (!CHECK(file != NULL)) return;
    fprintf(file, "%016" PRIx64 " %.17g 1\n", file_hash("best.rise"), score);
    fclose(file);
}
/* Makes the folder of the run a copy of the folder `from`. */
static int copy_run(const char *from)
{
    char command[4 * TRAIN_PATH];
    snprintf(command, sizeof command, "rm -rf %s && cp -r %s/%s %s", run_folder, place, from,
             run_folder);
    return system(command) == 0;
}
/* Returns the hash of the first row of log.csv, which has the time of its report. Another run has
   another first row. */
static uint64_t first_row(void)
{
    char line[1000] = "";
    uint64_t hash = 0;
    size_t i;
    FILE *const file = fopen(in_folder("log.csv"), "r");
    if (file == NULL) return 0;
    if (fgets(line, sizeof line, file) == NULL || fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    for (i = 0; line[i] != '\0'; i++) hash = mix(hash + (unsigned char)line[i]);
    return hash;
}
/* Checks what no fault may change: the agent has at least these steps and belongs to the same run,
   and best.rise is no worse. */
static void run_is_kept(long steps, uint64_t row, double score, uint64_t best)
{
    CHECK(saved_steps() >= steps && first_row() == row);
    CHECK(best_plays() && best_score() >= score);
    CHECK(score < 0 || file_hash("best.rise") == best);
    CHECK(recorded("session 2", 1) && recorded("option --set learn_start=50\n", 1));
}
/* Resumes a copy of a run with a fault at each call in turn, with CHECK_QUICK at one call in 29.
   The best agent of the run has this score: below all scores, so that it is replaced, or above all,
   so that it must stay. */
static void resume_with_faults(fault_kind how, double score)
{
    static const char *const more = "--resume --evaluate-every 40 --steps 230";
    static int templates;
    char template[30];
    long before, at;
    uint64_t best, row;
    int failed = 1;
    snprintf(template, sizeof template, "template-%d", ++templates);
    CHECK(tool_in(template, "--steps 150 --evaluate-every 60") == 0);
    set_best_score(score);
    before = saved_steps(), best = file_hash("best.rise"), row = first_row();
    CHECK(before >= 150 && before < 160 && row != 0);
    bare = 1; /* so that the other options come from the run */
    use_folder("faulty");
    for (at = 1; failed; at += check_share > 1 ? 29 : 1) {
        const char *fault;
        int status;
        CHECK(copy_run(template));
        fault_at = at, fault_how = how;
        status = tool(more);
        fault_at = 0;
        failed = tool_said("FAULT: ");
        fault = failed ? strstr(tool_text(), "FAULT: ") : "no fault";
        check_about("%.*s, status %d", (int)strcspn(fault, "\n"), fault, status);
        if (how == FAULT_KILL)
            CHECK(status == (failed ? -SIGKILL : 0));
        else
            CHECK(status == 0 || (failed && status == 1));
        run_is_kept(status == 0 ? 230 : before, row, score, best);
        /* one sentence: the cause, or that a file could not be read */
        CHECK(how != FAULT_ONCE || status != 1 || tool_said(strerror(EIO)) ||
              tool_said(" could not be read after ") || tool_said(" cannot be read: "));
        CHECK(tool(more) == 0 && log_rows() > 0);
        run_is_kept(230, row, score, best);
    }
    bare = 0;
    check_about("%s", "");
    check_note("%ld calls", at - 1);
}
static void each_fault_keeps_the_run(void) { resume_with_faults(FAULT_ONCE, -1e9); }
static void each_fault_keeps_the_best(void) { resume_with_faults(FAULT_ONCE, 1e9); }
static void lasting_faults_keep_the_run(void) { resume_with_faults(FAULT_ON, -1e9); }
static void kills_at_any_call_keep_the_run(void) { resume_with_faults(FAULT_KILL, -1e9); }

/* A run whose agent.rise is missing is not begun again over its best.rise. */
static void best_agent_alone_is_not_overwritten(void)
{
    uint64_t best;
    CHECK(tool_in("alone", "--steps 200") == 0);
    best = file_hash("best.rise");
    CHECK(remove(in_folder("agent.rise")) == 0);
    CHECK(tool("--steps 200") == 1 && tool_said("add --resume") && file_hash("best.rise") == best);
}

static int hang_up(void)
{
    signal(SIGHUP, SIG_IGN); /* as nohup does */
    terminal_catch_signals();
    raise(SIGHUP);
    MUST(!terminal_interrupted);
    signal(SIGHUP, SIG_DFL);
    terminal_catch_signals();
    raise(SIGHUP);
    raise(SIGHUP); /* a terminal that closes often sends two */
    MUST(terminal_interrupted);
    return 0;
}
static void hangups_do_not_kill(void) { CHECK_APART(hang_up); }

/* The program that reads the output has ended. */
static int print_to_nobody(void)
{
    static train_run t;
    int ends[2];
    signal(SIGPIPE, SIG_DFL);
    MUST(begin_session(&t, 1) && pipe(ends) == 0);
    close(ends[0]);
    dup2(ends[1], 1);
    score_after_a_step(&t, 5);
    MUST(train_close(&t) && fflush(stdout) != 0 && saved_steps() == 1);
    return 0;
}
static void output_that_nobody_reads_does_no_harm(void)
{
    use_folder("unread");
    CHECK_APART(print_to_nobody);
}

/* If all scores are the same, and below 0, the chart still has a scale. */
static int score_the_same(void)
{
    static train_run t;
    static terminal screen;
    chart c;
    char svg[20000];
    int i;
    MUST(begin_session(&t, 1));
    t.options.title = "a<b & c";
    for (i = 0; i < 3; i++) score_after_a_step(&t, -200);
    c = train_chart(&t);
    chart_draw(&c, &screen, 0, 0, 10, 60, 5);
    train_save_curve(&t);
    folder_read(run_folder, "curve.svg", svg, sizeof svg);
    MUST(strstr(svg, "</svg>") != NULL && strstr(svg, "nan") == NULL && strstr(svg, "inf") == NULL);
    MUST(strstr(svg, "highest -200") != NULL && strstr(svg, ">-199.8<") != NULL);
    MUST(strstr(svg, ">a&lt;b &amp; c: mean") != NULL); /* XML */
    return 0;
}
static void equal_scores_have_a_chart(void)
{
    use_folder("equal");
    CHECK_APART(score_the_same);
}

/* Text of the panel is UTF-8. A byte that is no part of a character, and a control character,
   become '?'. */
static void panels_show_utf8(void)
{
    static terminal screen;
    static const struct {
        const char *text;
        int glyphs[4];
    } cases[] = {{"caf\xC3\xA9", {'c', 'a', 'f', 0xE9}},
                 {"\xE2\x96\x80\xEF\xBF\xBD|", {0x2580, 0xFFFD, '|', 0}},
                 {"\xE9t\xC3", {'?', 't', '?', 0}},                  /* Latin-1; cut short */
                 {"\xC0\xAFx", {'?', '?', 'x', 0}},                  /* overlong */
                 {"\xED\xA0\x80", {'?', '?', '?', 0}},              /* a surrogate */
                 {"\xF0\x9F\x98\x80", {'?', '?', '?', '?'}},        /* above U+FFFF */
                 {"a\nb\x7F", {'a', '?', 'b', '?'}},
                 {"\xC2\x9Bm", {'?', '?', 'm', 0}}}; /* begins a command of some terminals */
    int i, k;
    for (i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        terminal_text(&screen, i, 2, TERMINAL_PLAIN, "%s", cases[i].text);
        check_about("case %d", i);
        for (k = 0; k < 4; k++) CHECK(screen.cells[i][2 + k].glyph == cases[i].glyphs[k]);
    }
    check_about("%s", "");
}

/* The last evaluation comes after the last step. */
static int evaluate_last(void)
{
    static train_run t;
    char text[60], svg[20000];
    MUST(begin_session(&t, 1));
    score_after_a_step(&t, 5);
    t.options.steps = t.now.steps = train_steps(&t);
    t.now.steps_per_second = 10;
    MUST(t.evaluated >= 1 && strcmp(train_left(&t, text, sizeof text), "") == 0);
    t.evaluated = 0; /* at the end, an evaluation is due at any step */
    MUST(strcmp(train_left(&t, text, sizeof text), ", last evaluation") == 0);
    t.options.steps += 10;
    MUST(strcmp(train_left(&t, text, sizeof text), ", 0:00:01 left") == 0);
    MUST(!train_evaluation_due(&t)); /* no multiple of evaluate_every was passed */
    t.options.evaluate_every = t.now.steps;
    MUST(train_evaluation_due(&t));
    train_save_curve(&t);
    folder_read(run_folder, "curve.svg", svg, sizeof svg);
    MUST(strstr(svg, "<circle fill=\"#e8710a\" cx=\"410.0\"") != NULL); /* a point is seen */
    return 0;
}
static void last_evaluation_is_shown(void)
{
    train_row row;
    use_folder("last");
    CHECK_APART(evaluate_last);
    /* the last step has one row (log_rows refuses two), with its score */
    CHECK(tool_in("rows", "--steps 400 --evaluate-every 200") == 0 && log_rows() >= 2);
    CHECK(last_row(&row) && row.steps >= 400 && !isnan(row.score));
}

/* Appends this process's number to the list of children, so that tests can kill it. */
static void write_number(void)
{
    FILE *const file = fopen(getenv("TRAINING_CHILDREN"), "a");
    if (file == NULL) return;
    fprintf(file, "%ld\n", (long)getpid());
    fclose(file);
}

/* Most tests go on with a run that was saved before. */
static void begin_test(void)
{
    use_folder("run");
    if (strcmp(check_state.test, "whole_run_leaves_its_files") != 0 && saved_steps() < 0)
        tool("--steps 400");
}

static const check_test tests[] = {
    TEST(whole_run_leaves_its_files),
    TEST(wrong_arguments_are_refused),
    TEST(too_many_repeats_are_refused),
    TEST(folders_in_folders_are_made),
    TEST(run_is_recorded),
    TEST(resumed_run_keeps_its_options),
    TEST(resumed_run_has_new_episodes),
    TEST(patience_is_an_option),
    TEST(folder_is_enough_to_resume),
    TEST(frames_have_the_size_that_was_asked_for),
    TEST(numbers_reach_the_agent),
    TEST(another_count_of_numbers_is_refused),
    TEST(numbers_are_drawn_as_bars),
    TEST(killed_children_are_reported),
    TEST(interrupts_save_the_run),
    TEST(children_leave_signals_to_the_tool),
    TEST(killed_tool_leaves_the_last_save),
    TEST(full_disk_keeps_the_last_save),
    TEST(worse_agent_never_replaces_the_best),
    TEST(run_outlives_a_full_disk_and_a_lost_folder),
    TEST(film_is_beside_the_agent),
    TEST(interrupted_film_is_removed),
    TEST(film_shows_the_episode),
    TEST(last_evaluation_is_made_up_for),
    TEST(failed_evaluation_says_why_once),
    TEST(refused_start_leaves_no_folder),
    TEST(folders_of_two_packages_differ),
    TEST(each_fault_keeps_the_run),
    TEST(each_fault_keeps_the_best),
    TEST(lasting_faults_keep_the_run),
    TEST(kills_at_any_call_keep_the_run),
    TEST(best_agent_alone_is_not_overwritten),
    TEST(hangups_do_not_kill),
    TEST(output_that_nobody_reads_does_no_harm),
    TEST(equal_scores_have_a_chart),
    TEST(panels_show_utf8),
    TEST(last_evaluation_is_shown),
};
int main(int count, char **arguments)
{
    int status;
    if (count > 1 && getenv("TRAINING_CHILDREN") != NULL) write_number();
    if (child_was_meant(count, arguments, &status)) return status;
    if (!can_start()) {
        printf("training: skipped: this program cannot start itself here, so there are no games\n");
        printf("0 tests\n0 passed, 0 failed\n");
        return 0;
    }
    if (!folder_make("training", place)) return 1;
    folder_path(place, "said", said), folder_path(place, "children", children);
    setenv("BRIDGE_TEST", "is good", 1);
    setenv("BRIDGE_TEST_INHERITED", "100", 1);
    setenv("TRAINING_CHILDREN", children, 1);
    check_state.before = begin_test;
    status = CHECK_MAIN(count, arguments, tests);
    return folder_unmake(place) ? status : 1;
}

#endif
