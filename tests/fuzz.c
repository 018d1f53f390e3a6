/* Runs the fuzz targets of tests/fuzz without a fuzzing library: all inputs of each corpus, then
   random changes of these inputs.
       TESTS=fuzz sh tests/run.sh
   `./fuzz --runs 100000 7` makes that many changes from seed 7 instead of a few hundred.
   tests/fuzz/run.sh fuzzes with libFuzzer. */
#define FUZZ_ALL
#include "fuzz/bridge.c" /* first: it asks for POSIX functions */

#include "fuzz/agent.c"
#include "fuzz/block.c"
#include "fuzz/encoder.c"
#include "fuzz/player.c"
#include "fuzz/policy.c"
#include "fuzz/set.c"
#include "toy.h"

static long runs = 400 / check_share;
static uint64_t seed = 1;

static void replay(const char *name, fuzz_target target)
{
    char path[1000];
    long done;
    snprintf(path, sizeof path, "%s/%s.txt", folder_beside("RISE_CORPUS", "fuzz/corpus"), name);
    done = fuzz_replay(target, path, runs, seed);
    if (!CHECK(done > 0)) printf("%s cannot be read\n", path);
    check_note("%ld runs", done);
}
static void files_of_agents_do_no_harm(void) { replay("agent", fuzz_agent); }
static void files_of_policies_do_no_harm(void) { replay("policy", fuzz_policy); }
static void policies_do_no_harm_to_players(void) { replay("player", fuzz_player); }
static void files_of_encoders_do_no_harm(void) { replay("encoder", fuzz_encoder); }
static void text_sets_fields_or_is_refused(void) { replay("set", fuzz_set); }
static void agents_stay_in_their_block(void) { replay("block", fuzz_block); }
static void messages_of_a_child_do_no_harm(void)
{
#if defined(__unix__) || defined(__APPLE__)
    replay("bridge", fuzz_bridge);
#else
    check_skip("this is no POSIX system");
#endif
}

static const check_test tests[] = {
    TEST(files_of_agents_do_no_harm),
    TEST(files_of_policies_do_no_harm),
    TEST(policies_do_no_harm_to_players),
    TEST(files_of_encoders_do_no_harm),
    TEST(text_sets_fields_or_is_refused),
    TEST(agents_stay_in_their_block),
    TEST(messages_of_a_child_do_no_harm),
};
int main(int count, char **arguments)
{
    if (count > 3 && strcmp(arguments[1], "--runs") == 0) {
        runs = strtol(arguments[2], NULL, 10);
        seed = strtoul(arguments[3], NULL, 10);
        count -= 3, arguments += 3;
    }
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
