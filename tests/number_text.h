/* Random numbers as text, for the tests of the reader of numbers: right ones of all sizes, those
   next to the middle of two doubles, and wrong ones. */
#ifndef NUMBER_TEXT_H
#define NUMBER_TEXT_H

#include "toy.h"

enum { NUMBER_TEXT = 64 }; /* bytes of a text */

static const char *const number_odd[] = {
    "", "+", "-", ".", "-.", "e", "e5", ".e5", "1e", "1e+", "1e-", "1.", ".5", "-.5e1", "5.e-1",
    "+7", "--1", "+-1", "1..2", "1.2.3", "1e2e3", "1e2.5", "1E5", "1e05", "1e+00000000000000005",
    " 1", "1 ", "0x10", "inf", "nan", "1,5", "1f", "0", "-0", "0e999999999", "-0.0e-99999",
    "1e999999999", "1e-999999999", "1e308", "1e309", "1.7976931348623157e308",
    "1.7976931348623158e308", "1.79769313486231580e308", "1.797693134862315807e308",
    "1.797693134862315808e308", "1.7976931348623159e308", "4.9e-324", "5e-324", "2.4e-324",
    "2.4703282292062327e-324", "2.4703282292062328e-324", "2.47032822920623272e-324",
    "2.47032822920623273e-324", "2.2250738585072011e-308", "2.2250738585072014e-308",
    "2.225073858507201136057409796709131975e-308", "9007199254740993", "9007199254740992.9999",
    "9007199254740993.00000000000000000001", "9007199254740995", "18014398509481986",
    "100000000000000000000000000000000000000", "0.00000000000000000000000000000000001e340",
    "123456789012345678901234567890123456789", "1234567890123456789012345678901234567890",
    "0.1234567890123456789012345678901234567", "000000000000000000000000000000000000001",
    "12345678901234567890123456789012345e308", "3.4028235677973366e38", "16777217", "33554435"};

/* Doubles the decimal number in `text` [40]: 39 digits with zeros in front, and a 0 byte. */
static void number_double(char *text)
{
    int i, carry = 0;
    for (i = 38; i >= 0; i--) {
        int const digit = 2 * (text[i] - '0') + carry;
        text[i] = (char)('0' + digit % 10), carry = digit / 10;
    }
}
/* Writes an integer of more than 53 bits, the middle of two doubles, or the integer beside it. */
static void number_middle(risei_random *dice, char *text)
{
    uint64_t const high = risei_random_bits(dice), low = risei_random_bits(dice);
    uint64_t odd = ((high << 32 | low) >> 10) | UINT64_C(1) << 53 | 1; /* 54 bits */
    int doublings = risei_random_below(dice, 60), i;
    char digits[40];
    memset(digits, '0', sizeof digits - 1);
    digits[39] = '\0';
    for (i = 38; odd > 0; odd /= 10) digits[i--] = (char)('0' + odd % 10);
    while (doublings-- > 0) number_double(digits);
    if (risei_random_below(dice, 3) == 0 && digits[38] != '9') digits[38]++;
    else if (risei_random_below(dice, 2) == 0 && digits[38] != '0') digits[38]--;
    for (i = 0; digits[i] == '0'; i++) continue;
    strcpy(text, digits + i);
}
/* Writes text i of a sequence to text [NUMBER_TEXT]. */
CHECK_UNUSED static void number_text(int i, risei_random *dice, char *text)
{
    static const char letters[] = "+-.0123456789eE x";
    char digits[40], exponent[16] = "";
    int const length = 1 + risei_random_below(dice, i % 3 == 0 ? 17 : 25);
    int k, point;
    if (i < COUNT(number_odd)) {
        strcpy(text, number_odd[i]);
        return;
    }
    if (i % 4 == 0) {
        number_middle(dice, text);
        return;
    }
    if (i % 16 == 1) { /* any characters */
        for (k = 0; k < length; k++)
            text[k] = letters[risei_random_below(dice, (int)sizeof letters - 1)];
        text[length] = '\0';
        return;
    }
    for (k = 0; k < length; k++) digits[k] = (char)('0' + risei_random_below(dice, 10));
    digits[length] = '\0';
    point = risei_random_below(dice, length + 1);
    k = risei_random_below(dice, 4);
    if (k > 0)
        snprintf(exponent, sizeof exponent, "e%d",
                 k == 1   ? risei_random_below(dice, 40) - 20
                 : k == 2 ? risei_random_below(dice, 640) - 330
                          : -300 - risei_random_below(dice, 40));
    snprintf(text, NUMBER_TEXT, "%s%.*s%s%s%s", risei_random_below(dice, 4) == 0 ? "-" : "", point,
             digits, point < length ? "." : "", digits + point, exponent);
}
/* Reads a text as the C library does in the locale "C". Returns whether it is a finite number of
   decimal digits that fits into RISEI_NUMBER_TEXT. */
CHECK_UNUSED static int number_right(const char *text, double *value)
{
    char *end;
    if (strlen(text) >= RISEI_NUMBER_TEXT || strspn(text, "+-.0123456789eE") != strlen(text))
        return 0;
    *value = strtod(text, &end);
    return end > text && *end == '\0' && *value - *value == 0;
}

#endif
