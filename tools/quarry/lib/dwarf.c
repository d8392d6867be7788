// SPDX-License-Identifier: GPL-2.0
#include "lib/dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/table.h"

unsigned int q_dwarf_units = 256;

/* --- Build ids --- */

static bool has_debug_info(Elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr mem, *head;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((scn = elf_nextscn(elf, scn))) {
		const char *name;

		head = gelf_getshdr(scn, &mem);
		name = head ? elf_strptr(elf, names, head->sh_name) : NULL;
		if (name && (!strcmp(name, ".debug_info") || !strcmp(name, ".zdebug_info")))
			return true;
	}
	return false;
}

static enum q_dwarf_fit check_elf(Elf *elf, const char *id, char *text)
{
	const unsigned char *bits;
	ssize_t len;

	if (elf_kind(elf) != ELF_K_ELF) {
		strcpy(text, "it is no ELF file");
		return Q_DWARF_DAMAGED;
	}
	len = dwelf_elf_gnu_build_id(elf, (const void **)&bits);
	if (len <= 0 || len > (Q_BUILD_ID_LEN - 1) / 2) {
		strcpy(text, "its build id cannot be read");
		return Q_DWARF_DAMAGED;
	}
	for (ssize_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", bits[i]);
	if (strcmp(text, id))
		return Q_DWARF_OTHER;
	return has_debug_info(elf) ? Q_DWARF_FITS : Q_DWARF_STRIPPED;
}

enum q_dwarf_fit q_dwarf_check(const char *path, const char *id, char *text)
{
	enum q_dwarf_fit fit = Q_DWARF_DAMAGED;
	struct stat st;
	Elf *elf;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	elf_version(EV_CURRENT);
	if (fd < 0 || fstat(fd, &st)) {
		snprintf(text, Q_BUILD_ID_LEN, "%s", strerror(errno));
	} else if (!S_ISREG(st.st_mode) || !st.st_size) {
		strcpy(text, "it is no ELF file");
	} else {
		elf = dwelf_elf_begin(fd);
		if (elf)
			fit = check_elf(elf, id, text);
		else
			snprintf(text, Q_BUILD_ID_LEN, "%s", elf_errmsg(-1));
		elf_end(elf);
	}
	if (fd >= 0)
		close(fd);
	return fit;
}

/* --- The file and its sections --- */

/**
 * struct range - addresses and what is there
 * @low: the first
 * @high: behind the last
 * @value: of a section: its address for libdw; else: the offset of a debugging entry
 */
struct range {
	uint64_t low;
	uint64_t high;
	uint64_t value;
};

struct ranges {
	struct range *at;
	unsigned int nr;
	unsigned int room;
};

/**
 * struct q_dwarf - an open file
 * @path: its name
 * @dwfl: libdwfl's handle
 * @mod: the file
 * @dwarf: its debug information
 * @bias: the address of a place less its address in @dwarf
 * @sections: where the kernel puts a module's code, or the kernel's code as one section
 * @units: the code of all units of compilation
 * @unit: the one that @functions is of
 * @functions: the code of its functions
 * @units_read: so many since the file was opened
 * @damage: why the debug information is damaged, or NULL
 */
struct q_dwarf {
	char *path;
	Dwfl *dwfl;
	Dwfl_Module *mod;
	Dwarf *dwarf;
	Dwarf_Addr bias;
	struct ranges sections;
	struct ranges units;
	Dwarf_Off unit;
	struct ranges functions;
	unsigned int units_read;
	const char *damage;
};

static void add_range(struct ranges *r, uint64_t low, uint64_t high, uint64_t value)
{
	if (low >= high)
		return;
	if (r->nr == r->room) {
		r->room = r->room ? 2 * r->room : 64;
		r->at = q_realloc(r->at, r->room * sizeof(*r->at));
	}
	r->at[r->nr++] = (struct range){ low, high, value };
}

static int by_low(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static void sort_ranges(struct ranges *r)
{
	if (r->nr)
		qsort(r->at, r->nr, sizeof(*r->at), by_low);
}

/* The range that begins last of those that begin at or before @addr, if @addr is in it. */
static const struct range *find_range(const struct ranges *r, uint64_t addr)
{
	unsigned int low = 0, high = r->nr;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (r->at[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low && addr < r->at[low - 1].high ? &r->at[low - 1] : NULL;
}

static void free_ranges(struct ranges *r)
{
	free(r->at);
	*r = (struct ranges){ 0 };
}

/*
 * The sections of a module as the kernel's layout_sections() places them: code that stays after the
 * init function.  libdwfl chose other addresses, and wrote them into the section headers.
 */
static bool module_sections(struct q_dwarf *d, Elf *elf, Dwarf_Addr bias)
{
	uint64_t text = 0, align;
	Elf_Scn *scn = NULL;
	GElf_Shdr mem, *head;
	const char *name;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((scn = elf_nextscn(elf, scn))) {
		head = gelf_getshdr(scn, &mem);
		name = head ? elf_strptr(elf, names, head->sh_name) : NULL;
		if (!name)
			return false;
		if ((head->sh_flags & (SHF_ALLOC | SHF_EXECINSTR)) != (SHF_ALLOC | SHF_EXECINSTR) ||
		    !strncmp(name, ".init", 5))
			continue;
		align = head->sh_addralign ?: 1;
		text = (text + align - 1) / align * align;
		add_range(&d->sections, text, text + head->sh_size, head->sh_addr + bias);
		text += head->sh_size;
	}
	return d->sections.nr;
}

/* The kernel's code begins at _stext for the module, too. */
static bool kernel_section(struct q_dwarf *d)
{
	int nr = dwfl_module_getsymtab(d->mod);
	GElf_Addr at, end = 0;
	GElf_Sym sym;

	dwfl_module_info(d->mod, NULL, NULL, &end, NULL, NULL, NULL, NULL);
	for (int i = 0; i < nr; i++) {
		const char *name = dwfl_module_getsym_info(d->mod, i, &sym, &at, NULL, NULL, NULL);

		if (!name || strcmp(name, "_stext"))
			continue;
		add_range(&d->sections, 0, end > at ? end - at : 0, at);
		break;
	}
	return d->sections.nr;
}

/* --- Units --- */

static void damaged(struct q_dwarf *d)
{
	int error = dwarf_errno();

	if (error && !d->damage)
		d->damage = dwarf_errmsg(error);
}

/* The code of one entry, which may be in several places. */
static void add_code(struct q_dwarf *d, struct ranges *to, Dwarf_Die *die)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0)
		add_range(to, low, high, dwarf_dieoffset(die));
	if (at < 0)
		damaged(d);
}

static void read_units(struct q_dwarf *d)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	int more;

	d->units.nr = 0;
	while (!(more = dwarf_get_units(d->dwarf, cu, &cu, NULL, NULL, &die, NULL)))
		if (dwarf_tag(&die) == DW_TAG_compile_unit)
			add_code(d, &d->units, &die);
	if (more < 0)
		damaged(d);
	sort_ranges(&d->units);
}

static void add_functions(struct q_dwarf *d, Dwarf_Die *parent)
{
	Dwarf_Die die;
	int more = dwarf_child(parent, &die);

	for (; !more; more = dwarf_siblingof(&die, &die)) {
		if (dwarf_tag(&die) == DW_TAG_subprogram)
			add_code(d, &d->functions, &die);
		else if (dwarf_tag(&die) == DW_TAG_namespace)
			add_functions(d, &die);
	}
	if (more < 0)
		damaged(d);
}

/* --- Opening --- */

static int no_elf(Dwfl_Module *mod, void **data, const char *name, Dwarf_Addr base, char **file,
		  Elf **elf)
{
	(void)mod, (void)data, (void)name, (void)base, (void)file, (void)elf;
	return -1;
}

/* libdwfl's own function asks servers of debuginfod. */
static int no_debuginfo(Dwfl_Module *mod, void **data, const char *name, Dwarf_Addr base,
			const char *file, const char *link, GElf_Word crc, char **found)
{
	(void)mod, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc;
	(void)found;
	return -1;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = no_elf,
	.find_debuginfo = no_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static const char *open_file(struct q_dwarf *d)
{
	Dwarf_Addr bias;
	GElf_Ehdr head;
	Elf *elf;

	d->dwfl = dwfl_begin(&callbacks);
	d->mod = d->dwfl ? dwfl_report_offline(d->dwfl, "", d->path, -1) : NULL;
	if (!d->mod || dwfl_report_end(d->dwfl, NULL, NULL))
		return dwfl_errmsg(-1);
	elf = dwfl_module_getelf(d->mod, &bias);
	d->dwarf = elf ? dwfl_module_getdwarf(d->mod, &d->bias) : NULL;
	if (!d->dwarf || !gelf_getehdr(elf, &head))
		return dwfl_errmsg(-1);
	if (!d->sections.nr &&
	    !(head.e_type == ET_REL ? module_sections(d, elf, bias) : kernel_section(d)))
		return head.e_type == ET_REL ? "it has no code" : "it has no symbol _stext";
	read_units(d);
	d->units_read = 0;
	return d->units.nr ? NULL : d->damage ?: "it describes no code";
}

struct q_dwarf *q_dwarf_open(const char *path, const char **why)
{
	struct q_dwarf *d = q_alloc(sizeof(*d));

	d->path = q_strdup(path);
	*why = open_file(d);
	if (!*why)
		return d;
	q_dwarf_close(d);
	return NULL;
}

void q_dwarf_close(struct q_dwarf *d)
{
	if (d->dwfl)
		dwfl_end(d->dwfl);
	free_ranges(&d->sections);
	free_ranges(&d->units);
	free_ranges(&d->functions);
	free(d->path);
	free(d);
}

const char *q_dwarf_damage(const struct q_dwarf *d)
{
	return d->damage;
}

/* --- Frames --- */

/* Make @unit the one whose functions are known.  libdw keeps what it read until the file is closed. */
static bool choose_unit(struct q_dwarf *d, Dwarf_Off offset, Dwarf_Die *unit)
{
	if (d->unit != offset && d->units_read >= q_dwarf_units) {
		const char *why;

		dwfl_end(d->dwfl);
		why = open_file(d);
		if (why) {
			d->damage = why;
			d->units.nr = 0; /* nothing is known from now on */
			return false;
		}
	}
	if (!dwarf_offdie(d->dwarf, offset, unit)) {
		damaged(d);
		return false;
	}
	if (d->unit == offset)
		return true;
	d->unit = offset;
	d->units_read++;
	d->functions.nr = 0;
	add_functions(d, unit);
	sort_ranges(&d->functions);
	return true;
}

/* The functions that were inlined at @pc into @chain[0], from the outermost to the innermost. */
static unsigned int find_chain(struct q_dwarf *d, Dwarf_Addr pc, Dwarf_Die chain[Q_DWARF_FRAMES])
{
	Dwarf_Die parent = chain[0], die;
	unsigned int nr = 1;
	int more = dwarf_child(&parent, &die), tag;

	while (!more && nr < Q_DWARF_FRAMES) {
		tag = dwarf_tag(&die);
		if ((tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block) ||
		    dwarf_haspc(&die, pc) <= 0) {
			more = dwarf_siblingof(&die, &die);
			continue;
		}
		if (tag == DW_TAG_inlined_subroutine)
			chain[nr++] = die;
		parent = die;
		more = dwarf_child(&parent, &die);
	}
	if (more < 0)
		damaged(d);
	return nr;
}

static unsigned int number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute mem;
	Dwarf_Word value;

	return dwarf_formudata(dwarf_attr(die, name, &mem), &value) ? 0 : (unsigned int)value;
}

/* Where the function @die was called from, which it was inlined into. */
static void call_site(Dwarf_Die *unit, Dwarf_Die *die, struct q_frame *frame)
{
	unsigned int number = number_of(die, DW_AT_call_file);
	Dwarf_Files *files;
	size_t nr;

	if (!dwarf_getsrcfiles(unit, &files, &nr) && number < nr)
		frame->file = dwarf_filesrc(files, number, NULL, NULL);
	frame->line = number_of(die, DW_AT_call_line);
}

unsigned int q_dwarf_frames(struct q_dwarf *d, uint64_t offset,
			    struct q_frame frame[Q_DWARF_FRAMES])
{
	const struct range *section = find_range(&d->sections, offset), *code;
	Dwarf_Die unit, chain[Q_DWARF_FRAMES];
	unsigned int nr = 0;
	Dwarf_Line *line;
	Dwarf_Addr pc;
	int number = 0;

	if (!section)
		return 0;
	pc = offset - section->low + section->value - d->bias;
	code = find_range(&d->units, pc);
	if (!code || !choose_unit(d, code->value, &unit))
		return 0;
	memset(frame, 0, Q_DWARF_FRAMES * sizeof(*frame));
	code = find_range(&d->functions, pc);
	if (code && dwarf_offdie(d->dwarf, code->value, &chain[0]))
		nr = find_chain(d, pc, chain);
	for (unsigned int i = 0; i < nr; i++) {
		frame[nr - 1 - i].function = dwarf_diename(&chain[i]);
		if (i + 1 < nr)
			call_site(&unit, &chain[i + 1], &frame[nr - 1 - i]);
	}
	line = dwarf_getsrc_die(&unit, pc);
	if (line) {
		frame[0].file = dwarf_linesrc(line, NULL, NULL);
		dwarf_lineno(line, &number);
		frame[0].line = (unsigned int)number;
	}
	if (!nr && line)
		nr = 1; /* assembly has lines, but no functions */
	return nr;
}
