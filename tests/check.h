/* The smallest test harness that counts. A test calls CHECK as often as it likes and ends with `return check_done();`. */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#if defined(__GNUC__)
#define CHECK_UNUSED __attribute__((unused))
#define CHECK_PRINTF __attribute__((unused, format(printf, 1, 2)))
#else
#define CHECK_UNUSED
#define CHECK_PRINTF
#endif

/* Emulators are slow: there, the longest loops take one case in so many. */
#ifdef CHECK_QUICK
enum { check_share = 6 };
#else
enum { check_share = 1 };
#endif

#define CHECK(condition) check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
/* Both are finite and differ by at most `relative` of the greater one. */
#define CHECK_NEAR(a, b, relative) CHECK(check_near((double)(a), (double)(b), (relative)))

static struct {
    long passed, failed;
    char about[200]; /* what is being tested: printed with a failure */
} check_state;

/* Says what the following checks are about; "" for nothing. */
CHECK_PRINTF static void check_about(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check_state.about, sizeof check_state.about, format, arguments);
    va_end(arguments);
}
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
    return good;
}
CHECK_UNUSED static int check_near(double a, double b, double relative)
{
    double const size = fabs(a) > fabs(b) ? fabs(a) : fabs(b);
    return fabs(a - b) <= relative * size && size < HUGE_VAL;
}
/* The last line and the exit code: a test that checked nothing has failed. */
CHECK_UNUSED static int check_done(void)
{
    printf("%ld passed, %ld failed\n", check_state.passed, check_state.failed);
    return check_state.failed != 0 || check_state.passed == 0;
}

#endif
