/* Tests faults of the system: each call that saving, loading and starting threads makes fails once,
   fails from then on, or is the last one before the process is killed. It writes faults_test.* in
   the current folder. faults.h makes the calls fail. */
#if !defined(__unix__) && !defined(__APPLE__)
#include <stdio.h>
int main(void) { return puts("skipped: this is no POSIX system\n0 passed, 0 failed"), 0; }
#else
#define _FILE_OFFSET_BITS 64 /* else readdir fails on 32-bit machines with 64-bit inode numbers */
#include "faults.h"
#define RISE_THREADS
#define RISEI_THREADS_MINIMUM 0
#include "toy.h"
#include "agent_file.h"
#include "folder.h"
#include "pause.h"
#include "process.h"
#include <dirent.h>

#define PATH "faults_test.rise"

/* Returns a hash of the state of the agent in the file at PATH; 0: the file cannot be loaded. */
static uint64_t state_in_file(void)
{
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    rise_agent *a;
    uint64_t state;
    if (rise_agent_load(&a, PATH, &machine, NULL) != RISE_OK) return 0;
    state = state_of(a);
    rise_agent_destroy(a);
    return state;
}
/* Returns whether the error is RISE_IO and names the path and the cause, and a call failed. */
static int explains(const rise_error *error, const char *failed)
{
    return error->result == RISE_IO && strstr(error->text, PATH) != NULL &&
           strstr(error->text, strerror(EIO)) != NULL && failed != NULL;
}

/* ---------------------------------------------------------------------------------------------- */
/* Saving and loading */

/* Saves with a fault at call `at`. A save that succeeds leaves the new file, one that fails leaves
   the old one. Returns 0 if there were fewer calls. */
static int save_with_fault(world *w, long at, fault_kind kind)
{
    rise_error error = {RISE_OK, ""};
    uint64_t const old = state_in_file();
    int const files = process_descriptors(0);
    uint64_t state;
    rise_result result;
    const char *failed;
    world_run(w, 1);
    state = state_of(w->agent);
    faults_plan(at, kind);
    result = rise_agent_save(w->agent, RISE_SAVE_ALL, PATH, &error);
    failed = faults_end();
    check_about("%s fails, call %ld%s: %s", failed != NULL ? failed : "nothing", at,
                kind == FAULT_ON ? " and all later ones" : "", error.text);
    CHECK(result == RISE_OK || explains(&error, failed));
    CHECK(state_in_file() == (result == RISE_OK ? state : old));
    CHECK(process_descriptors(0) == files && state_of(w->agent) == state);
    if (kind == FAULT_ONCE)
        CHECK(folder_count(PATH) == 1);
    else
        CHECK(folder_count(PATH) <= 2); /* the new file could not be removed */
    /* A save succeeds if one of these calls fails. It then treats PATH as no link, gives the file
       the usual mode, or leaves the folder unsynced. */
    if (result == RISE_OK && failed != NULL && kind == FAULT_ONCE)
        CHECK(strcmp(failed, "readlink") == 0 || strcmp(failed, "stat") == 0 ||
              strcmp(failed, "fchmod") == 0 || strcmp(failed, "open a folder") == 0 ||
              strcmp(failed, "fsync of a folder") == 0);
    faults_plan(at, kind); /* the caller may pass no error */
    CHECK(rise_agent_save(w->agent, RISE_SAVE_ALL, PATH, NULL) == result);
    CHECK((faults_end() != NULL) == (failed != NULL));
    CHECK(rise_agent_save(w->agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    CHECK(state_in_file() == state);
    return failed != NULL;
}
static void failed_saves_keep_the_old_file(void)
{
    static const fault_kind kinds_of_fault[] = {FAULT_ONCE, FAULT_ON};
    int i;
    for (i = 0; i < COUNT(kinds_of_fault); i++) {
        world w = tiny_world("memory=rise", 20);
        long at = 1;
        folder_remove(PATH);
        CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) == RISE_OK);
        while (save_with_fault(&w, at, kinds_of_fault[i])) {
            folder_remove(PATH);
            CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) == RISE_OK);
            at++;
        }
        CHECK(at > 15); /* calls: links, modes, create, write, sync, close, rename, folder */
        check_note("%ld calls", at - 1);
        folder_remove(PATH);
        rise_agent_destroy(w.agent);
    }
}
/* Without an old file, a save that fails leaves no file. */
static void failed_first_saves_leave_no_file(void)
{
    world w = tiny_world("memory=rise", 20);
    uint64_t const state = state_of(w.agent);
    const char *failed;
    long at = 0;
    do {
        rise_error error = {RISE_OK, ""};
        rise_result result;
        folder_remove(PATH);
        faults_plan(++at, FAULT_ONCE);
        result = rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error);
        failed = faults_end();
        check_about("%s fails, call %ld: %s", failed != NULL ? failed : "nothing", at, error.text);
        CHECK(result == RISE_OK || explains(&error, failed));
        CHECK(folder_count(PATH) == (result == RISE_OK));
        CHECK(state_in_file() == (result == RISE_OK ? state : 0));
    } while (failed != NULL);
    CHECK(at > 15);
    folder_remove(PATH);
    rise_agent_destroy(w.agent);
}
/* A save that says OK survives a power cut: the data is on the disk before the new name is, and the
   folder that has the new name is synced after that. */
static void saves_are_synced(void)
{
    static const char order[] = "fwrite,fflush,fsync of a file,fclose,rename,open a folder,"
                                "fsync of a folder,";
    static const char *const folders[] = {".", "faults_test.folder/"};
    world w = tiny_world("memory=rise", 20);
    int i;
    mkdir("faults_test.folder", 0700);
    for (i = 0; i < COUNT(folders); i++) {
        char path[100];
        size_t length;
        snprintf(path, sizeof path, "%s%s", i == 0 ? "" : folders[i], PATH);
        faults_plan(1000000, FAULT_ONCE);
        CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, path, NULL) == RISE_OK);
        check_about("%s: %s", path, faults.names);
        length = strlen(faults.names);
        CHECK(length > strlen(order) &&
              strcmp(faults.names + length - strlen(order), order) == 0);
        CHECK(strcmp(faults.folder, folders[i]) == 0);
        CHECK(faults_end() == NULL && remove(path) == 0);
    }
    CHECK(rmdir("faults_test.folder") == 0);
    rise_agent_destroy(w.agent);
}
/* A process that is killed at any call of a save leaves the old or the new file, and the next save
   works. */
static void killed_saves_leave_a_whole_file(void)
{
    static const fault_kind kinds_of_fault[] = {FAULT_KILL, FAULT_KILL_AFTER};
    int i;
    for (i = 0; i < COUNT(kinds_of_fault); i++) {
        world w = tiny_world("memory=rise", 20);
        uint64_t const old = state_of(w.agent);
        uint64_t state;
        int status, killed = 1, olds = 0, news = 0;
        long at;
        folder_remove(PATH);
        CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) == RISE_OK);
        CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH ".old", NULL) == RISE_OK);
        world_run(&w, 5);
        state = state_of(w.agent);
        fflush(stdout);
        for (at = 1; killed; at++) {
            uint64_t there;
            pid_t child;
            CHECK(rename(PATH ".old", PATH) == 0);
            child = fork();
            if (child == 0) {
                faults_plan(at, kinds_of_fault[i]);
                _exit(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) != RISE_OK);
            }
            status = process_end(child);
            killed = status == -SIGKILL;
            CHECK(killed || status == 0);
            there = state_in_file();
            check_about("killed %s call %ld", i == 0 ? "at" : "after", at);
            olds += there == old, news += there == state;
            CHECK(killed ? there == old || there == state : there == state);
            CHECK(folder_count(PATH) <= 2); /* the new file under its temporary name */
            CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) == RISE_OK);
            CHECK(state_in_file() == state);
            folder_remove(PATH);
            rise_agent_destroy(w.agent);
            w = tiny_world("memory=rise", 20);
            CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH ".old", NULL) == RISE_OK);
            world_run(&w, 5);
            fflush(stdout);
        }
        CHECK(olds > 10 && news > 2); /* kills before the rename, and after it */
        check_note("%ld calls", at - 2);
        folder_remove(PATH);
        rise_agent_destroy(w.agent);
    }
}
/* A load or a peek with a fault at any call fails with an error text, or gives the right agent. A
   failed one leaves no memory, no open file and no agent. */
static void failed_loads_are_reported(void)
{
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    static const fault_kind kinds_of_fault[] = {FAULT_ONCE, FAULT_ON};
    world w = tiny_world("memory=rise", 20);
    uint64_t const state = state_of(w.agent);
    int const files = process_descriptors(0);
    int i, peek;
    folder_remove(PATH);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) == RISE_OK);
    for (i = 0; i < COUNT(kinds_of_fault); i++)
        for (peek = 0; peek < 2; peek++) {
            const char *failed;
            long at = 0;
            do {
                rise_agent *a = w.agent;
                rise_agent_desc desc, before;
                rise_error error = {RISE_OK, ""};
                long const held = toy_memory.held;
                rise_result result;
                memset(&desc, 77, sizeof desc), memcpy(&before, &desc, sizeof desc);
                faults_plan(++at, kinds_of_fault[i]);
                result = peek ? rise_agent_peek(&desc, PATH, &error)
                              : rise_agent_load(&a, PATH, &machine, &error);
                failed = faults_end();
                check_about("%s: %s fails, call %ld: %s", peek ? "peek" : "load",
                            failed != NULL ? failed : "nothing", at, error.text);
                CHECK(error.result == result && (result == RISE_OK || result == RISE_IO));
                CHECK(result == RISE_OK || explains(&error, failed));
                /* if stat fails, opening the file says why */
                CHECK(result != RISE_OK || failed == NULL || strcmp(failed, "fclose") == 0 ||
                      strcmp(failed, "stat") == 0);
                if (peek && result == RISE_OK) CHECK(desc.frame_width == WIDTH);
                if (peek && result != RISE_OK) CHECK(memcmp(&desc, &before, sizeof desc) == 0);
                if (!peek && result == RISE_OK) {
                    CHECK(state_of(a) == state);
                    rise_agent_destroy(a);
                } else if (!peek) {
                    CHECK(a == NULL);
                }
                CHECK(toy_memory.held == held && process_descriptors(0) == files);
            } while (failed != NULL);
            CHECK(at > (peek ? 5 : 8));
            if (!peek) check_note("%ld calls", at - 1);
        }
    CHECK(state_in_file() == state);
    folder_remove(PATH);
    rise_agent_destroy(w.agent);
}

/* ---------------------------------------------------------------------------------------------- */
/* Starting threads */

/* Returns the number of threads of this process, or 1 if the system does not tell. */
static int threads_there(void)
{
    DIR *const folder = opendir("/proc/self/task");
    int count = 0;
    if (folder == NULL) return 1;
    while (readdir(folder) != NULL) count++;
    closedir(folder);
    return count - 2; /* "." and ".." */
}
/* Returns whether the number of threads becomes `count` within about a second. */
static int threads_become(int count)
{
    int tries;
    for (tries = 0; tries < 1000 && threads_there() != count; tries++) pause_for(1000);
    return threads_there() == count;
}
/* Creates an agent with so few threads that it makes fewer than `at` calls. So no call fails. */
static void fewer_threads_are_possible(rise_agent_desc d, long at, fault_kind kind)
{
    rise_agent *a;
    d.threads = at > 3 ? (int)at - 2 : 1; /* before a worker: the lock and the condition variable */
    faults_plan(at, kind);
    CHECK(rise_agent_create(&a, &d, NULL) == RISE_OK);
    CHECK(faults_end() == NULL && fault_threads == d.threads - 1);
    rise_agent_destroy(a);
}
/* If the system refuses the lock, the condition variable or any thread, no agent, no memory and no
   thread is left. The error text names `threads`. An agent with fewer threads can be created. */
static void refused_threads_leave_nothing(void)
{
    enum { THREADS = 6 };
    static const fault_kind kinds_of_fault[] = {FAULT_ONCE, FAULT_ON};
    world w = tiny_world("memory=rise", 20);
    buffer b = saved(w.agent, RISE_SAVE_ALL);
    uint64_t const state = state_of(w.agent);
    int i, load_it, in_block;
    rise_agent_destroy(w.agent);
    for (i = 0; i < COUNT(kinds_of_fault); i++)
        for (load_it = 0; load_it < 2; load_it++)
            for (in_block = 0; in_block < 2; in_block++) {
                rise_agent_desc d = tiny("memory=rise"), machine = machine_for(RISE_SAVE_ALL);
                unsigned char *block;
                const char *failed;
                long at = 0;
                d.threads = machine.threads = THREADS;
                d.memory_bytes = machine.memory_bytes = rise_agent_bytes(&d, NULL);
                block = (unsigned char *)malloc(d.memory_bytes);
                if (block == NULL) exit(1);
                if (in_block) d.memory_block = machine.memory_block = block;
                do {
                    rise_agent *a = (rise_agent *)&b;
                    rise_error error = {RISE_OK, ""};
                    rise_result result;
                    faults_plan(++at, kinds_of_fault[i]);
                    result = load_it ? load(&a, &b, &machine, &error)
                                     : rise_agent_create(&a, &d, &error);
                    failed = faults_end();
                    check_about("%s fails, call %ld: %s", failed != NULL ? failed : "nothing", at,
                                error.text);
                    CHECK(result == (failed != NULL ? RISE_UNAVAILABLE : RISE_OK));
                    CHECK(error.result == result);
                    CHECK(fault_threads == (failed != NULL ? 0 : THREADS - 1));
                    if (failed != NULL)
                        CHECK(a == NULL && strstr(error.text, "6 threads; set threads") != NULL);
                    else if (load_it)
                        CHECK(state_of(a) == state);
                    rise_agent_destroy(a);
                    if (failed != NULL) fewer_threads_are_possible(d, at, kinds_of_fault[i]);
                    CHECK(toy_memory.held == 0 && fault_threads == 0 && fault_locks == 0);
                    CHECK(threads_become(1));
                } while (failed != NULL);
                CHECK(at == THREADS - 1 + 2 + 1); /* workers, lock, condition; and no fault */
                free(block);
            }
    free(b.data);
}

/* The same for the lock, the condition variable and the background thread, and for the lock of an
   agent that another agent publishes to. */
static void refused_workers_leave_nothing(void)
{
    static const struct {
        const char *words, *text;
        int play_only;
        long calls, threads;
    } agents[] = {{"memory=rise background=1", "refuses a thread; set background", 0, 3, 1},
                  {"memory=rise background=1", "refuses a lock; set background", 1, 1, 0}};
    int i;
    for (i = 0; i < COUNT(agents); i++) {
        rise_agent_desc d = tiny(agents[i].words);
        const char *failed;
        long at = 0;
        d.play_only = agents[i].play_only;
        do {
            rise_agent *a;
            rise_error error = {RISE_OK, ""};
            rise_result result;
            faults_plan(++at, FAULT_ONCE);
            result = rise_agent_create(&a, &d, &error);
            failed = faults_end();
            check_about("%s fails, call %ld: %s", failed != NULL ? failed : "nothing", at,
                        error.text);
            CHECK(result == (failed != NULL ? RISE_UNAVAILABLE : RISE_OK));
            CHECK(fault_threads == (failed != NULL ? 0 : agents[i].threads));
            CHECK(failed == NULL || (a == NULL && strstr(error.text, agents[i].text) != NULL));
            rise_agent_destroy(a);
            CHECK(toy_memory.held == 0 && fault_threads == 0 && fault_locks == 0);
            CHECK(threads_become(1));
        } while (failed != NULL);
        CHECK(at == agents[i].calls + 1);
    }
}
/* ---------------------------------------------------------------------------------------------- */
/* Memory */

/* Creating and loading ask for memory once. Steps, updates and saves ask for none. */
static void each_refused_block_is_reported(void)
{
    world w = tiny_world("memory=rise", 20);
    buffer b = saved(w.agent, RISE_SAVE_ALL);
    rise_agent_desc const d = tiny("memory=rise"), machine = machine_for(RISE_SAVE_ALL);
    int load_it;
    toy_memory.refuse = 1;
    world_run(&w, 20); /* steps, and their updates */
    folder_remove(PATH);
    CHECK(rise_agent_learn(w.agent) == RISE_OK);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) == RISE_OK);
    toy_memory.refuse = 0;
    for (load_it = 0; load_it < 2; load_it++) {
        rise_agent *a = w.agent;
        rise_error error = {RISE_OK, ""};
        long calls = toy_memory.calls;
        toy_memory.refuse = 1;
        CHECK((load_it ? load(&a, &b, &machine, &error) : rise_agent_create(&a, &d, &error)) ==
              RISE_NO_MEMORY);
        toy_memory.refuse = 0;
        CHECK(a == NULL && strstr(error.text, "refused") != NULL);
        CHECK(toy_memory.calls == calls + 1 && toy_memory.held == 1);
        calls = toy_memory.calls;
        CHECK((load_it ? load(&a, &b, &machine, &error) : rise_agent_create(&a, &d, &error)) ==
              RISE_OK);
        CHECK(toy_memory.calls == calls + 1);
        rise_agent_destroy(a);
    }
    folder_remove(PATH);
    rise_agent_destroy(w.agent);
    free(b.data);
}

static const check_test tests[] = {
    TEST(failed_saves_keep_the_old_file),
    TEST(failed_first_saves_leave_no_file),
    TEST(saves_are_synced),
    TEST(killed_saves_leave_a_whole_file),
    TEST(failed_loads_are_reported),
    TEST(refused_threads_leave_nothing),
    TEST(refused_workers_leave_nothing),
    TEST(each_refused_block_is_reported),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
#endif
