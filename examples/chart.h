/* Learning curves, drawn in the terminal and as an SVG picture that is readable on a light and on a
   dark page. If your program calls setlocale, keep LC_NUMERIC at "C": printf must write a decimal
   point here. */
#ifndef CHART_H
#define CHART_H

#include "replace.h" /* first: defines _DEFAULT_SOURCE */
#include "terminal.h"

#include <math.h>

enum { CHART_POINTS = 400, CHART_LEVELS = 2 };

typedef struct chart_point {
    double steps, seconds, score;
} chart_point;

typedef struct chart_curve {
    const char *name, *text; /* curves of the same name share a line of the legend */
    int colour;              /* 0xRRGGBB */
    chart_point points[CHART_POINTS];
    int count;
} chart_curve;

typedef struct chart {
    const char *title;
    const chart_curve *curves;
    int count;
    struct {
        const char *name, *brief; /* in SVG; in the terminal */
        double score;
    } levels[CHART_LEVELS]; /* dashed lines; the first level is the upper edge of the chart */
    int level_count;
} chart;

/* Maps steps or seconds, and scores, to coordinates on the page, in any unit of length. */
typedef struct chart_frame {
    double left, top, width, height; /* of the chart on the page */
    double x_max, low, high;         /* x from 0, scores from low to high */
    int by_seconds;                  /* 1: x is seconds; 0: x is steps */
    double x_least;                  /* start of a logarithmic x axis; 0: a linear axis from 0 */
    const char *x_name;
} chart_frame;

/* Returns the axes for all curves; the caller sets the place on the page. Scores begin at -1, or at
   the lowest score if a score is below -1, and end at the first level. Steps or seconds begin at 0
   and end at the largest, but at least at 1. */
static inline chart_frame chart_frame_of(const chart *c, int by_seconds)
{
    chart_frame f = {0, 0, 1, 1, 1, -1, 0, 0, 0, NULL};
    int i, j;
    f.by_seconds = by_seconds;
    f.x_name = by_seconds ? "seconds of training" : "steps in the game";
    f.high = c->levels[0].score;
    for (i = 0; i < c->count; i++)
        for (j = 0; j < c->curves[i].count; j++) {
            const chart_point *const p = &c->curves[i].points[j];
            f.x_max = fmax(f.x_max, by_seconds ? p->seconds : p->steps);
            f.low = fmin(f.low, p->score);
        }
    if (f.high <= f.low) f.high = f.low + 1; /* first level at most -1, no score is lower */
    return f;
}
static inline double chart_across(const chart_frame *f, double x)
{
    if (f->x_least > 0)
        return f->left +
               f->width * log(fmax(x, f->x_least) / f->x_least) / log(f->x_max / f->x_least);
    return f->left + f->width * x / f->x_max;
}
static inline double chart_x(const chart_frame *f, const chart_point *p)
{
    return chart_across(f, f->by_seconds ? p->seconds : p->steps);
}
static inline double chart_y(const chart_frame *f, double score)
{
    return f->top + f->height * (f->high - score) / (f->high - f->low);
}

/* Rounds x > 0 up to 1, 2 or 5 times a power of 10. */
static inline double chart_round_up(double x)
{
    double const power = pow(10, floor(log10(x))), digit = x / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

/* ---------------------------------------------------------------------------------------------- */
/* In the terminal */

/* columns for the scores and names of the levels */
enum { CHART_LEFT_MARGIN = 7, CHART_RIGHT_MARGIN = 11 };

/* Draws score over seconds in `rows` x `columns` characters, with the time axis in the row below.
   The axis reaches at least to `seconds`. */
static inline void chart_draw(const chart *c, terminal *t, int top, int left, int rows, int columns,
                              double seconds)
{
    chart_frame f = chart_frame_of(c, 1);
    double tenth;
    int label = top - 1, i, j, x;
    f.x_max = fmax(f.x_max, seconds);
    tenth = chart_round_up(f.x_max) / 10;
    f.x_max = tenth * ceil(f.x_max / tenth); /* a multiple of `tenth`, to change rarely */
    f.left = 2 * (left + CHART_LEFT_MARGIN); /* in braille dots */
    f.width = 2 * (columns - CHART_LEFT_MARGIN - CHART_RIGHT_MARGIN) - 1;
    f.top = 4 * top;
    f.height = 4 * rows - 1;
    for (i = 0; i < c->level_count; i++) {
        int const y = (int)chart_y(&f, c->levels[i].score);
        for (x = 0; x <= (int)f.width; x += 3) terminal_dot(t, (int)f.left + x, y, 0x8C8C8C);
        label = y / 4 > label ? y / 4 : label + 1; /* close levels keep separate labels */
        terminal_text(t, label, left, TERMINAL_PLAIN, "%+6.2f", c->levels[i].score);
        terminal_text(t, label, left + columns - CHART_RIGHT_MARGIN + 1, TERMINAL_PLAIN, "%s",
                      c->levels[i].brief);
    }
    for (i = 0; i < c->count; i++)
        for (j = c->curves[i].count > 1; j < c->curves[i].count; j++) {
            const chart_point *const q = &c->curves[i].points[j], *const p = q - (j > 0);
            terminal_line(t, (int)chart_x(&f, p), (int)chart_y(&f, p->score), (int)chart_x(&f, q),
                          (int)chart_y(&f, q->score), c->curves[i].colour);
        }
    terminal_text(t, top + rows, left + CHART_LEFT_MARGIN, TERMINAL_PLAIN, "0");
    terminal_text(t, top + rows, left + columns - CHART_RIGHT_MARGIN - 5, TERMINAL_PLAIN, "%4g s",
                  f.x_max);
}

/* ---------------------------------------------------------------------------------------------- */
/* As SVG */

static inline void chart_svg_tick(FILE *file, const chart_frame *f, double x, int thousands)
{
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g%s</text>\n",
            chart_across(f, x), f->top + f->height + 18, x / (thousands ? 1000 : 1),
            thousands && x > 0 ? "k" : "");
}

static inline void chart_svg_axes(FILE *file, const chart_frame *f)
{
    double const right = f->left + f->width, bottom = f->top + f->height;
    double const x_step = chart_round_up(f->x_max * 58 / f->width);
    double const y_step = chart_round_up((f->high - f->low) / 5);
    double x;
    int i;
    if (f->x_least > 0)
        for (x = chart_round_up(f->x_least); x <= f->x_max; x = chart_round_up(1.5 * x))
            chart_svg_tick(file, f, x, 0);
    else
        for (i = 0; i * x_step <= f->x_max; i++)
            chart_svg_tick(file, f, i * x_step, !f->by_seconds && x_step >= 1000);
    for (i = (int)ceil(f->low / y_step); i * y_step <= f->high + 1e-9; i++)
        fprintf(file,
                "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/><text x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"end\">%g</text>\n",
                f->left, chart_y(f, i * y_step), right, f->left - 8, chart_y(f, i * y_step) + 4,
                i * y_step);
    fprintf(file, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", f->left, f->top, bottom,
            right);
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
            f->left + f->width / 2, bottom + 40, f->x_name);
}

/* Draws a dashed line at `score`, with its name above or below. */
static inline void chart_svg_level(FILE *file, const chart_frame *f, const char *name, double score,
                                   int below)
{
    double const right = f->left + f->width, y = chart_y(f, score);
    fprintf(file, "<path class=\"level\" d=\"M%.1f %.1fH%.1f\"/>", f->left, y, right);
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s %+.3g</text>\n", right,
            below ? y + 16 : y - 6, name, score);
}

static inline void chart_svg_line(FILE *file, const chart_frame *f, int colour,
                                  const chart_point *points, int count)
{
    int i;
    if (count == 1) /* a line needs two points */
        fprintf(file, "<circle fill=\"#%06x\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
                (unsigned)colour, chart_x(f, points), chart_y(f, points->score));
    if (count < 2) return;
    fprintf(file, "<polyline stroke=\"#%06x\" points=\"", (unsigned)colour);
    for (i = 0; i < count; i++)
        fprintf(file, "%.1f,%.1f ", chart_x(f, &points[i]), chart_y(f, points[i].score));
    fprintf(file, "\"/>\n");
}

static inline void chart_svg_panel(FILE *file, const chart *c, double left, int by_seconds)
{
    chart_frame f = chart_frame_of(c, by_seconds);
    int i;
    f.left = left;
    f.width = 350;
    f.top = 90;
    f.height = 270;
    chart_svg_axes(file, &f);
    for (i = 0; i < c->level_count; i++) {
        int const close =
            i > 0 && chart_y(&f, c->levels[i].score) - chart_y(&f, c->levels[i - 1].score) < 20;
        chart_svg_level(file, &f, c->levels[i].name, c->levels[i].score, close);
    }
    for (i = 0; i < c->count; i++)
        chart_svg_line(file, &f, c->curves[i].colour, c->curves[i].points, c->curves[i].count);
}

static inline void chart_svg_legend(FILE *file, const chart *c)
{
    double x = 60;
    int i, j;
    for (i = 0; i < c->count; i++) {
        for (j = 0; strcmp(c->curves[j].name, c->curves[i].name) != 0; j++) continue;
        if (j < i) continue; /* already in the legend */
        fprintf(file,
                "<polyline stroke=\"#%06x\" points=\"%.0f,50 %.0f,50\"/><text x=\"%.0f\" "
                "y=\"54\">%s: %s</text>\n",
                (unsigned)c->curves[i].colour, x, x + 24, x + 30, c->curves[i].name,
                c->curves[i].text);
        x += 46 + 7.6 * (double)(strlen(c->curves[i].name) + strlen(c->curves[i].text));
    }
}

/* Returns the state of the picture that is being written. Only one picture is written at a time. */
static inline replace_file *chart_svg_picture(void)
{
    static replace_file picture;
    return &picture;
}

/* Writes text with < and & as &lt; and &amp;, because XML gives these characters a meaning. */
static inline void chart_svg_text(FILE *file, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '<' || *text == '&')
            fputs(*text == '<' ? "&lt;" : "&amp;", file);
        else
            putc(*text, file);
}

/* Begins a picture. Returns NULL if the file cannot be written; errno says why. Call
   chart_svg_close at the end. */
static inline FILE *chart_svg_open(const char *path, double width, double height, const char *title)
{
    FILE *const file = replace_begin(chart_svg_picture(), path);
    if (file == NULL) return NULL;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" "
            "height=\"%g\">\n"
            "<style>text{font:13px "
            "system-ui,sans-serif;fill:#57606a}.title{font-size:17px;font-weight:600}\n"
            "path,polyline{fill:none}polyline{stroke-width:2;stroke-linejoin:round}.axis{stroke:#"
            "8b949e}\n"
            ".grid{stroke:#8b949e;opacity:.25}.level{stroke:#8b949e;stroke-width:1.5;stroke-"
            "dasharray:6 4}\n"
            "@media(prefers-color-scheme:dark){text{fill:#a9b1ba}}</style>\n",
            width, height, width, height);
    fputs("<text class=\"title\" x=\"60\" y=\"26\">", file);
    chart_svg_text(file, title);
    fputs("</text>\n", file);
    return file;
}
/* Ends a picture. If every write succeeded, the picture replaces an older one. Otherwise returns 0,
   and errno says why. */
static inline int chart_svg_close(FILE *file)
{
    fprintf(file, "</svg>\n");
    return replace_end(chart_svg_picture(), 1);
}

/* Writes two panels: score over steps, and score over seconds. Returns 0 if the file cannot be
   written; errno says why, and an older file is unchanged. */
static inline int chart_write_svg(const chart *c, const char *path)
{
    char title[100];
    FILE *file;
    snprintf(title, sizeof title, "%s: mean score of the greedy agent", c->title);
    file = chart_svg_open(path, 860, 420, title);
    if (file == NULL) return 0;
    chart_svg_legend(file, c);
    chart_svg_panel(file, c, 60, 0);
    chart_svg_panel(file, c, 490, 1);
    return chart_svg_close(file);
}

#endif
