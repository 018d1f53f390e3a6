/* The command line of a tool, from a table of options. A file in the folder of a run records the
   options of each session. A run that is resumed keeps them:

       static const command_option table[] = {
           {"--steps", COMMAND_NUMBER, COMMAND_FREE, "2M", 1, 1e9, ""}, ...
       };
       static command_line now, old;
       if (command_wants_help(argc, argv)) return fputs(usage, stdout), 0;
       command_begin(&now, table, sizeof table / sizeof *table);
       if (!command_parse(&now, argc, argv)) return 2;
       old = now;
       if (command_read(&old, "runs/1/run.txt") && !command_resume(&now, &old)) return 1;
       steps = command_number(&now, "--steps");
       command_write(&now, "runs/1/run.txt", argc, argv, "python 3.11.7");

   If your program calls setlocale, keep LC_NUMERIC at "C": strtod must read a decimal point here.
*/
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include "replace.h" /* first: defines _DEFAULT_SOURCE */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../rise.h"

enum { COMMAND_OPTIONS = 48, COMMAND_TEXT = 4000 };

typedef enum command_kind {
    COMMAND_SWITCH, /* no value follows; its text is "yes" or "" */
    COMMAND_STRING,
    COMMAND_NUMBER, /* k and M at the end mean thousands and millions */
    COMMAND_WHOLE,  /* a whole number */
    COMMAND_CHOICE, /* one of the words of `form` */
    COMMAND_LINES   /* may be repeated: its text has a line for each value. A value contains the
                       '=' or ':' of `form` */
} command_kind;

typedef enum command_scope {
    COMMAND_ONCE, /* for one call of the tool: not recorded */
    COMMAND_FREE, /* recorded; may change when the run is resumed */
    COMMAND_FIXED /* recorded; must not change */
} command_scope;

typedef struct command_option {
    const char *name;
    command_kind kind;
    command_scope scope;
    const char *initial; /* text of an option that is not given */
    double least, most;  /* of a number */
    const char *form;    /* "rise|none|full" of a choice, "KEY=VALUE" of lines */
} command_option;

typedef struct command_line {
    const command_option *options; /* [count], at most COMMAND_OPTIONS */
    int count;
    char texts[COMMAND_OPTIONS][COMMAND_TEXT];
    int given[COMMAND_OPTIONS]; /* 1: on the command line, or in the file */
} command_line;

/* Sets all options to their initial text. */
static inline void command_begin(command_line *c, const command_option *options, int count)
{
    int i;
    memset(c, 0, sizeof *c);
    c->options = options;
    c->count = count;
    for (i = 0; i < count; i++) strcpy(c->texts[i], options[i].initial);
}

/* Returns the index of an option; -1: there is none. */
static inline int command_find(const command_line *c, const char *name)
{
    int i;
    for (i = 0; i < c->count; i++)
        if (strcmp(c->options[i].name, name) == 0) return i;
    return -1;
}

/* ---------------------------------------------------------------------------------------------- */
/* Values */

/* Reads a number; "k" and "M" stand for thousands and millions. Returns 0 if the text is not a
   number, or if the number is above 1e15 in magnitude. */
static inline int command_parse_number(const char *text, double *number)
{
    char *end;
    *number = strtod(text, &end);
    if (end == text) return 0;
    if (*end == 'k' || *end == 'M') *number *= *end++ == 'k' ? 1e3 : 1e6;
    return *end == '\0' && *number >= -1e15 && *number <= 1e15; /* no NaN */
}

/* Returns the index of `text` among words that are separated by '|'; -1: it is none of them. */
static inline int command_word(const char *words, const char *text)
{
    size_t const length = strcspn(text, "|");
    int i;
    if (length == 0 || text[length] != '\0') return -1;
    for (i = 0; words != NULL; i++) {
        if (strncmp(words, text, length) == 0 && (words[length] == '|' || words[length] == '\0'))
            return i;
        words = strchr(words, '|');
        if (words != NULL) words++;
    }
    return -1;
}

/* Returns "" if the option can have this text. Otherwise, returns what is needed, such as "a number
   from 1 to 64 is needed". */
static inline const char *command_why_not(const command_option *o, const char *text)
{
    static char why[200];
    int const is_number = o->kind == COMMAND_NUMBER || o->kind == COMMAND_WHOLE;
    double x = 0;
    if (strchr(text, '\n') != NULL) return "one line is needed";
    if (is_number) {
        if (command_parse_number(text, &x) && x >= o->least && x <= o->most &&
            (o->kind == COMMAND_NUMBER || x == (double)(long)x))
            return "";
        snprintf(why, sizeof why, "a %s from %.10g to %.10g is needed",
                 o->kind == COMMAND_WHOLE ? "whole number" : "number", o->least, o->most);
    } else if (o->kind == COMMAND_CHOICE && command_word(o->form, text) < 0) {
        snprintf(why, sizeof why, "%s is needed", o->form);
    } else if (o->kind == COMMAND_LINES && strchr(text, strpbrk(o->form, "=:")[0]) == NULL) {
        snprintf(why, sizeof why, "%s is needed", o->form);
    } else {
        return text[0] != '\0' ? "" : "a text is needed";
    }
    return why;
}

/* Sets option i to the text. If option i is of the kind COMMAND_LINES and was given before, appends
   the text as another line. Returns "". If the text is refused, changes nothing and returns what is
   needed (command_why_not), or that the text is too long. */
static inline const char *command_set(command_line *c, int i, const char *text)
{
    const char *const why = command_why_not(&c->options[i], text);
    int const adds = c->options[i].kind == COMMAND_LINES && c->given[i];
    size_t const used = adds ? strlen(c->texts[i]) : 0;
    if (why[0] != '\0') return why;
    if (used + strlen(text) + 2 > COMMAND_TEXT) return "a shorter text is needed";
    snprintf(c->texts[i] + used, COMMAND_TEXT - used, "%s%s", adds ? "\n" : "", text);
    c->given[i] = 1;
    return "";
}

/* Returns 1 if one of the arguments is --help. */
static inline int command_wants_help(int argc, char **argv)
{
    int i;
    for (i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) return 1;
    return 0;
}

/* Reads the arguments. Returns 0, after a message, if one is not understood. */
static inline int command_parse(command_line *c, int argc, char **argv)
{
    int i;
    for (i = 1; i < argc; i++) {
        int const option = command_find(c, argv[i]);
        int const is_switch = option >= 0 && c->options[option].kind == COMMAND_SWITCH;
        const char *const value = is_switch ? "yes" : i + 1 < argc ? argv[i + 1] : "";
        const char *const why = option < 0         ? "there is no such option"
                                : value[0] == '\0' ? "a value must follow"
                                                   : command_set(c, option, value);
        if (why[0] != '\0') {
            fprintf(stderr, "Not understood: %s%s%s: %s. See --help.\n", argv[i],
                    value[0] != '\0' ? " " : "", value, why);
            return 0;
        }
        i += !is_switch;
    }
    return 1;
}

/* Returns the text of an option; NULL if it is empty. The name must be in the table. */
static inline const char *command_string(const command_line *c, const char *name)
{
    const char *const text = c->texts[command_find(c, name)];
    return text[0] != '\0' ? text : NULL;
}
/* Returns a number; 0 if the text is empty. */
static inline double command_number(const command_line *c, const char *name)
{
    double x = 0;
    return command_parse_number(c->texts[command_find(c, name)], &x) ? x : 0;
}
static inline int command_whole(const command_line *c, const char *name)
{
    return (int)command_number(c, name);
}
/* Returns the index of the chosen word in `form`; -1 if the text is empty. */
static inline int command_choice(const command_line *c, const char *name)
{
    int const i = command_find(c, name);
    return command_word(c->options[i].form, c->texts[i]);
}

/* Returns whether the option was given: on the command line, or in the file that *c was read from.
   */
static inline int command_given(const command_line *c, const char *name)
{
    return c->given[command_find(c, name)];
}

/* Returns 0, after a message, if both options were given. */
static inline int command_not_both(const command_line *c, const char *one, const char *other)
{
    if (!command_given(c, one) || !command_given(c, other)) return 1;
    fprintf(stderr, "%s and %s exclude each other: leave one out\n", one, other);
    return 0;
}

/* Returns 1 if --set names no field that the tool sets itself. These are the fields in `own` and
   those with an option of the same name. If --set names such a field, prints a message and returns
   0. Some of these fields are sizes of the tool's arrays: another value would reach beyond them. */
static inline int command_fields_are_free(const command_line *c)
{
    static const char *const own = "frame_width|frame_height|frame_channels|numbers|actions|"
                                   "environments|players|play_only|processes|action_masks|"
                                   "demonstrators";
    const char *line = command_string(c, "--set");
    for (; line != NULL; line = strchr(line, '\n')) {
        char option[COMMAND_TEXT + 2];
        int is_option;
        line += *line == '\n';
        snprintf(option, sizeof option, "--%.*s", (int)strcspn(line, "="), line);
        is_option = command_find(c, option) >= 0;
        if (!is_option && command_word(own, option + 2) < 0) continue;
        fprintf(stderr, "--set %.*s: the tool sets this itself: %s%s\n", (int)strcspn(line, "\n"),
                line, is_option ? "pass " : "leave it out", is_option ? option : "");
        return 0;
    }
    return 1;
}

/* Sets fields of *d. Each of the lines is a "field=value"; NULL: none. Returns 0 and the error if a
   line is wrong. */
static inline int command_set_fields(const char *lines, rise_agent_desc *d, rise_error *error)
{
    static char field[COMMAND_TEXT];
    while (lines != NULL && *lines != '\0') {
        size_t const length = strcspn(lines, "\n");
        snprintf(field, sizeof field, "%.*s", (int)length, lines);
        if (rise_agent_set(d, field, error) != RISE_OK) return 0;
        lines += length + (lines[length] == '\n');
    }
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* The record of a run: a block for each session. A block has the date, the command, facts, and a
   line for each recorded option that has a text. An option of the kind COMMAND_LINES has a line for
   each value. */

/* Reads the options of the last session. Ignores options that the table does not have, and texts
   that command_set refuses: the option keeps its initial text. Returns 0 if the file does not exist
   or cannot be read; errno says why. */
static inline int command_read(command_line *c, const char *path)
{
    static char line[COMMAND_TEXT + 100];
    const command_option *const options = c->options;
    FILE *const file = fopen(path, "r");
    char *value;
    int i, good;
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "session ", 8) == 0) command_begin(c, options, c->count);
        if (strncmp(line, "option ", 7) != 0 || (value = strchr(line + 7, ' ')) == NULL) continue;
        *value++ = '\0';
        i = command_find(c, line + 7);
        if (i >= 0) command_set(c, i, value);
    }
    good = !ferror(file);
    fclose(file);
    if (!good) errno = EIO;
    return good;
}

/* Writes an argument so that a shell reads it as one word. */
static inline void command_quote(FILE *file, const char *text)
{
    static const char *const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-_=+:,./@%";
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        fputs(text, file);
        return;
    }
    putc('\'', file);
    for (; *text != '\0'; text++) fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, file);
    putc('\'', file);
}

static inline void command_write_options(const command_line *c, FILE *file)
{
    int i;
    for (i = 0; i < c->count; i++) {
        const char *at = c->texts[i];
        while (c->options[i].scope != COMMAND_ONCE && *at != '\0') {
            int const length = (int)strcspn(at, "\n");
            fprintf(file, "option %s %.*s\n", c->options[i].name, length, at);
            at += length + (at[length] == '\n');
        }
    }
}

/* Copies the older record. Returns 0 if there is one that cannot be read. */
static inline int command_copy(const char *path, FILE *file)
{
    FILE *const old = fopen(path, "r");
    int byte, good;
    if (old == NULL) return errno == ENOENT;
    while ((byte = getc(old)) != EOF) putc(byte, file);
    good = !ferror(old);
    fclose(old);
    return good;
}

/* Adds a block to the record: the date, the command, the lines of `facts`, and the options. The
   file is replaced when the new one is complete. Returns 0 on failure; errno says why. */
static inline int command_write(const command_line *c, const char *path, int argc, char **argv,
                                const char *facts)
{
    static replace_file record;
    char date[40];
    time_t const now = time(NULL);
    FILE *const file = replace_begin(&record, path);
    int i;
    if (file == NULL) return replace_end(&record, 0);
    if (!command_copy(path, file)) return replace_end(&record, 0);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", gmtime(&now));
    fprintf(file, "session %s\ncommand", date);
    for (i = 0; i < argc; i++) putc(' ', file), command_quote(file, argv[i]);
    fprintf(file, "\n%s\n", facts);
    command_write_options(c, file);
    return replace_end(&record, 1);
}

/* ---------------------------------------------------------------------------------------------- */
/* Resuming */

static inline int command_same(const command_option *o, const char *a, const char *b)
{
    double x, y;
    if (strcmp(a, b) == 0) return 1;
    return (o->kind == COMMAND_NUMBER || o->kind == COMMAND_WHOLE) && command_parse_number(a, &x) &&
           command_parse_number(b, &y) && x == y;
}

/* Prints " --name value" for each line of the text, or " no --name" if the text is empty. */
static inline void command_print(FILE *file, const command_option *o, const char *text)
{
    if (text[0] == '\0') fprintf(file, " no %s", o->name);
    while (*text != '\0') {
        int const length = (int)strcspn(text, "\n");
        fprintf(file, " %s", o->name);
        if (o->kind != COMMAND_SWITCH) fprintf(file, " %.*s", length, text);
        text += length + (text[length] == '\n');
    }
}

/* Compares the options with those of the run, `old`. An option that was not given takes the value
   of the run, unless its scope is COMMAND_ONCE. Prints what is kept and what changes. Returns 0,
   after a message, if an option of the scope COMMAND_FIXED was given another value; then no option
   changes. */
static inline int command_resume(command_line *now, const command_line *old)
{
    int i;
    for (i = 0; i < now->count; i++) {
        const command_option *const o = &now->options[i];
        if (o->scope != COMMAND_FIXED || !now->given[i]) continue;
        if (command_same(o, now->texts[i], old->texts[i])) continue;
        fprintf(stderr, "This run has");
        command_print(stderr, o, old->texts[i]);
        fprintf(stderr, ", and cannot go on with");
        command_print(stderr, o, now->texts[i]);
        fprintf(stderr, ": leave this option out, or begin another run with --folder.\n");
        return 0;
    }
    for (i = 0; i < now->count; i++) {
        const command_option *const o = &now->options[i];
        int const same = command_same(o, now->texts[i], old->texts[i]);
        if (o->scope == COMMAND_ONCE || same) continue;
        if (now->given[i]) {
            printf("Changed:");
            command_print(stdout, o, now->texts[i]);
            printf(", previously");
        } else {
            printf("Kept from the run:");
            strcpy(now->texts[i], old->texts[i]);
        }
        command_print(stdout, o, old->texts[i]);
        puts(".");
    }
    return 1;
}

#endif
