/* Tests examples/export.h, which writes an agent as a C header, and the option --export of
   examples/watch.c. Compiles headers with $CC, and with the cross compilers that are here.
       cc -O2 tests/export.c -o export -lm && ./export
   Writes files export_test* in the current folder, and removes them. */
#if !defined(__unix__) && !defined(__APPLE__)

#include <stdio.h>
int main(void)
{
    printf("export: skipped, this is no POSIX system\n0 passed, 0 failed\n");
    return 0;
}

#else

#define _FILE_OFFSET_BITS 64
#include "../examples/export.h" /* first: defines _DEFAULT_SOURCE */
#include "toy.h"
#include "folder.h"
#include "process.h"
int watch_main(int count, char **arguments);
#define main watch_main
#define load watch_load
#include "../examples/watch.c"
#undef main
#undef load

/* The agents that are exported: frames, numbers, masks, and every memory. Those from FLOATS on are
   saved with 8-bit weights. The last ones, from HALVES on, are exported with 16-bit weights. */
static const char *const words[] = {
    "memory=rise numbers=3 number_features=2 action_masks=1 feed_action=1 embedding=conv",
    "memory=full cell=gru stored residual", "memory=none blind head=iqn",
    "memory=none head=c51 noisy=1 panels", "memory=rise feed_action=1", "memory=full cell=lstm",
    "memory=rise cell=gru numbers=3 number_features=2"};
enum { AGENTS = COUNT(words), FLOATS = 4, HALVES = 6 };

static char text[1 << 20]; /* a header, or what a program printed */

/* Reads a file into `text`. */
static void read_text(const char *path)
{
    CHECK(folder_read(".", path, text, sizeof text) > 0);
}
static int said(const char *what) { return strstr(text, what) != NULL; }

/* Saves an agent that has learned as export_test.rise. */
static void save(const char *fields, rise_save what)
{
    world w = world_begin(fields, 60);
    CHECK(rise_agent_save(w.agent, what, "export_test.rise", NULL) == RISE_OK);
    rise_agent_destroy(w.agent);
}
static void export_as(const char *header, rise_save what)
{
    rise_error error = {RISE_OK, ""};
    if (!CHECK(export_policy("export_test.rise", header, what, &error)))
        printf("%s\n", error.text);
}
static void export_to(const char *header) { export_as(header, RISE_SAVE_POLICY); }
/* Returns the bytes for the agent that the comment of the header in `text` passes to
   rise_agent_open; 0: none. */
static unsigned long memory_bytes(void)
{
    static const char line[] = "static unsigned char memory[";
    const char *const at = strstr(text, line);
    return at != NULL ? strtoul(at + sizeof line - 1, NULL, 10) : 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Headers are compiled and run */

/* Changes the digit that stands `before` bytes before a text of the header. */
static void change_digit(const char *header, const char *where, int before)
{
    char *at;
    read_text(header);
    at = strstr(text, where);
    if (CHECK(at != NULL)) at[-before] = at[-before] == '1' ? '2' : '1';
    folder_write(".", header, text);
}
/* Returns whether the kernels of this program are fused. */
static int fused_here(void) { return rise_kernels_of(RISE_ISA_AUTO)->fused; }

/* Writes the program for RISE_PLAY_ONLY. Each agent gets as many bytes as the comment of its header
   says. After the agents' results, the program prints whether a block that is too small is refused.
   */
static void write_player(void)
{
    char program[4000] = "", name[40];
    size_t at = 0;
    int k;
    for (k = 0; k < AGENTS; k++) {
        snprintf(name, sizeof name, "export_test%d.h", k);
        read_text(name);
        at += (size_t)snprintf(program + at, sizeof program - at,
                               "#include \"%s\"\nstatic unsigned char memory%d[%lu];\n", name, k,
                               memory_bytes());
    }
    at += (size_t)snprintf(program + at, sizeof program - at,
                           "#include <stdio.h>\nint main(void)\n{\n");
    for (k = 0; k < AGENTS; k++)
        at += (size_t)snprintf(program + at, sizeof program - at,
                               "    printf(\"%%d \", export_test%d_check_in(memory%d, "
                               "sizeof memory%d));\n", k, k, k);
    snprintf(program + at, sizeof program - at,
             "    printf(\"%%d\\n\", export_test0_check_in(memory0, 1000) == RISE_NO_MEMORY);\n"
             "    return 0;\n}\n");
    folder_write(".", "export_test_player.c", program);
}
/* Writes the headers of all agents, and two programs that check them. The programs print "0" for
   each agent that passes. The first program then prints "1" for each of these four facts. The
   weights of a policy are read in place. The first agent's check fails for an agent with other
   weights. A check whose array has one wrong byte returns RISE_BAD_FILE. A check finds a wrong last
   digit of the last Q if both programs have fused kernels; else the Q is within the tolerance. */
static void write_program(void)
{
    char name[40], program[4000] = "";
    size_t at = 0;
    int k;
    for (k = 0; k < AGENTS; k++) {
        check_about("%s", words[k]);
        save(words[k], k >= FLOATS && k < HALVES ? RISE_SAVE_INT8
                       : k % 2 == 0              ? RISE_SAVE_POLICY
                                                 : RISE_SAVE_AGENT);
        snprintf(name, sizeof name, "export_test%d.h", k);
        export_as(name, k >= HALVES ? RISE_SAVE_FLOAT16 : RISE_SAVE_POLICY);
        at += (size_t)snprintf(program + at, sizeof program - at, "#include \"%s\"\n", name);
    }
    check_about("%s", "");
    save("memory=rise numbers=3 number_features=2 action_masks=1 feed_action=1 embedding=conv "
         "seed=8", RISE_SAVE_POLICY);
    export_to("export_test_other.h");
    export_to("export_test_wrong.h");
    change_digit("export_test_wrong.h", ",\n};\n#undef", 1);
    export_to("export_test_bit.h");
    change_digit("export_test_bit.h", "u}};\n    static const unsigned char actions", 1);
    at += (size_t)snprintf(program + at, sizeof program - at,
                           "#include \"export_test_other.h\"\n#include \"export_test_wrong.h\"\n"
                           "#include \"export_test_bit.h\"\n#include <stdio.h>\n"
                           "int main(void)\n{\n    rise_agent *agent;\n    rise_metrics m;\n");
    for (k = 0; k < AGENTS; k++)
        at += (size_t)snprintf(program + at, sizeof program - at,
                               "    printf(\"%%d \", export_test%d_check());\n", k);
    snprintf(program + at, sizeof program - at,
             "    printf(\"%%d \", export_test_other_check());\n"
             "    if (rise_agent_open(&agent, export_test_other_policy,\n"
             "                        sizeof export_test_other_policy, NULL, NULL) < 0) return 1;\n"
             "    rise_agent_metrics(agent, &m);\n"
             "    printf(\"%%d %%d %%d %%d\\n\", rise_agent_query(agent)->weights != NULL,\n"
             "           export_test0_check_agent(agent) > 0,\n"
             "           export_test_wrong_check() == RISE_BAD_FILE,\n"
             "           export_test_bit_check() == (%d && m.fused ? %d : 0));\n"
             "    rise_agent_destroy(agent);\n    return 0;\n}\n",
             fused_here(), EXPORT_STEPS);
    folder_write(".", "export_test.c", program);
    write_player();
}

/* Runs a command of the shell: `format` with the arguments. Returns whether its status is 0. */
CHECK_PRINTF static int run(const char *format, ...)
{
    char command[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    fflush(NULL);
    return system(command) == 0;
}
/* Returns the folder of rise.h. tests/run.sh sets RISE_SAMPLES. */
static const char *root(void)
{
    static char path[1000];
    snprintf(path, sizeof path, "%.900s/../..", folder_beside("RISE_SAMPLES", "samples"));
    return path;
}
/* Compiles a program without a warning. rise.h is compiled in a file of its own, because that takes
   seconds. */
static int compiles_program(const char *program, const char *compiler, const char *standard)
{
    return CHECK(run("%s -Wall -Wextra -Wpedantic -Werror %s -O1 -I. -I'%s' -c %s "
                     "-o export_test.o", compiler, standard, root(), program));
}
static int compiles(const char *compiler, const char *standard)
{
    return compiles_program("export_test.c", compiler, standard);
}
static int compiles_player(const char *compiler, const char *standard)
{
    return compiles_program("export_test_player.c -DRISE_PLAY_ONLY", compiler, standard);
}
static int compiles_library(const char *compiler, const char *object)
{
    return CHECK(run("%s -DRISE_IMPLEMENTATION -c -x c '%s/rise.h' -o %s", compiler, root(),
                     object));
}
/* Links a program, runs it, and checks that it prints `wanted`. */
static void prints(const char *wanted, const char *compiler, const char *object, const char *runner)
{
    if (!CHECK(run("%s export_test.o %s -o export_test_run -lm", compiler, object))) return;
    CHECK(run("%s ./export_test_run > export_test.txt", runner));
    read_text("export_test.txt");
    if (!CHECK(strcmp(text, wanted) == 0)) printf("%s", text);
}
/* All agents pass, a policy is read in place, another agent fails, and a wrong byte is
   refused. */
static void passes(const char *compiler, const char *object, const char *runner)
{
    prints("0 0 0 0 0 0 0 0 1 1 1 1\n", compiler, object, runner);
}
static int has(const char *tool) { return run("command -v %s > /dev/null", tool); }

static void headers_pass_as_c99_and_cpp11(void)
{
    write_program();
    compiles_library("${CC:-cc}", "export_test_rise.o");
    compiles_library("${CC:-cc} -DRISE_NO_SIMD", "export_test_plain.o");
    if (compiles("${CC:-cc}", "-std=c99")) {
        passes("${CC:-cc}", "export_test_rise.o", "$RUN");
        passes("${CC:-cc}", "export_test_plain.o", "$RUN");
    }
    folder_write(".", "export_test.cpp", "class nothing {};\n");
    if (!run("${CC:-cc} -std=c++11 -c export_test.cpp -o export_test.o 2> export_test.txt"))
        check_note("as C++: skipped, $CC does not compile C++");
    else if (compiles("${CC:-cc}", "-x c++ -std=c++11 -fno-exceptions"))
        passes("${CC:-cc}", "export_test_rise.o", "$RUN");
    folder_remove("export_test");
}

/* The values that were computed here are computed by NEON kernels, too. */
static void headers_pass_on_64_bit_arm(void)
{
    static const char *const compiler = "aarch64-linux-gnu-gcc -static";
    if (!has("aarch64-linux-gnu-gcc") || !has("qemu-aarch64")) {
        check_skip("no cross compiler or no emulator");
        return;
    }
    write_program();
    compiles_library(compiler, "export_test_rise.o");
    if (compiles(compiler, "-std=c99")) passes(compiler, "export_test_rise.o", "qemu-aarch64");
    folder_remove("export_test");
}
/* Players pass, too: with all kernels, and with kernels that are not fused. */
static void headers_pass_in_players(void)
{
    static const char *const players[] = {"${CC:-cc} -DRISE_PLAY_ONLY",
                                          "${CC:-cc} -DRISE_PLAY_ONLY -DRISE_NO_SIMD"};
    int k;
    write_program();
    for (k = 0; k < COUNT(players); k++) {
        check_about("%s", players[k]);
        compiles_library(players[k], "export_test_rise.o");
        if (compiles_player("${CC:-cc}", "-std=c99"))
            prints("0 0 0 0 0 0 0 1\n", "${CC:-cc}", "export_test_rise.o", "$RUN");
    }
    folder_remove("export_test");
}
static void headers_compile_for_cortex_m(void)
{
    static const char *const compiler =
        "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard";
    if (!has("arm-none-eabi-gcc")) {
        check_skip("no arm-none-eabi-gcc");
        return;
    }
    write_program();
    compiles(compiler, "-std=c99 -DRISE_NO_STDIO -DRISE_NO_SIMD");
    compiles(compiler, "-x c++ -std=c++11 -DRISE_NO_STDIO -DRISE_NO_SIMD");
    compiles_player(compiler, "-std=c99");
    compiles_player(compiler, "-x c++ -std=c++11");
    folder_remove("export_test");
}

/* ---------------------------------------------------------------------------------------------- */
/* The comment */

/* Sets the fields that the comment lists. Returns their number. */
static int read_fields(rise_agent_desc *desc)
{
    const char *at = strstr(text, "Fields that differ from the defaults:\n\n");
    char field[100];
    int count = 0;
    if (!CHECK(at != NULL)) return 0;
    at = strstr(at, "\n\n") + 2;
    for (; strncmp(at, "       ", 7) == 0; at += strcspn(at, "\n") + 1, count++) {
        snprintf(field, sizeof field, "%.*s", (int)strcspn(at + 7, "\n"), at + 7);
        CHECK(rise_agent_set(desc, field, NULL) == RISE_OK);
    }
    return count;
}
/* Adds a line to a text of EXPORT_TEXT bytes, unless it sets `players` or `play_only`. */
static void add_line(void *user, const char *line)
{
    char *const all = (char *)user;
    size_t const length = strlen(all);
    if (strncmp(line, "play", 4) != 0)
        snprintf(all + length, EXPORT_TEXT - length, "%s\n", line);
}
/* The fields that the comment lists, with the sizes of observations and the number of actions, give
   the agent's description. */
static void fields_in_the_comment_describe_the_agent(void)
{
    static char has_fields[EXPORT_TEXT], listed[EXPORT_TEXT];
    rise_agent_desc original, read;
    int k;
    for (k = 0; k < AGENTS; k++) {
        check_about("%s", words[k]);
        save(words[k], RISE_SAVE_POLICY);
        export_to("export_test.h");
        read_text("export_test.h");
        CHECK(rise_agent_peek(&original, "export_test.rise", NULL) == RISE_OK);
        memset(&read, 0, sizeof read);
        read.frame_width = original.frame_width, read.frame_height = original.frame_height;
        read.numbers = original.numbers, read.actions = original.actions;
        CHECK(read_fields(&read) > 10);
        CHECK(rise_agent_resolve(&read, NULL) == RISE_OK);
        has_fields[0] = listed[0] = '\0';
        rise_agent_describe(&original, add_line, has_fields);
        rise_agent_describe(&read, add_line, listed);
        CHECK(strcmp(has_fields, listed) == 0);
    }
    folder_remove("export_test");
}
static void the_comment_says_what_the_agent_is(void)
{
    char line[100];
    rise_metrics m;
    world w = world_begin(words[0], 60);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_AGENT, "export_test*_.rise", NULL) == RISE_OK);
    CHECK(export_policy("export_test*_.rise", "./export_test x.h", RISE_SAVE_POLICY, NULL));
    read_text("export_test x.h");
    CHECK(said("/* export_test x.h: a trained agent") && said("from export_test__.rise."));
    CHECK(said("#define RISE_NO_RAINBOW\n") && !said("#define RISE_NO_ENCODERS\n"));
    CHECK(said("5 x 4 pixels, 1 byte each; 3 numbers\n") && said("3, with masks\n"));
    CHECK(said("RISE: a recurrent net of 7 units\n") && said("#include \"export_test x.h\"\n"));
    CHECK(said("export_test_x_policy[] = {") && said("export_test_x_numbers = 3,"));
    rise_agent_metrics(w.agent, &m);
    snprintf(line, sizeof line, "parameters    %d\n", (int)m.parameters);
    CHECK(said(line));
    CHECK(m.updates > 0 && m.episodes > 0);
    snprintf(line, sizeof line, "%d steps, %d updates, %d episodes;", (int)m.steps, (int)m.updates,
             (int)m.episodes);
    CHECK(said(line));
    snprintf(line, sizeof line, "mean return of the last 100 episodes: %.4g\n", m.mean_return);
    CHECK(said(line));
    rise_agent_destroy(w.agent);
    save(words[2], RISE_SAVE_POLICY);
    export_to("export_test.h");
    read_text("export_test.h");
    CHECK(said("observation   5 numbers\n"));
    CHECK(said("training      unknown: the file has no counters that can be read here\n"));
    CHECK(said("rise_agent_play_numbers(agent, 0, NULL, numbers, 0, RISE_FIRST, NULL);"));
    CHECK(!said("frame[") && !said("_width"));
    CHECK(!said("#define RISE_NO_RAINBOW\n") && said("#define RISE_NO_ENCODERS\n"));
    folder_remove("export_test");
}

/* The comment says what weights the policy has, how many bytes of flash and RAM the agent takes,
   and how much memory to pass. 16-bit weights are copied to RAM. */
static void the_comment_says_what_the_agent_takes(void)
{
    static const rise_save kinds[] = {RISE_SAVE_POLICY, RISE_SAVE_FLOAT16, RISE_SAVE_INT8};
    static const char copied_to_ram[] =
        "16-bit floats, not read in place: rise_agent_open copies them to\n"
        "                     RAM as 32-bit floats\n";
    static const char *const weights[] = {"32-bit floats, read in place\n", copied_to_ram,
                                          "8 bits, read in place\n"};
    static const int bits[] = {32, 16, 8};
    unsigned long bytes[3] = {0, 0, 0}, copied[3];
    char line[200];
    rise_metrics m;
    int k;
    save(words[4], RISE_SAVE_AGENT);
    for (k = 0; k < COUNT(kinds); k++) {
        exported *const e = export_open("export_test.rise", kinds[k], NULL);
        check_about("%d bits", bits[k]);
        if (!CHECK(e != NULL)) break;
        export_as("export_test.h", kinds[k]);
        read_text("export_test.h");
        bytes[k] = (unsigned long)rise_agent_open_bytes(e->policy, e->size, NULL, NULL);
        rise_agent_metrics(e->agent, &m);
        copied[k] = bits[k] == 16 ? 4 * (unsigned long)m.parameters : 0;
        CHECK(e->bits == bits[k] && bytes[k] > 0);
        CHECK((rise_agent_query(e->agent)->weights == NULL) == (copied[k] > 0));
        CHECK(memory_bytes() >= bytes[k] && memory_bytes() < bytes[k] + 1024);
        snprintf(line, sizeof line, "weights       %s       flash         %lu bytes, without code\n"
                 "       RAM           %lu bytes for one player, on", weights[k],
                 (unsigned long)e->size, bytes[k]);
        CHECK(said(line));
        snprintf(line, sizeof line, "(at least %lu of them for the weights)\n", copied[k]);
        CHECK(said(line) == (copied[k] > 0) && said("aligned(64)") == (copied[k] == 0));
        export_close(e);
    }
    check_about("%s", "");
    CHECK(bytes[1] >= bytes[0] + copied[1] && bytes[2] <= bytes[0]);
    folder_remove("export_test");
}

/* ---------------------------------------------------------------------------------------------- */
/* Failures */

static void refused(const char *agent, const char *header, const char *why)
{
    rise_error error = {RISE_OK, ""};
    check_about("%s, %s", agent, header);
    CHECK(!export_policy(agent, header, RISE_SAVE_POLICY, &error) && error.result < 0);
    if (!CHECK(strstr(error.text, why) != NULL)) printf("%s\n", error.text);
}
/* A header that cannot be written leaves the older one. */
static void failures_are_explained(void)
{
    static char long_name[80];
    save(words[1], RISE_SAVE_POLICY);
    folder_write(".", "export_test.h", "older");
    folder_write(".", "export_test_damaged.rise", "no agent");
    memset(long_name, 'a', 60);
    strcat(long_name, ".h");
    refused("export_test.rise", "export_test.c", "is not a name followed by .h");
    refused("export_test.rise", "export_test/", "is not a name followed by .h");
    refused("export_test.rise", ".h", "is not a name followed by .h");
    refused("export_test.rise", "x/rise.h", "is the library");
    refused("export_test.rise", long_name, "too long");
    refused("export_test.rise", "export*test.h", "characters that #include does not take");
    refused("export_test.rise", "export\"test.h", "characters that #include does not take");
    refused("export_test_none.rise", "export_test.h", "export_test_none.rise");
    refused("export_test_damaged.rise", "export_test.h", "header");
    refused("export_test.rise", "export_test_none/x.h", "cannot be written: No such file");
    if (symlink("/dev/full", "export_test_full.h") == 0 && access("/dev/full", W_OK) == 0)
        refused("export_test.rise", "export_test_full.h", "cannot be written: No space left");
    save("embedding=user embedding_size=9", RISE_SAVE_POLICY);
    refused("export_test.rise", "export_test.h", "embed_fn");
    check_about("%s", "");
    read_text("export_test.h");
    CHECK(strcmp(text, "older") == 0 && folder_count("export_test.h") == 1);
    folder_remove("export_test");
}

/* Runs watch with arguments that blanks separate. Its output goes to `text`. */
static int watch_status(const char *arguments)
{
    int status, end;
    pid_t const pid = process_fork(&end);
    if (pid == 0) {
        char line[400], *list[20];
        snprintf(line, sizeof line, "watch %s", arguments);
        status = watch_main(check_words(line, list, 20), list);
        fflush(NULL);
        _exit(status);
    }
    return process_output(pid, end, text, sizeof text);
}
static void watch_exports(void)
{
    exported *e;
    char line[100];
    save(words[3], RISE_SAVE_AGENT);
    CHECK(watch_status("export_test.rise --export export_test.h") == 0);
    e = export_open("export_test.rise", RISE_SAVE_POLICY, NULL);
    snprintf(line, sizeof line,
             "The agent is in export_test.h: an array of %lu bytes with 32-bit weights.\n",
             e != NULL ? (unsigned long)e->size : 0);
    CHECK(strcmp(text, line) == 0);
    export_close(e);
    read_text("export_test.h");
    CHECK(said("export_test_check(void)") && !said("weight_bits=8"));
    CHECK(watch_status("export_test.rise --export export_test.c") == 1);
    CHECK(strcmp(text, "watch: export_test.c is not a name followed by .h\n") == 0);
    CHECK(watch_status("export_test.rise --export") == 2 && said("--export: a value must follow"));
    CHECK(watch_status("export_test.rise --weights int8") == 2 && said("--export HEADER.h"));
    CHECK(watch_status("--weights int8") == 2 && said("the first argument must be the file"));
    CHECK(watch_status("export_test.rise --export export_test.h --weights int4") == 2 &&
          said("--weights int4: float32|float16|int8 is needed"));
    CHECK(watch_status("export_test.rise --sed 1") == 2 && said("1: there is no such option"));
    CHECK(watch_status("export_test.rise --seed 1.5") == 2 &&
          said("--seed 1.5: a whole number from 0 to 1000000000 is needed"));
    CHECK(watch_status("export_test.rise --game chess") == 2 && said("there is no game chess"));
    CHECK(watch_status("--help") == 0 && said("Ctrl-C ends watch."));
    CHECK(watch_status("export_test.rise --export export_test.h --weights int8") == 0);
    CHECK(said("bytes with 8-bit weights.\n") && said("pass --game"));
    /* the comment includes the file by its own name */
    CHECK(watch_status("export_test.rise --export export_test+1.h") == 0);
    read_text("export_test+1.h");
    CHECK(said("#include \"export_test+1.h\"") && said("export_test_1_check(void)"));
    /* a file with 8-bit weights keeps them */
    save(words[4], RISE_SAVE_INT8);
    CHECK(watch_status("export_test.rise --export export_test.h --weights float32") == 0);
    CHECK(said("bytes with 8-bit weights.\n") && !said("pass --game"));
    CHECK(watch_status("export_test.rise --export export_test.h --weights float16") == 1);
    CHECK(said("has 8-bit weights, and float16 would be larger; leave out --weights"));
    folder_remove("export_test");
}
/* An agent of the small game catch, which has learned nothing. */
static void watch_compares_weights(void)
{
    static const struct {
        const char *word;
        int bits, episodes;
        double equal; /* the least share of equal actions */
    } kinds[] = {{"int8", 8, 20, 0.8}, {"float16", 16, 3, 0.99}};
    static const char *const command = "export_test.rise --export export_test.h --weights";
    const game_spec *const spec = game_spec_of(game_named("catch"));
    rise_agent_desc d;
    rise_agent *agent;
    rise_error error = {RISE_OK, ""};
    char line[200];
    double scores[2] = {0, 1};
    int bits[2] = {0, 0}, episodes = 0, equal = 0, actions = 0, k;
    memset(&d, 0, sizeof d);
    d.frame_width = spec->width, d.frame_height = spec->height, d.actions = spec->actions;
    d.seed = 3;
    if (!CHECK(rise_agent_create(&agent, &d, &error) == RISE_OK)) return;
    CHECK(rise_agent_save(agent, RISE_SAVE_AGENT, "export_test.rise", NULL) == RISE_OK);
    rise_agent_destroy(agent);
    for (k = 0; k < COUNT(kinds); k++) {
        check_about("%s", kinds[k].word);
        snprintf(line, sizeof line, "%s %s --game catch --episodes %d", command, kinds[k].word,
                 kinds[k].episodes);
        CHECK(watch_status(line) == 0 && said("The agent is in export_test.h: an array of "));
        CHECK(sscanf(strchr(text, '\n') + 1,
                     "Mean score of %d episodes of catch: %lf with %d-bit weights, %lf with %d-bit "
                     "weights.\nIn the states that the file's weights reach, both choose the "
                     "same action in %d of %d steps",
                     &episodes, &scores[0], &bits[0], &scores[1], &bits[1], &equal, &actions) == 7);
        CHECK(episodes == kinds[k].episodes && bits[0] == 32 && bits[1] == kinds[k].bits);
        CHECK(fabs(scores[0] - scores[1]) <= 0.5);
        CHECK(equal <= actions && equal > actions * kinds[k].equal);
        read_text("export_test.h");
        CHECK(said("weight_bits=8") == (kinds[k].bits == 8));
    }
    check_about("%s", "");
    /* a game that the agent cannot play */
    snprintf(line, sizeof line, "%s int8 --game pong", command);
    CHECK(watch_status(line) == 1);
    CHECK(said("watch: export_test.rise does not play"));
    /* a number in a file name need not be a length */
    CHECK(rename("export_test.rise", "catch-2.rise") == 0);
    CHECK(watch_status("catch-2.rise --episodes 2") == 0 && said("Mean score of 2 episodes"));
    d.numbers = 1; /* the game has none */
    if (!CHECK(rise_agent_create(&agent, &d, &error) == RISE_OK)) return;
    CHECK(rise_agent_save(agent, RISE_SAVE_AGENT, "catch-2.rise", NULL) == RISE_OK);
    rise_agent_destroy(agent);
    CHECK(watch_status("catch-2.rise") == 1 && said("and 1 numbers, and has"));
    folder_remove("catch-2");
    folder_remove("export_test");
}

static const check_test tests[] = {
    TEST(headers_pass_as_c99_and_cpp11),
    TEST(headers_pass_on_64_bit_arm),
    TEST(headers_pass_in_players),
    TEST(headers_compile_for_cortex_m),
    TEST(fields_in_the_comment_describe_the_agent),
    TEST(the_comment_says_what_the_agent_is),
    TEST(the_comment_says_what_the_agent_takes),
    TEST(failures_are_explained),
    TEST(watch_exports),
    TEST(watch_compares_weights),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}

#endif
