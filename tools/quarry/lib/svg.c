// SPDX-License-Identifier: GPL-2.0
#include "lib/svg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/clamp.h"
#include "lib/human.h"
#include "lib/problem.h"
#include "lib/table.h"

#define WIDTH	1200
#define ROW	18
#define TOP	40  /* of the title */
#define DEEPEST 256 /* functions of one stack that are drawn */
#define LETTER	6.6 /* pixels of a character, about */
#define LEAST	0.3 /* pixels: a narrower box cannot be seen */

/**
 * struct stack - a site as the picture needs it
 * @name: its functions, the outermost first
 * @nr: how many
 * @value: what is drawn
 */
struct stack {
	char **name;
	unsigned int nr;
	int64_t value;
};

/**
 * struct picture - what is being drawn
 * @out: where to
 * @stack: all stacks, in the order of their functions
 * @all: the sum of their values
 * @unit: of the values
 * @deepest: the lowest row that has a box
 */
struct picture {
	FILE *out;
	struct stack *stack;
	double all;
	enum q_unit unit;
	unsigned int deepest;
};

unsigned int q_utf8(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned int len = 0;

	if (*s < 0x80)
		return 1;
	if (*s >= 0xc2 && *s < 0xf5)
		len = *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
	for (unsigned int i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Too long for what they are, halves of pairs, and above the last character. */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] >= 0xa0) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] >= 0x90))
		return 0;
	return len;
}

/* At most @most characters of @text, as XML takes them. */
static void put_text(FILE *out, const char *text, unsigned int most)
{
	unsigned int len;

	for (unsigned int i = 0; *text && i < most; i++, text += len) {
		len = q_utf8(text);
		if (!len || (unsigned char)*text < ' ' || *text == 0x7f) {
			fputs("\xef\xbf\xbd", out);
			len = 1;
		} else if (strchr("<>&\"'", *text)) {
			fprintf(out, "&#%d;", *text);
		} else {
			fwrite(text, 1, len, out);
		}
	}
	if (*text)
		fputs("..", out);
}

static int by_functions(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;

	for (unsigned int i = 0; i < x->nr && i < y->nr; i++) {
		int order = strcmp(x->name[i], y->name[i]);

		if (order)
			return order;
	}
	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

/* The functions of @text, innermost first, which are cut apart in place. */
static void cut(struct stack *s, char *text)
{
	unsigned int room = 0;

	for (char *end; text && *text; text = end) {
		end = strstr(text, " < ");
		if (end) {
			*end = '\0';
			end += 3;
		}
		if (s->nr == room) {
			room = room ? 2 * room : 16;
			s->name = q_realloc(s->name, room * sizeof(*s->name));
		}
		s->name[s->nr++] = text;
	}
	for (unsigned int i = 0; i < s->nr / 2; i++) {
		char *other = s->name[i];

		s->name[i] = s->name[s->nr - 1 - i];
		s->name[s->nr - 1 - i] = other;
	}
}

static void box(struct picture *p, const char *name, unsigned int row, double from, double value)
{
	double x = from / p->all * WIDTH, w = value / p->all * WIDTH;
	unsigned int letters = w > LETTER ? (unsigned int)((w - 6) / LETTER) : 0, hash = 0;
	size_t len = strlen(name);
	char text[Q_HUMAN_LEN];

	if (row > p->deepest)
		p->deepest = row;
	for (size_t i = 0; i < len; i++)
		hash = 31 * hash + (unsigned char)name[i];
	fputs("<g><title>", p->out);
	put_text(p->out, name, 1000);
	fprintf(p->out,
		": %s, %.1f %%</title><rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" "
		"fill=\"hsl(%u,%d%%,%u%%)\"/>",
		q_human(text, p->unit, q_whole(value)), 100 * value / p->all, x, TOP + row * ROW, w,
		ROW - 1, (len && name[len - 1] == ']' ? 150 : 22) + hash % 20, 65,
		72 + hash / 20 % 10);
	if (letters > 2) {
		fprintf(p->out, "<text x=\"%.2f\" y=\"%u\">", x + 3, TOP + row * ROW + 13);
		put_text(p->out, name, strlen(name) > letters ? letters - 2 : letters);
		fputs("</text>", p->out);
	}
	fputs("</g>\n", p->out);
}

/* The boxes of stacks @from to @to, which are equal above @row, from the place @x on. */
static void draw(struct picture *p, unsigned int from, unsigned int to, unsigned int row, double x)
{
	for (unsigned int next; from < to; from = next) {
		const char *name = row < p->stack[from].nr ? p->stack[from].name[row] : NULL;
		double value = 0;

		for (next = from; next < to; next++) {
			const struct stack *s = &p->stack[next];

			if (!name != (row >= s->nr) || (name && strcmp(name, s->name[row])))
				break;
			value += (double)s->value;
		}
		/* A stack that ends above this row leaves a gap. */
		if (name && value / p->all * WIDTH >= LEAST) {
			box(p, name, row + 1, x, value);
			if (row + 2 < DEEPEST)
				draw(p, from, next, row + 1, x);
		}
		x += value;
	}
}

static void write_svg(FILE *out, const char *title, const char *type, const char *boxes,
		      const struct picture *p)
{
	unsigned int height = TOP + (p->deepest + 1) * ROW + 8;
	char text[Q_HUMAN_LEN];

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 0 %d %u\" "
		"font-family=\"sans-serif\" font-size=\"11\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
		"<text x=\"4\" y=\"24\" font-size=\"16\">",
		WIDTH, height, WIDTH, height);
	put_text(out, title, 100);
	fputs(": ", out);
	put_text(out, type, 30);
	fprintf(out, ", %s</text>\n%s</svg>\n", q_human(text, p->unit, q_whole(p->all)), boxes);
}

int q_svg_make(const struct q_pprof *p, const char *title, char **svg, size_t *size)
{
	int type = q_pprof_type(p, "inuse_space"), status = Q_OK;
	char **text = q_alloc(p->sites * sizeof(*text) + 1), *boxes = NULL;
	struct picture pic = { .stack = q_alloc(p->sites * sizeof(*pic.stack) + 1) };
	unsigned int nr = 0;
	size_t boxes_size;
	FILE *out;

	if (type < 0)
		type = 0;
	pic.unit = !strcmp(p->unit[type], "bytes")	 ? Q_BYTES :
		   !strcmp(p->unit[type], "nanoseconds") ? Q_NS :
							   Q_COUNT;
	for (unsigned int i = 0; i < p->sites; i++) {
		text[i] = q_strdup(p->site[i].stack);
		if (p->site[i].value[type] <= 0)
			continue;
		cut(&pic.stack[nr], text[i]);
		pic.stack[nr].value = p->site[i].value[type];
		pic.all += (double)pic.stack[nr++].value;
	}
	if (nr)
		qsort(pic.stack, nr, sizeof(*pic.stack), by_functions);
	pic.out = open_memstream(&boxes, &boxes_size);
	out = open_memstream(svg, size);
	if (pic.out && out) {
		if (nr) {
			box(&pic, "all", 0, 0, pic.all);
			draw(&pic, 0, nr, 0, 0);
		}
		fflush(pic.out);
		write_svg(out, title, p->type[type], boxes, &pic);
	}
	if (!pic.out || !out || (fclose(pic.out) | ferror(out) | fclose(out)))
		status = q_problem(Q_FAILED, "out of memory");
	if (status && out)
		free(*svg);
	for (unsigned int i = 0; i < p->sites; i++)
		free(text[i]);
	for (unsigned int i = 0; i < nr; i++)
		free(pic.stack[i].name);
	free(text);
	free(pic.stack);
	free(boxes);
	return status;
}
