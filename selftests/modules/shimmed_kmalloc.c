// SPDX-License-Identifier: GPL-2.0
/* Checks of kmalloc() and its family, built with quarry/kmem_shim.h.  See shimmed.c. */
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "shimmed.h"

/*
 * Every size up to 40,000 bytes, and some up to 2 MiB.  The memory must be Quarry's, and aligned
 * to the largest power of two that divides its size.
 */
static void sizes(void)
{
	unsigned int misaligned = 0, short_of = 0, foreign = 0, scattered = 0, wrong_size = 0;
	size_t size;

	for (size = 1; size <= SZ_2M; size += size < 40000 ? 1 : size / 9 & ~(SZ_4K - 1)) {
		unsigned long align = size & -size;
		void *p = kmalloc(size_of(size), GFP_KERNEL);

		if (!p)
			continue;
		foreign += !ours(p);
		misaligned += !IS_ALIGNED((unsigned long)p, max(align, 8UL));
		short_of += ksize(p) < size;
		wrong_size += ksize(p) != kmalloc_size_roundup(size);
		scattered += is_vmalloc_addr(p);
		kfree(p);
	}
	for (size = 8; size <= SZ_2M; size *= 2) {
		void *p = kmalloc(size_of(size), GFP_KERNEL), *q = kmalloc(size, GFP_KERNEL);

		foreign += p && !ours(p);
		misaligned += !IS_ALIGNED((unsigned long)p | (unsigned long)q, size);
		kfree(p);
		kfree(q);
	}
	check(!foreign, "all from 1 byte to 2 MiB are Quarry's");
	check(!misaligned, "and aligned as the kernel's are");
	check(!short_of, "and as long as they should be");
	check(!wrong_size, "which kmalloc_size_roundup() knew");
	check(!scattered, "and in a row");
	check(kmalloc_size_roundup(0) == 0, "nothing is rounded up to nothing");
}

/* For sizes that the compiler knows, it finds the class. */
static __always_inline bool constant(size_t size)
{
	void *p = kmalloc(size, GFP_KERNEL);
	bool good = ours(p) && IS_ALIGNED((unsigned long)p, max(size & -size, 8UL)) &&
		    ksize(p) == kmalloc_size_roundup(size);

	kfree(p);
	return good;
}

static void constant_sizes(void)
{
	bool small = constant(1) && constant(8) && constant(24) && constant(64) && constant(96) &&
		     constant(192) && constant(200) && constant(768);
	bool large = constant(1536) && constant(3072) && constant(4096) && constant(6144) &&
		     constant(8192) && constant(24576);

	check(small && large, "constant sizes: Quarry's, and aligned as the kernel's are");
}

/* A check of @p, which is then freed. */
static void check_free(void *p, bool good, const char *what)
{
	check(p && good, what);
	kfree(p);
}

static void mallocs(void)
{
	int node = numa_mem_id();
	void *p;

	p = kmalloc(24, GFP_KERNEL);
	check_free(p, ours(p), "kmalloc, constant");
	p = kmalloc(size_of(3), GFP_ATOMIC);
	check_free(p, ours(p), "kmalloc, variable");
	p = kzalloc(size_of(200), GFP_KERNEL);
	check_free(p, ours(p) && !memchr_inv(p, 0, 200), "kzalloc");
	p = kcalloc(10, 20, GFP_KERNEL_ACCOUNT);
	check_free(p, ours(p) && !memchr_inv(p, 0, 200), "kcalloc");
	p = kmalloc_array(size_of(10), 20, GFP_KERNEL);
	check_free(p, ours(p), "kmalloc_array");
	check(!kmalloc_array(size_of(SIZE_MAX / 2), 3, GFP_KERNEL | __GFP_NOWARN),
	      "an array that is too large");
	p = kmalloc_node(100, GFP_KERNEL, node);
	check_free(p, ours(p), "kmalloc_node");
	p = kmalloc_node(size_of(100), GFP_KERNEL, NUMA_NO_NODE);
	check_free(p, ours(p), "kmalloc_node, any");
	p = kmalloc_node(size_of(50000), GFP_KERNEL, node);
	check_free(p, ours(p), "kmalloc_node, large");
	p = kzalloc_node(size_of(100), GFP_KERNEL, node);
	check_free(p, ours(p) && !memchr_inv(p, 0, 100), "kzalloc_node");
	p = kcalloc_node(5, 20, GFP_KERNEL, node);
	check_free(p, ours(p) && !memchr_inv(p, 0, 100), "kcalloc_node");
	p = kmalloc_array_node(size_of(5), 20, GFP_KERNEL, node);
	check_free(p, ours(p), "kmalloc_array_node");
	p = kmalloc_track_caller(size_of(60), GFP_KERNEL);
	check_free(p, ours(p), "kmalloc_track_caller");
	p = kmalloc(100000, GFP_KERNEL);
	check_free(p, ours(p), "kmalloc, constant and large");

	p = kmalloc(size_of(100), GFP_KERNEL | GFP_DMA);
	check_free(p, !ours(p), "kmalloc of a zone");
	p = kmalloc(100, GFP_KERNEL | GFP_DMA);
	check_free(p, !ours(p), "kmalloc of a zone, constant");
	p = kmalloc(SZ_4M, GFP_KERNEL | __GFP_NOWARN);
	check(!ours(p), "kmalloc of 4 MiB");
	kfree(p);

	check(kmalloc(size_of(0), GFP_KERNEL) == ZERO_SIZE_PTR, "kmalloc of nothing");
	check(kzalloc(0, GFP_KERNEL) == ZERO_SIZE_PTR, "kzalloc of nothing");
	kfree(ZERO_SIZE_PTR);
	kfree(NULL);
	kvfree(NULL);
	kfree_sensitive(ZERO_SIZE_PTR);
	kvfree_sensitive(NULL, 0);
	kfree_const(NULL);
	check(ksize(NULL) == 0 && ksize(ZERO_SIZE_PTR) == 0, "ksize of nothing");
}

/* A small and a large object from each node, which must come from this node. */
static void nodes(void)
{
	static const size_t sizes[] = { 100, 50000 };
	unsigned int i, elsewhere = 0;
	int node;

	for_each_node_state(node, N_MEMORY) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			void *p = kmalloc_node(size_of(sizes[i]), GFP_KERNEL, node);

			elsewhere += !ours(p) || page_to_nid(virt_to_page(p)) != node;
			kfree(p);
		}
	}
	check(!elsewhere, "each node's memory");
}

/* The release in which kvrealloc() lost its second argument also made it a macro. */
static void *kvgrow(void *p, size_t old, size_t new, gfp_t gfp)
{
#ifdef kvrealloc
	return kvrealloc(p, new, gfp);
#else
	return kvrealloc(p, old, new, gfp);
#endif
}

static void kvmallocs(void)
{
	int node = numa_mem_id();
	void *p;

	p = kvmalloc(size_of(100), GFP_KERNEL);
	check(ours(p), "kvmalloc");
	kvfree(p);
	p = kvzalloc(SZ_4M + SZ_1M, GFP_KERNEL);
	check(ours(p) && !memchr_inv(p, 0, SZ_4M + SZ_1M), "kvzalloc of 5 MiB");
	p = kvgrow(p, SZ_4M + SZ_1M, SZ_4M + SZ_2M, GFP_KERNEL);
	check(ours(p) && !memchr_inv(p, 0, SZ_4M + SZ_1M), "kvrealloc to 6 MiB");
	check(kvgrow(p, SZ_4M + SZ_2M, 0, GFP_KERNEL) == ZERO_SIZE_PTR, "kvrealloc to nothing");
	p = kvmalloc(size_of(100000), GFP_KERNEL | GFP_DMA);
	check(p && !ours(p), "kvmalloc of a zone");
	kvfree(p);
	/* More than Quarry gives in one piece, so pages are mapped. */
	p = kvmalloc(QUARRY_MAX_LARGE + SZ_4K, GFP_KERNEL);
	check(ours(p) && is_vmalloc_addr(p), "kvmalloc of mapped pages");
	kvfree(p);
	p = kvcalloc(100, 1000, GFP_KERNEL);
	check(ours(p) && !memchr_inv(p, 0, 100000), "kvcalloc");
	kvfree(p);
	p = kvmalloc_array(size_of(100), 1000, GFP_KERNEL);
	check(ours(p), "kvmalloc_array");
	kvfree_sensitive(p, 100000);
	p = kvmalloc_node(size_of(100000), GFP_KERNEL, node);
	check(p, "kvmalloc_node");
	kvfree(p);
	p = kvzalloc_node(size_of(1000), GFP_KERNEL, node);
	check(ours(p) && !memchr_inv(p, 0, 1000), "kvzalloc_node");
	kvfree(p);
	p = vmalloc(10000);
	check(p && !ours(p), "vmalloc");
	kvfree(p);
	p = kernels();
	kvfree(p);
	p = kernels();
	kvfree_sensitive(p, 10);
}

/* A realloc must copy the old object only, and no byte of its neighbours. */
static void grow_among_others(bool kv)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_ZERO;
	char *p[64];
	unsigned int i, wrong = 0;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = kzalloc(100, GFP_KERNEL);
		if (p[i])
			memset(p[i], 'x', 100);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		char *q = kv ? kvgrow(p[i], 100, 1000, gfp) : krealloc(p[i], 1000, gfp);

		wrong += !q || memchr_inv(q, 'x', 100) || memchr_inv(q + 100, 0, 900);
		p[i] = q ?: p[i];
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		kfree(p[i]);
	check(!wrong, kv ? "kvrealloc among others" : "krealloc among others");
}

static void reallocs(void)
{
	char *p, *q;

	p = krealloc(NULL, size_of(20), GFP_KERNEL);
	check(ours(p), "krealloc of NULL");
	memset(p, 'x', 20);
	q = krealloc(p, 2000, GFP_KERNEL);
	check(ours(q) && !memchr_inv(q, 'x', 20), "krealloc that grows");
	p = krealloc(q, 10, GFP_KERNEL);
	check(p == q, "krealloc that shrinks stays where it is");
	q = krealloc(p, 100000, GFP_KERNEL);
	check(ours(q) && !memchr_inv(q, 'x', 10), "krealloc to something large");
	p = krealloc(q, SZ_128K, GFP_KERNEL);
	check(ours(p) && IS_ALIGNED((unsigned long)p, SZ_128K) && !memchr_inv(p, 'x', 10),
	      "krealloc to a power of two");
	q = krealloc_array(p, 100, 2000, GFP_KERNEL);
	check(ours(q), "krealloc_array");
	check(krealloc(q, 0, GFP_KERNEL) == ZERO_SIZE_PTR, "krealloc to nothing");
	p = krealloc(ZERO_SIZE_PTR, 30, GFP_KERNEL);
	check(ours(p), "krealloc of nothing");
	q = krealloc(p, 300, GFP_KERNEL | GFP_DMA);
	check(q && !ours(q), "krealloc to a zone");
	p = krealloc(q, 3000, GFP_KERNEL);
	check(p && !ours(p), "krealloc of the kernel's");
	kfree(p);
	p = kernels();
	q = krealloc(p, 500, GFP_KERNEL);
	check(q && !ours(q) && !strcmp(q, "from the kernel"), "krealloc of a text of the kernel's");
	kfree(q);
	p = kzalloc(100, GFP_KERNEL);
	q = krealloc(p, 40, GFP_KERNEL | __GFP_ZERO);
	memset(q, 'x', 40);
	p = krealloc(q, 30, GFP_KERNEL | __GFP_ZERO);
	q = krealloc(p, 1000, GFP_KERNEL | __GFP_ZERO);
	check(!memchr_inv(q, 'x', 30) && !memchr_inv(q + 30, 0, 970), "krealloc with zeros");
	kfree(q);
}

static void copies(void)
{
	static const char text[] = "some text";
	const char *c;
	char *p;

	p = kmemdup(text, size_of(sizeof(text)), GFP_KERNEL);
	check_free(p, ours(p) && !strcmp(p, text), "kmemdup");
	p = kmemdup_nul(text, 4, GFP_KERNEL);
	check_free(p, ours(p) && !strcmp(p, "some"), "kmemdup_nul");
	p = kstrdup(text, GFP_KERNEL);
	check_free(p, ours(p) && !strcmp(p, text), "kstrdup");
	p = kstrndup(text, 6, GFP_KERNEL);
	check_free(p, ours(p) && !strcmp(p, "some t"), "kstrndup");
	check(!kstrdup(NULL, GFP_KERNEL) && !kstrndup(NULL, 3, GFP_KERNEL), "no strings");
	c = kstrdup_const(text, GFP_KERNEL);
	check(c && !strcmp(c, text), "kstrdup_const");
	kfree_const(c);
	kfree_const(kstrdup(text, GFP_KERNEL));
	c = (const char *)_ctype;
	check(kstrdup_const(c, GFP_KERNEL) == c, "kstrdup_const of a constant of the kernel's");
	kfree_const(c);
	p = kernels();
	check(p && !ours(p), "kasprintf");
	kfree(p);
	kfree_sensitive(kernels());
	kfree_link(kernels());
	kfree_link(kstrdup(text, GFP_KERNEL));
}

/* Frees without a call of kfree(): by a pointer to it, by __free(kfree), and by kfree_bulk(). */
static void pointers(void)
{
	void (*release)(const void *p) = kfree;
	void *p[8];
	unsigned int i;

	OPTIMIZER_HIDE_VAR(release);
	release(kmalloc(100, GFP_KERNEL));
	release(kernels());
	{
		char *mine __free(kfree) = kmalloc(100, GFP_KERNEL);
		char *theirs __free(kfree) = kernels();

		check(ours(mine) && !ours(theirs), "kfree() of a scope");
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = i % 2 ? kernels() : kmalloc(50, GFP_KERNEL);
	kfree_bulk(ARRAY_SIZE(p), p);
}

/*
 * seq_release_private() frees memory that this module attached to the file.  shim.sh sees at the
 * end whether it was freed.
 */
static void release(void)
{
	static const struct seq_operations none;
	struct file *file = kzalloc(sizeof(*file), GFP_KERNEL);
	struct seq_file *seq;

	check(file && !seq_open(file, &none), "seq_open");
	seq = file->private_data;
	seq->private = kmalloc(100, GFP_KERNEL);
	check(!seq_release_private(NULL, file), "seq_release_private");
	kfree(file);
}

void check_kmalloc_family(void)
{
	sizes();
	constant_sizes();
	mallocs();
	nodes();
	kvmallocs();
	reallocs();
	grow_among_others(false);
	grow_among_others(true);
	copies();
	pointers();
	release();
}
