/* Letters of 5 x 8 pixels, for captions in pictures. The table has a to z, A, B, I, T, 0 to 9 and
   the characters . , : only. All other characters are blank. */
#ifndef LETTERS_H
#define LETTERS_H

#include <stdint.h>

enum { LETTERS_WIDTH = 6, LETTERS_HEIGHT = 8 }; /* one column is the gap to the next letter */

typedef struct letter {
    char character;
    uint8_t rows[LETTERS_HEIGHT]; /* top to bottom; the leftmost pixel is bit 4 */
} letter;

/* Returns the eight rows of a character; blank rows if the character is not in the table. */
static inline const uint8_t *letters_rows(char character)
{
    static const uint8_t blank[LETTERS_HEIGHT] = {0};
    static const letter letters[] = {
        {'a', {0, 0, 14, 1, 15, 17, 15, 0}},    {'b', {16, 16, 22, 25, 17, 17, 30, 0}},
        {'c', {0, 0, 14, 16, 16, 17, 14, 0}},   {'d', {1, 1, 13, 19, 17, 17, 15, 0}},
        {'e', {0, 0, 14, 17, 31, 16, 14, 0}},   {'f', {6, 9, 8, 28, 8, 8, 8, 0}},
        {'g', {0, 0, 15, 17, 17, 15, 1, 14}},   {'h', {16, 16, 22, 25, 17, 17, 17, 0}},
        {'i', {4, 0, 12, 4, 4, 4, 14, 0}},      {'j', {2, 0, 6, 2, 2, 2, 18, 12}},
        {'k', {16, 16, 18, 20, 24, 20, 18, 0}}, {'l', {12, 4, 4, 4, 4, 4, 14, 0}},
        {'m', {0, 0, 26, 21, 21, 17, 17, 0}},   {'n', {0, 0, 22, 25, 17, 17, 17, 0}},
        {'o', {0, 0, 14, 17, 17, 17, 14, 0}},   {'p', {0, 0, 30, 17, 17, 30, 16, 16}},
        {'q', {0, 0, 15, 17, 17, 15, 1, 1}},    {'r', {0, 0, 22, 25, 16, 16, 16, 0}},
        {'s', {0, 0, 15, 16, 14, 1, 30, 0}},    {'t', {8, 8, 28, 8, 8, 9, 6, 0}},
        {'u', {0, 0, 17, 17, 17, 19, 13, 0}},   {'v', {0, 0, 17, 17, 17, 10, 4, 0}},
        {'w', {0, 0, 17, 17, 21, 21, 10, 0}},   {'x', {0, 0, 17, 10, 4, 10, 17, 0}},
        {'y', {0, 0, 17, 17, 17, 15, 1, 14}},   {'z', {0, 0, 31, 2, 4, 8, 31, 0}},
        {'A', {14, 17, 17, 31, 17, 17, 17, 0}}, {'B', {30, 17, 17, 30, 17, 17, 30, 0}},
        {'I', {14, 4, 4, 4, 4, 4, 14, 0}},      {'T', {31, 4, 4, 4, 4, 4, 4, 0}},
        {'0', {14, 17, 19, 21, 25, 17, 14, 0}}, {'1', {4, 12, 4, 4, 4, 4, 14, 0}},
        {'2', {14, 17, 1, 2, 4, 8, 31, 0}},     {'3', {31, 2, 4, 2, 1, 17, 14, 0}},
        {'4', {2, 6, 10, 18, 31, 2, 2, 0}},     {'5', {31, 16, 30, 1, 1, 17, 14, 0}},
        {'6', {6, 8, 16, 30, 17, 17, 14, 0}},   {'7', {31, 1, 2, 4, 8, 8, 8, 0}},
        {'8', {14, 17, 17, 14, 17, 17, 14, 0}}, {'9', {14, 17, 17, 15, 1, 2, 12, 0}},
        {'.', {0, 0, 0, 0, 0, 12, 12, 0}},      {',', {0, 0, 0, 0, 0, 12, 4, 8}},
        {':', {0, 12, 12, 0, 12, 12, 0, 0}},
    };
    int i;
    for (i = 0; i < (int)(sizeof letters / sizeof *letters); i++)
        if (letters[i].character == character) return letters[i].rows;
    return blank;
}

#endif
