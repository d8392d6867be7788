// SPDX-License-Identifier: GPL-2.0
/*
 * Source lines: of a module and of a kernel, from each place where files with debug information are
 * found, into a profile, a text and folded stacks; and files that do not fit.  tests/lines_files
 * makes the files.
 */
#include "tests/tap.h"

#include <stdlib.h>
#include <unistd.h>
#include "lib/debugfs.h"
#include "lib/folded.h"
#include "lib/lines.h"
#include "lib/pprof.h"
#include "lib/table.h"
#include "tests/profile_make.h"

#define START  0x7000000ULL /* of the module in profiles */
#define SOURCE "tests/lines_module.c"

static char tmp[64];
static char id[64], kernel_id[64];

static char *path(const char *name)
{
	static char buf[64][256];
	static unsigned int next;
	char *to = buf[next++ % 64];

	snprintf(to, sizeof(buf[0]), "%s/%s", tmp, name);
	return to;
}

/* The first word of a file that lines_files wrote. */
static void word(char *to, const char *name)
{
	size_t size;
	char *text = q_try_file(path(name), &size);

	snprintf(to, 64, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
	free(text);
}

/* The offset of mark_NAME. */
static uint64_t mark(const char *marks, const char *name)
{
	size_t size, len = strlen(name);
	char *text = q_try_file(path(marks), &size);
	uint64_t offset = UINT64_MAX;

	for (const char *at = text; at && *at; at = strchr(at, '\n') + 1)
		if (!strncmp(at, name, len) && at[len] == ' ')
			offset = strtoull(at + len, NULL, 10);
	free(text);
	return offset;
}

/* The line of the source that says so. */
static unsigned int line_of(const char *name)
{
	char wanted[64];
	unsigned int line = 1;
	size_t size;
	char *text = q_try_file(SOURCE, &size), *at, *found;

	snprintf(wanted, sizeof(wanted), "/* line: %s */", name);
	found = text ? strstr(text, wanted) : NULL;
	for (at = text; found && at < found; at++)
		line += *at == '\n';
	free(text);
	return found ? line : 0;
}

/* "function line" of each frame, the innermost first; files must be the source. */
static const char *frames(const struct q_source *s, unsigned int mapping, uint64_t address)
{
	static char buf[512];
	unsigned int nr, at = 0;
	const struct q_frame *f = q_source_at(s, mapping, address, &nr);

	*buf = '\0';
	for (unsigned int i = 0; i < nr; i++) {
		const char *file = f[i].file ?: "(none)", *end = strstr(file, SOURCE);

		at += (unsigned int)snprintf(buf + at, sizeof(buf) - at, "%s%s %u%s",
					     at ? ", " : "", f[i].function ?: "(none)", f[i].line,
					     end && !strcmp(end, SOURCE) ? "" : file);
	}
	return buf;
}

static const char *wanted(const char *one, const char *two, const char *three)
{
	static char buf[512];
	const char *name[] = { one, two, three };
	unsigned int at = 0;

	for (unsigned int i = 0; i < 3 && name[i]; i++)
		at += (unsigned int)snprintf(buf + at, sizeof(buf) - at, "%s%s %u", at ? ", " : "",
					     name[i], line_of(name[i]));
	return buf;
}

/* --- Files that fit ---------------------------------------------------------- */

static void find_in(const char *dir, const char *file, const char *build_id, const char *marks,
		    const char *how)
{
	const char *dirs[] = { dir };
	struct q_debug_places places = { .dir = dirs, .dirs = dir ? 1 : 0, .no_system = true };
	struct q_source *s = q_source_new();
	unsigned int m = q_source_mapping(s, file, build_id, START);
	bool kernel = !strcmp(file, "vmlinux");

	printf("# %s\n", how);
	q_source_want(s, m, START + mark(marks, "innermost"));
	q_source_want(s, m, START + mark(marks, "fast"));
	q_source_want(s, m, START + mark(marks, "rare"));
	q_source_want(s, m, START + mark(marks, "rare"));
	q_source_want(s, m, START + 0x100000);
	q_source_want(s, m, START - 1);
	q_source_find(s, &places);
	same_text(q_source_problem(s) ?: "none", "none", "no problem");
	ok(q_source_has(s, m), "the mapping has a file");
	same_text(frames(s, m, START + mark(marks, "innermost")),
		  wanted("innermost", "middle", "outer"), "inlined functions and their lines");
	same_text(frames(s, m, START + mark(marks, "fast")), wanted("client", NULL, NULL),
		  "an inline function of Quarry's headers is left out");
	same_text(frames(s, m, START + mark(marks, "rare")), wanted("rare", NULL, NULL),
		  kernel ? "another function" : "a function in another section");
	same_text(frames(s, m, START + 0x100000), "", "nothing is known behind the code");
	same_text(frames(s, m, START - 1), "", "nor in front of it");
	q_source_free(s);
}

static void files_that_fit(void)
{
	char old_id[64];

	word(old_id, "dwarf4/id");
	find_in(path("good"), "lines_module.ko", id, "marks", "a module in a folder");
	find_in(path("good/lines_module.ko"), "lines_module.ko", id, "marks",
		"a module by its name");
	find_in(path("split"), "lines_module.ko", id, "marks",
		"debug information under its build id");
	find_in(path("packed"), "lines_module.ko", id, "marks", "compressed, with a dash");
	find_in(path("bare"), "lines_module.ko", id, "marks", "without a table of addresses");
	find_in(path("shrunk"), "lines_module.ko", id, "marks", "with compressed sections");
	find_in(path("dwarf4"), "lines_module.ko", old_id, "marks", "DWARF 4");
	find_in(tmp, "lines_module.ko", id, "marks", "one of many files below the folder");
	find_in(path("kernel"), "vmlinux", kernel_id, "kernel/marks", "the kernel");
	setenv("DEBUGINFOD_CACHE_PATH", path("cache"), 1);
	find_in(NULL, "lines_module.ko", id, "marks", "debuginfod's cache");
	unsetenv("DEBUGINFOD_CACHE_PATH");
	setenv("XDG_CACHE_HOME", path("xdg"), 1);
	find_in(NULL, "lines_module.ko", id, "marks", "debuginfod's cache in XDG_CACHE_HOME");
	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", path("home"), 1);
	find_in(NULL, "lines_module.ko", id, "marks", "debuginfod's cache in HOME");
	setenv("HOME", tmp, 1);
}

/* Each unit makes the file be opened again. */
static void many_units(void)
{
	static const char *const name[] = { "innermost",      "two_innermost", "three_innermost",
					    "four_innermost", "rare",	       "two_rare" };
	const char *dirs[] = { path("many") };
	struct q_debug_places places = { .dir = dirs, .dirs = 1, .no_system = true };
	struct q_source *s = q_source_new();
	char many_id[64];
	unsigned int m, before = q_dwarf_units;

	word(many_id, "many/id");
	q_dwarf_units = 1;
	m = q_source_mapping(s, "lines_module.ko", many_id, START);
	for (unsigned int i = 0; i < 6; i++)
		q_source_want(s, m, START + mark("many/marks", name[i]));
	q_source_find(s, &places);
	for (unsigned int i = 0; i < 6; i++)
		same_text(frames(s, m, START + mark("many/marks", name[i])),
			  i < 4 ? wanted("innermost", "middle", "outer") :
				  wanted("rare", NULL, NULL),
			  name[i]);
	q_source_free(s);
	q_dwarf_units = before;
}

/* --- Files that do not ------------------------------------------------------- */

static void refused(const char *dir, const char *file, const char *build_id, const char *says)
{
	const char *dirs[] = { dir };
	struct q_debug_places places = { .dir = dirs, .dirs = dir ? 1 : 0, .no_system = true };
	struct q_source *s = q_source_new();
	unsigned int m = q_source_mapping(s, file, build_id, START);
	const char *problem;

	q_source_want(s, m, START + mark("marks", "rare"));
	q_source_find(s, &places);
	problem = q_source_problem(s);
	if (!says)
		same_text(problem ?: "none", "none", "nothing was asked for, and nothing is said");
	else if (problem && strstr(problem, says))
		ok(true, says);
	else
		same_text(problem, says, says);
	ok(!q_source_has(s, m), "and gives no lines");
	same_text(frames(s, m, START + mark("marks", "rare")), "", "not one");
	q_source_free(s);
}

static void files_that_do_not_fit(void)
{
	char bad[256];

	refused(path("other"), "lines_module.ko", id, " was loaded");
	refused(path("good"), "lines_module.ko", kernel_id, " was loaded");
	refused(path("stripped"), "lines_module.ko", id, "has no debug information");
	refused(path("half"), "lines_module.ko", id, "is damaged");
	refused(path("good"), "another.ko", kernel_id, "no file with a build id of this profile");
	refused(path("good"), "lines_module.ko", "", "no file with a build id of this profile");
	refused(path("good"), "lines_module.ko", "../good",
		"no file with a build id of this profile");
	refused(NULL, "lines_module.ko", id, NULL);
	snprintf(bad, sizeof(bad), "mkdir -p %s/text && echo text >%s/text/lines_module.ko", tmp,
		 tmp);
	ok(!system(bad), "a text");
	refused(path("text"), "lines_module.ko", id, "is damaged");
}

/* Cut off and changed at many places: never a crash, and no read outside (ASan sees it). */
static void damaged_files(void)
{
	size_t size;
	char *data = q_try_file(path("good/lines_module.ko"), &size), *copy = q_alloc(size);
	const char *dirs[] = { path("broken.ko") };
	struct q_debug_places places = { .dir = dirs, .dirs = 1, .no_system = true };
	unsigned int found = 0, said = 0, all = 0;

	for (size_t n = 0; n < size; n += size / 400 + 1) {
		for (int cut = 0; cut < 2; cut++) {
			struct q_source *s = q_source_new();
			unsigned int m = q_source_mapping(s, "lines_module.ko", id, START);
			FILE *f = fopen(dirs[0], "w");

			memcpy(copy, data, size);
			copy[n] ^= 0xff;
			fwrite(copy, 1, cut ? n : size, f);
			fclose(f);
			for (unsigned int i = 0; i < 64; i++)
				q_source_want(s, m, START + i);
			q_source_find(s, &places);
			found += q_source_has(s, m);
			said += cut && q_source_problem(s);
			all += cut;
			q_source_free(s);
		}
	}
	ok(found, "some files that are damaged have lines");
	ok(said > all / 2, "most files that are cut off are named");
	unlink(dirs[0]);
	free(copy);
	free(data);
}

/* --- Profiles ---------------------------------------------------------------- */

/* A stack: mark_innermost in the module, and two places of one function of the kernel. */
static char *make(size_t *size)
{
	Quarry__Mapping *mapping;
	Quarry__Sample *sample;
	struct make m;

	make_begin(&m);
	make_type(&m, "objects", "bytes");
	for (int i = 0; i < 2; i++) {
		mapping = make_mapping(&m, i ? "lines_module.ko" : "vmlinux");
		mapping->memory_start = i ? START : 0x1000;
		mapping->memory_limit = mapping->memory_start + 0x1000;
		mapping->build_id = make_string(&m, i ? id : "");
		mapping->has_functions = true;
	}
	make_location(&m, "outer.isra.0", 2)->address = START + mark("marks", "innermost");
	make_location(&m, "above", 1)->address = 0x1010;
	make_location(&m, "above", 1)->address = 0x1020;
	sample = make_sample(&m, 3, (uint64_t[]){ 1, 2, 3 }, INT64_C(4096));
	make_label(&m, sample, "cache", "c64");
	make_label(&m, sample, "comm", "sh");
	return (char *)make_end(&m, size);
}

static void check_pb(const char *data, size_t size, const char *how)
{
	Quarry__Profile *p = quarry__profile__unpack(NULL, size, (const unsigned char *)data);
	const char *name[] = { "innermost", "middle", "outer" };
	Quarry__Location *at = p->location[0];
	bool in_order = true;

	printf("# %s\n", how);
	same((int64_t)at->n_line, 3, "a location has three lines");
	for (unsigned int i = 0; i < 3 && at->n_line == 3; i++) {
		Quarry__Function *f = p->function[at->line[i]->function_id - 1];
		const char *file = p->string_table[f->filename];

		same_text(p->string_table[f->name], name[i], "the name");
		same_text(p->string_table[f->system_name], i < 2 ? name[i] : "outer.isra.0",
			  "the kernel's name");
		same(at->line[i]->line, line_of(name[i]), "the line");
		ok(strlen(file) > strlen(SOURCE) &&
			   !strcmp(file + strlen(file) - strlen(SOURCE), SOURCE),
		   "the file");
	}
	for (size_t i = 0; i < p->n_function; i++)
		in_order &= p->function[i]->id == i + 1;
	ok(in_order && p->n_function == 4, "functions are numbered from 1, and all are used");
	same_text(p->string_table[p->function[p->location[1]->line[0]->function_id - 1]->name],
		  "above", "what has no debug information is as before");
	ok(p->mapping[1]->has_filenames && p->mapping[1]->has_line_numbers &&
		   p->mapping[1]->has_inline_frames,
	   "the mapping says so");
	ok(!p->mapping[0]->has_line_numbers, "the other one does not");
	quarry__profile__free_unpacked(p, NULL);
}

static void into_a_profile(void)
{
	const char *dirs[] = { path("good") };
	struct q_debug_places places = { .dir = dirs, .dirs = 1, .no_system = true };
	size_t size, before;
	char *data = make(&size), *problem, *text;
	struct q_pprof p;

	same_text(q_source_into_pprof(&data, &size, &places, &problem) ?: "none", "none",
		  "lines for a profile");
	ok(!problem, "without a problem");
	check_pb(data, size, "a profile with lines");
	before = size;
	q_source_into_pprof(&data, &size, &places, &problem);
	check_pb(data, size, "lines for a profile that has them");
	same((int64_t)size, (int64_t)before, "change nothing");
	same_text(q_pprof_parse(&p, data, size) ?: "none", "none", "it is a profile");
	same_text(p.site[0].stack,
		  "innermost [lines_module] < middle [lines_module] < outer [lines_module] < above < above",
		  "inlined functions are in the stack");
	q_folded_make(&p, &text, &before);
	same_text(text, "above;above;outer;middle;innermost;[c64] 4096\n", "and in folded stacks");
	free(text);
	q_pprof_free(&p);
	free(data);

	data = q_strdup("no profile");
	size = strlen(data);
	same_text(q_source_into_pprof(&data, &size, &places, &problem),
		  "it is not in pprof's format", "a text is no profile");
	same_text(data, "no profile", "and stays as it is");
	free(data);

	data = make(&size);
	dirs[0] = path("stripped");
	same_text(q_source_into_pprof(&data, &size, &places, &problem) ?: "none", "none",
		  "a profile without debug information");
	ok(problem && strstr(problem, "has no debug information"), "the reason");
	free(problem);
	same_text(q_pprof_parse(&p, data, size) ?: "none", "none", "it is a profile all the same");
	same_text(p.site[0].stack, "outer.isra.0 [lines_module] < above < above",
		  "with its functions");
	q_pprof_free(&p);
	free(data);
}

static void into_a_text(void)
{
	const char *dirs[] = { path("good"), path("kernel") };
	struct q_debug_places places = { .dir = dirs, .dirs = 2, .no_system = true };
	char *text, *problem, want[512];
	unsigned long long ret = START + mark("marks", "innermost") + 1;
	unsigned long long kernel = 0x1000 + mark("kernel/marks", "rare") + 1;
	size_t size;
	int len = asprintf(&text,
			   "heap profile: 1: 64 [1: 64] @ heapprofile\n"
			   "1: 64 [1: 64] @ 0x%llx 0x%llx 0x1\n"
			   "#\t0x%llx outer+0x1/0x10 [lines_module]\n"
			   "#\t0x%llx rare+0x1/0x10\n#\t0x1 above\n\nMAPPED_LIBRARIES:\n"
			   "1000-2000 r-xp [kernel.kallsyms]_stext %s\n"
			   "%llx-%llx r-xp [lines_module] %s\n",
			   ret, kernel, ret, kernel, kernel_id, START, START + 0x1000, id);

	size = (size_t)len;
	q_source_into_text(&text, &size, &places, &problem);
	ok(!problem, "lines for a text");
	same((int64_t)size, (int64_t)strlen(text), "its size");
	snprintf(want, sizeof(want), "#\t0x%llx innermost (inlined) ", ret);
	ok(strstr(text, want), "an inlined function has a line of its own");
	snprintf(want, sizeof(want), SOURCE ":%u\n#\t0x%llx outer+0x1/0x10 [lines_module] ",
		 line_of("middle"), ret);
	ok(strstr(text, want), "with its place, before the function that it was inlined into");
	snprintf(want, sizeof(want), SOURCE ":%u\n#\t0x%llx rare+0x1/0x10 ", line_of("outer"),
		 kernel);
	ok(strstr(text, want), "which has its place, too");
	snprintf(want, sizeof(want), SOURCE ":%u\n#\t0x1 above\n\nMAPPED_LIBRARIES:\n1000-",
		 line_of("rare"));
	ok(strstr(text, want), "as a function of the kernel has, and the rest is as before");
	free(text);
}

int main(void)
{
	char command[256];

	snprintf(tmp, sizeof(tmp), "/tmp/lines_test.XXXXXX");
	if (!mkdtemp(tmp))
		return 1;
	snprintf(command, sizeof(command), "tests/lines_files %s", tmp);
	ok(!system(command), "files with debug information");
	word(id, "id");
	word(kernel_id, "kernel/id");
	files_that_fit();
	many_units();
	files_that_do_not_fit();
	damaged_files();
	into_a_profile();
	into_a_text();
	snprintf(command, sizeof(command), "rm -rf %s", tmp);
	ok(!system(command), "they are gone");
	return tap_end();
}
