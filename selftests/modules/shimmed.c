// SPDX-License-Identifier: GPL-2.0
/*
 * A module that is written for the kernel's slab API and built with quarry/kmem_shim.h.  It
 * calls each function of the API, with memory of Quarry and with memory of the kernel.  It uses
 * Quarry's own API only to ask whether memory is Quarry's.  The results are in the log, one line
 * for each check, and in the parameters "passed" and "failed".
 */
#define pr_fmt(fmt) "quarry_shimmed: " fmt

#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/poison.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <quarry/quarry.h>

MODULE_DESCRIPTION("Checks of quarry/kmem_shim.h");
MODULE_LICENSE("GPL");

static unsigned int passed, failed;
module_param(passed, uint, 0444);
module_param(failed, uint, 0444);

static void check(bool good, const char *what)
{
	if (good) {
		passed++;
		pr_info("ok %s\n", what);
	} else {
		failed++;
		pr_info("not ok %s\n", what);
	}
}

/* True if @p is memory of Quarry. */
static bool ours(const void *p)
{
	return quarry_usable_size(p);
}

/* Memory of the kernel's: the kernel's own code allocates it, which the shim does not change. */
static char *kernels(void)
{
	return kasprintf(GFP_KERNEL, "%s", "from the kernel");
}

/* Hides a size from the compiler, so that it is no constant. */
static size_t size_of(size_t size)
{
	OPTIMIZER_HIDE_VAR(size);
	return size;
}

/* --- Caches --- */

struct thing {
	u64 a, b, c;
	char name[40];
};

static unsigned int constructed;

static void construct(void *obj)
{
	struct thing *t = obj;

	t->a = 0x1234;
	constructed++;
}

static void check_cache(struct kmem_cache *s, const char *what, bool zero)
{
	char text[80];
	struct thing *t;
	void *objs[40];

	snprintf(text, sizeof(text), "%s: created", what);
	check(s, text);
	if (!s)
		return;
	snprintf(text, sizeof(text), "%s: an object is Quarry's", what);
	t = kmem_cache_alloc(s, GFP_KERNEL);
	check(ours(t), text);
	kmem_cache_free(s, t);
	snprintf(text, sizeof(text), "%s: size", what);
	check(kmem_cache_size(s) == sizeof(struct thing), text);
	snprintf(text, sizeof(text), "%s: an object of zeros", what);
	if (zero) {
		t = kmem_cache_zalloc(s, GFP_KERNEL | __GFP_ACCOUNT);
		check(ours(t) && !memchr_inv(t, 0, sizeof(*t)), text);
		kfree(t);
	}
	snprintf(text, sizeof(text), "%s: on a node, and in a list", what);
	t = kmem_cache_alloc_node(s, GFP_KERNEL, numa_mem_id());
	objs[0] = kmem_cache_alloc_lru(s, NULL, GFP_KERNEL);
	check(ours(t) && ours(objs[0]), text);
	kfree_sensitive(t);
	kvfree(objs[0]);
	snprintf(text, sizeof(text), "%s: many at a time", what);
	check(kmem_cache_alloc_bulk(s, GFP_KERNEL, ARRAY_SIZE(objs), objs) && ours(objs[0]) &&
		      ours(objs[39]),
	      text);
	kmem_cache_free_bulk(s, 20, objs);
	kfree_bulk(20, objs + 20);
	kmem_cache_shrink(s);
	kmem_cache_destroy(s);
}

static void caches(void)
{
	struct kmem_cache *s;
	struct thing *t;
	void *p;

	check_cache(kmem_cache_create("shim_plain", sizeof(struct thing), 0, 0, NULL), "plain",
		    true);
	check_cache(KMEM_CACHE(thing, SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT | SLAB_RECLAIM_ACCOUNT |
					      SLAB_POISON | SLAB_RED_ZONE | SLAB_STORE_USER |
					      SLAB_PANIC),
		    "flags", true);
	check_cache(KMEM_CACHE_USERCOPY(thing, 0, name), "usercopy", true);
	check_cache(kmem_cache_create_usercopy("shim_user", sizeof(struct thing), 64, 0, 8, 16,
					       NULL),
		    "usercopy in full", true);

	s = kmem_cache_create("shim_watched", sizeof(struct thing), 0, SLAB_POISON | SLAB_RED_ZONE,
			      NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	check(ours(p) && ((u8 *)p)[sizeof(struct thing)] == SLUB_RED_ACTIVE, "a red zone");
	kmem_cache_free(s, p);
	check(*(u8 *)p == POISON_FREE, "poison");
	kmem_cache_destroy(s);

	s = kmem_cache_create("shim_ctor", sizeof(struct thing), 0, 0, construct);
	t = kmem_cache_alloc(s, GFP_KERNEL);
	check(constructed && t && t->a == 0x1234 && ours(t), "constructor");
	kmem_cache_free(s, t);
	kmem_cache_destroy(s);

	s = kmem_cache_create("shim_aligned", 100, 256, 0, NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	t = kmem_cache_alloc(s, GFP_KERNEL);
	check(ours(p) && IS_ALIGNED((unsigned long)p | (unsigned long)t, 256), "alignment");
	check(kmem_cache_size(s) == 100, "the size that was asked for");
	kmem_cache_free(s, p);
	kmem_cache_free(s, t);
	kmem_cache_destroy(s);
	kmem_cache_destroy(NULL);

	s = kmem_cache_create("shim_lines", 72, 0, SLAB_HWCACHE_ALIGN, NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	t = kmem_cache_alloc(s, GFP_KERNEL);
	check(ours(p) && IS_ALIGNED((unsigned long)p | (unsigned long)t, SMP_CACHE_BYTES),
	      "cache lines");
	kmem_cache_free(s, p);
	kmem_cache_free(s, t);
	kmem_cache_destroy(s);

	s = kmem_cache_create("shim_dma", 100, 0, SLAB_CACHE_DMA, NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	check(s && p && !ours(p), "a cache of a zone is the kernel's");
	kmem_cache_free(s, p);
	check(kmem_cache_size(s) == 100, "and has its size");
	kmem_cache_shrink(s);
	kmem_cache_destroy(s);

	s = kmem_cache_create("shim_huge", 40000, 0, 0, NULL);
	p = kmem_cache_alloc(s, GFP_KERNEL);
	check(s && p && !ours(p), "a cache of large objects is the kernel's");
	kfree(p);
	kmem_cache_destroy(s);

	p = __getname();
	check(p && !ours(p), "a cache that the kernel made");
	__putname(p);
}

static void pools(void)
{
	struct kmem_cache *s = KMEM_CACHE(thing, 0);
	mempool_t *pool = mempool_create_slab_pool(4, s), *kmallocs;
	void *p[6];
	unsigned int i, mine = 0;

	check(pool, "a pool of a cache");
	for (i = 0; pool && i < ARRAY_SIZE(p); i++) {
		p[i] = mempool_alloc(pool, GFP_KERNEL);
		mine += ours(p[i]);
	}
	check(mine == ARRAY_SIZE(p), "its objects are Quarry's");
	while (i)
		mempool_free(p[--i], pool);
	mempool_destroy(pool);
	kmem_cache_destroy(s);

	kmallocs = mempool_create_kmalloc_pool(2, 100);
	p[0] = mempool_alloc(kmallocs, GFP_KERNEL);
	check(p[0] && !ours(p[0]), "a pool of kmalloc's stays the kernel's");
	mempool_free(p[0], kmallocs);
	mempool_destroy(kmallocs);
}

/* --- kmalloc() --- */

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

/*
 * A second free of Quarry's memory goes to Quarry too, which reports it.  The object has a run
 * of its own, so the first free leaves idle pages.  Few idle pages are not released, so Quarry
 * still knows the address at the second free.
 */
static void double_free(void)
{
	void *p = kmalloc(100000, GFP_KERNEL);

	kfree(p);
	kfree(p);
}

/* --- By RCU --- */

struct late {
	u64 a;
	struct rcu_head rcu;
	u64 b;
};

/* A reader sees the object unchanged until it leaves its read-side critical section. */
static void frees_by_rcu(void)
{
	struct late *mine = kzalloc(sizeof(*mine), GFP_KERNEL);
	struct late *theirs = kzalloc(sizeof(*theirs), GFP_KERNEL | GFP_DMA);
	struct kmem_cache *s = KMEM_CACHE(late, SLAB_TYPESAFE_BY_RCU);
	struct late *typed = kmem_cache_alloc(s, GFP_KERNEL);
	typeof(rcu_barrier) kvfree_rcu_barrier; /* the shim's, also where the kernel has none */
	void *p;

	check(ours(mine) && theirs && !ours(theirs), "memory of both");
	check(ours(typed), "a cache that readers rely on");
	rcu_read_lock();
	preempt_disable();
	mine->a = 0x1234;
	mine->b = 0x5678;
	kfree_rcu(mine, rcu);
	kmem_cache_free(s, typed);
	check(mine->a == 0x1234 && mine->b == 0x5678, "is there for a reader after kfree_rcu()");
	/* A CPU gives out first the object that it freed last. */
	p = kmalloc(sizeof(*mine), GFP_ATOMIC);
	check(p && p != mine, "and is nobody else's");
	kfree(p);
	preempt_enable();
	rcu_read_unlock();
	kfree_rcu(theirs, rcu);
	kvfree_rcu_mightsleep(kmalloc(100, GFP_KERNEL));
	kvfree_rcu_mightsleep(kernels());
	kvfree_rcu_mightsleep(kvzalloc(SZ_4M + SZ_1M, GFP_KERNEL));
	mine = kmem_cache_alloc(s, GFP_KERNEL);
	kfree_rcu(mine, rcu);
	kmem_cache_destroy(s);
	kfree_rcu((struct late *)NULL, rcu);
	/* When the object is freed, its pages no longer belong to an object: ours() is false. */
	p = kmalloc(100000, GFP_KERNEL);
	kvfree_rcu_mightsleep(p);
	kvfree_rcu_barrier();
	check(p && !ours(p), "the barrier waits for Quarry's");
}

/* --- To user space and back, with CONFIG_HARDENED_USERCOPY --- */

/* Memory of the program that loads the module. */
static unsigned long user;

static void copy(const void *p, size_t size, const char *what)
{
	void __user *to = (void __user *)user;

	check(!copy_to_user(to, p, size) && !copy_from_user((void *)p, to, size), what);
}

static void usercopy(void)
{
	struct kmem_cache *s = kmem_cache_create("shim_straddle", 3000, 0, 0, NULL);
	void *objs[8], *p;
	unsigned int i, straddle = 0;

	user = vm_mmap(NULL, 0, SZ_64K, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, 0);
	check(!IS_ERR_VALUE(user), "memory of the program's");
	if (IS_ERR_VALUE(user))
		return;
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		objs[i] = kmem_cache_zalloc(s, GFP_KERNEL);
		straddle += offset_in_page(objs[i]) > PAGE_SIZE - 3000;
	}
	check(straddle, "objects lie across pages");
	for (i = 0; i < ARRAY_SIZE(objs); i++)
		copy(objs[i], 3000, "a copy of an object");
	kmem_cache_free_bulk(s, ARRAY_SIZE(objs), objs);
	kmem_cache_destroy(s);
	p = kzalloc(20000, GFP_KERNEL);
	copy(p, 20000, "a copy of some pages");
	kfree(p);
	p = kvzalloc(SZ_64K, GFP_KERNEL);
	copy(p, SZ_64K, "a copy of more");
	kvfree(p);
	vm_munmap(user, SZ_64K);
}

static int __init shimmed_init(void)
{
	double_free();
	caches();
	pools();
	sizes();
	mallocs();
	nodes();
	kvmallocs();
	reallocs();
	grow_among_others(false);
	grow_among_others(true);
	copies();
	pointers();
	release();
	frees_by_rcu();
	usercopy();
	pr_info("1..%u\n", passed + failed);
	return 0;
}

static void __exit shimmed_exit(void)
{
}

module_init(shimmed_init);
module_exit(shimmed_exit);
