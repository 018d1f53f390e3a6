/* A small test harness that counts tests and checks. A test file is a list of named tests:

       static void ring_wraps(void) { CHECK(...); }
       static const check_test tests[] = {
           TEST(ring_wraps),
       };
       int main(int count, char **arguments) { return CHECK_MAIN(count, arguments, tests); }

   A test's name says what must hold. Each TEST has a line of its own, because tests/run.sh lists
   them by reading the source. run.sh compiles with -Werror=unused-function, so a test that is
   missing from the list does not compile.

   The program runs all tests, or those whose names contain one of its arguments. It prints a line
   per test and ends with the number of tests and the line "N passed, N failed", which counts
   checks. */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__GNUC__)
#define CHECK_UNUSED __attribute__((unused))
#define CHECK_PRINTF __attribute__((unused, format(printf, 1, 2)))
#else
#define CHECK_UNUSED
#define CHECK_PRINTF
#endif

/* Emulators and sanitizers are slow. With CHECK_QUICK, the longest loops run one case in
   check_share, or in a number that the test names. */
#ifdef CHECK_QUICK
enum { check_share = 6 };
#else
enum { check_share = 1 };
#endif

#define CHECK(condition) check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
/* Checks that both are finite and differ by at most `relative` times the larger magnitude. */
#define CHECK_NEAR(a, b, relative) CHECK(check_near((double)(a), (double)(b), (relative)))

typedef struct check_test {
    const char *name;
    void (*run)(void);
} check_test;

#define TEST(function) {#function, function}
#define CHECK_MAIN(count, arguments, tests)                                                        \
    check_main((count), (arguments), __FILE__, (tests), (int)(sizeof(tests) / sizeof *(tests)))

static struct {
    long passed, failed;
    const char *test;     /* the name of the running test */
    uint32_t random;      /* for check_below */
    int skipped;          /* the running test has said why it does not apply here */
    char about[300];      /* what is being tested, printed with a failure */
    char note[120];       /* printed at the end of the running test's line */
    void (*before)(void); /* runs before each test, if not NULL */
    void (*after)(void);  /* runs after each test, if not NULL; its failures are the test's */
} check_state;

/* Says what the following checks are about; "" for nothing. */
CHECK_PRINTF static void check_about(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check_state.about, sizeof check_state.about, format, arguments);
    va_end(arguments);
}
/* Sets the note at the end of the running test's line. Replaces an earlier note. */
CHECK_PRINTF static void check_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check_state.note, sizeof check_state.note, format, arguments);
    va_end(arguments);
}
/* Counts a check and returns `good`. Prints the first 20 failures. With CHECK_STOP, the first
   failure ends the program: tests/mutate.py asks only whether there is one. */
CHECK_UNUSED static int check_that(int good, const char *text, const char *file, int line)
{
    if (good) {
        check_state.passed++;
    } else if (++check_state.failed <= 20) {
        printf("%s:%d: %s%s%s\n", file, line, text, check_state.about[0] != '\0' ? "  about " : "",
               check_state.about);
    } else if (check_state.failed == 21) {
        printf("more failures are counted, not printed\n");
    }
#ifdef CHECK_STOP
    if (!good) fflush(stdout), _Exit(1);
#endif
    return good;
}
CHECK_UNUSED static int check_near(double a, double b, double relative)
{
    double const size = fabs(a) > fabs(b) ? fabs(a) : fabs(b);
    return fabs(a - b) <= relative * size && size < HUGE_VAL;
}
/* Says why the running test does not apply here. A test that checks nothing and gives no reason has
   failed. Checks of check_state.before and check_state.after do not count here. */
CHECK_UNUSED static void check_skip(const char *reason)
{
    check_note("skipped: %s", reason);
    check_state.skipped = 1;
}

/* Draws a number of 0 .. n - 1. Each test draws the same numbers, whichever tests ran before it. */
CHECK_UNUSED static int check_below(int n)
{
    check_state.random = check_state.random * 1664525 + 1013904223;
    return (int)((uint64_t)check_state.random * (uint64_t)n >> 32);
}
/* Returns seconds since some moment: wall time where the C library has it, else processor time. */
CHECK_UNUSED static double check_clock(void)
{
#ifdef TIME_UTC
    struct timespec now;
    if (timespec_get(&now, TIME_UTC) == TIME_UTC)
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
#endif
    return (double)clock() / (double)CLOCKS_PER_SEC;
}
/* Writes `n` with a comma before each three digits, as in 1,234,567. Returns `text`. */
CHECK_UNUSED static const char *check_number(long n, char text[32])
{
    char digits[24];
    int const length = snprintf(digits, sizeof digits, "%ld", n);
    int i, out = 0;
    for (i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) text[out++] = ',';
        text[out++] = digits[i];
    }
    text[out] = '\0';
    return text;
}
/* Splits a line at its blanks into words [room], with a NULL behind the last one, as main gets
   them. Returns the number of words. */
CHECK_UNUSED static int check_words(char *line, char **words, int room)
{
    int count = 0;
    for (words[0] = strtok(line, " "); words[count] != NULL; words[count] = strtok(NULL, " "))
        if (++count == room) {
            printf("more than %d words\n", room - 1);
            exit(1);
        }
    return count;
}
/* Returns whether the test is asked for: its name contains one of the arguments, or there are
   none. */
CHECK_UNUSED static int check_wanted(int count, char **arguments, const char *name)
{
    int i;
    for (i = 1; i < count; i++)
        if (strstr(name, arguments[i]) != NULL) return 1;
    return count <= 1;
}
/* Returns how many checks were made so far. */
CHECK_UNUSED static long check_count(void) { return check_state.passed + check_state.failed; }
/* Runs a test of file `file` (`length` characters) and prints its line, which counts the checks of
   check_state.before and check_state.after, too. */
CHECK_UNUSED static void check_run(const check_test *test, const char *file, int length)
{
    double const start = check_clock();
    long const before = check_count(), failed = check_state.failed;
    long own, failures; /* own: the checks of the test itself */
    char full[120], number[32];
    check_state.test = test->name;
    check_state.random = 1;
    check_state.skipped = 0;
    check_state.note[0] = '\0';
    check_about("%s", "");
    if (check_state.before != NULL) check_state.before();
    own = check_count();
    test->run();
    own = check_count() - own;
    if (check_state.after != NULL) check_state.after();
    check_about("%s", "");
    snprintf(full, sizeof full, "%.*s/%s", length, file, test->name);
    printf("%-60s %7.2f s %11s checks", full, check_clock() - start,
           check_number(check_count() - before, number));
    if (own == 0 && !check_state.skipped) check_note("checks nothing"), check_state.failed++;
    failures = check_state.failed - failed;
    if (failures > 0) printf("  %ld FAILED", failures);
    printf("%s%s\n", check_state.note[0] != '\0' ? "  " : "", check_state.note);
    fflush(stdout);
}
/* Runs the tests that the arguments ask for. Returns the exit code: 0 if there was a test and none
   failed. */
CHECK_UNUSED static int check_main(int count, char **arguments, const char *path,
                                   const check_test *tests, int test_count)
{
    const char *file = path, *at;
    double const start = check_clock();
    int i, length, ran = 0;
    for (at = path; *at != '\0'; at++)
        if (*at == '/' || *at == '\\') file = at + 1;
    length = (int)strcspn(file, ".");
    for (i = 0; i < test_count; i++) {
        if (!check_wanted(count, arguments, tests[i].name)) continue;
        check_run(&tests[i], file, length);
        ran++;
    }
    printf("%d tests, %.2f s\n", ran, check_clock() - start);
    printf("%ld passed, %ld failed\n", check_state.passed, check_state.failed);
    return check_state.failed != 0 || ran == 0;
}

#endif
