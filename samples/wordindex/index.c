// SPDX-License-Identifier: GPL-2.0
/*
 * The index is in Quarry's memory, and shows the three ways to allocate it:
 *
 *   a word         quarry_malloc(): the size depends on the word
 *   the table      quarry_zalloc(): from 4 KiB up to the largest object
 *   the positions  quarry_cache_alloc(): all have one size, so they have a cache, whose name
 *                  debugfs shows
 *
 * If memory runs out, every function leaves the index consistent.  Functions that allocate are not
 * inlined, so that a heap profile tells them apart.
 */
#include <linux/errno.h>
#include <linux/jhash.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <quarry/quarry.h>
#include "index.h"

#define MIN_BUCKETS	512
#define MAX_BUCKETS	(QUARRY_MAX_LARGE / sizeof(struct word *))
#define BLOCK_POSITIONS 13

/* A block of positions: one cache line.  Most words need only one. */
struct positions {
	struct positions *next;
	u32 nr;
	u32 at[BLOCK_POSITIONS];
};

static_assert(sizeof(struct positions) == 64);

static struct quarry_cache *positions_cache;

int word_index_init(void)
{
	static const struct quarry_cache_args args = {
		.flags = QUARRY_HWCACHE_ALIGN,
	};

	positions_cache = quarry_cache_create("wordindex_positions", sizeof(struct positions),
					      &args);
	return positions_cache ? 0 : -ENOMEM;
}

void word_index_exit(void)
{
	quarry_cache_destroy(positions_cache);
}

static struct word **bucket_of(const struct word_index *index, u32 hash)
{
	return &index->buckets[hash & (index->nr_buckets - 1)];
}

/* Double the table if it is full.  If there is no memory for that, the chains grow longer. */
static noinline int make_room(struct word_index *index)
{
	struct word_index grown = *index;
	unsigned int i;

	if (index->nr_words < index->nr_buckets || index->nr_buckets >= MAX_BUCKETS)
		return 0;
	grown.nr_buckets = max(2 * index->nr_buckets, MIN_BUCKETS);
	grown.buckets = quarry_zalloc(grown.nr_buckets * sizeof(*grown.buckets),
				      GFP_KERNEL | __GFP_NOWARN);
	if (!grown.buckets)
		return index->buckets ? 0 : -ENOMEM;

	for (i = 0; i < index->nr_buckets; i++) {
		struct word *word, *next;

		for (word = index->buckets[i]; word; word = next) {
			struct word **bucket = bucket_of(&grown, word->hash);

			next = word->next;
			word->next = *bucket;
			*bucket = word;
		}
	}
	quarry_free(index->buckets);
	*index = grown;
	return 0;
}

static struct word *find_word(const struct word_index *index, u32 hash, const char *text,
			      size_t len)
{
	struct word *word;

	if (!index->nr_buckets)
		return NULL;
	for (word = *bucket_of(index, hash); word; word = word->next) {
		if (word->hash == hash && !strncmp(word->text, text, len) && !word->text[len])
			return word;
	}
	return NULL;
}

/* Add a word that is not in the index yet; @block has its first position. */
static noinline int add_new(struct word_index *index, u32 hash, const char *text, size_t len,
			    struct positions *block)
{
	struct word **bucket, *word;
	int err = make_room(index);

	if (err)
		return err;
	word = quarry_malloc(struct_size(word, text, len + 1), GFP_KERNEL);
	if (!word)
		return -ENOMEM;
	bucket = bucket_of(index, hash);
	*word = (struct word){
		.next = *bucket,
		.first = block,
		.last = block,
		.hash = hash,
		.count = 1,
	};
	memcpy(word->text, text, len);
	word->text[len] = '\0';
	*bucket = word;
	index->nr_words++;
	return 0;
}

/**
 * word_index_add() - add the next word of the text
 * @index: the index
 * @text: the word, not terminated
 * @len: its length, 1 to WORD_MAX
 *
 * Return: 0, or -ENOMEM; then nothing was added.
 */
int word_index_add(struct word_index *index, const char *text, size_t len)
{
	u32 hash = jhash(text, len, 0);
	struct word *word = find_word(index, hash, text, len);
	struct positions *block;
	int err;

	if (word && word->last->nr < BLOCK_POSITIONS) {
		word->last->at[word->last->nr++] = index->length++;
		word->count++;
		return 0;
	}

	block = quarry_cache_alloc(positions_cache, GFP_KERNEL);
	if (!block)
		return -ENOMEM;
	block->next = NULL;
	block->nr = 1;
	block->at[0] = index->length;
	if (word) {
		word->last->next = block;
		word->last = block;
		word->count++;
	} else {
		err = add_new(index, hash, text, len, block);
		if (err) {
			quarry_cache_free(positions_cache, block);
			return err;
		}
	}
	index->length++;
	return 0;
}

static void free_word(struct word *word)
{
	struct positions *block, *next;

	for (block = word->first; block; block = next) {
		next = block->next;
		quarry_cache_free(positions_cache, block);
	}
	quarry_free(word);
}

/* Free everything.  The index is then empty and can be used again. */
void word_index_clear(struct word_index *index)
{
	unsigned int i;

	for (i = 0; i < index->nr_buckets; i++) {
		struct word *word, *next;

		for (word = index->buckets[i]; word; word = next) {
			next = word->next;
			free_word(word);
		}
		cond_resched();
	}
	quarry_free(index->buckets);
	*index = (struct word_index){};
}

static bool comes_before(const struct word *a, const struct word *b)
{
	if (a->count != b->count)
		return a->count > b->count;
	return strcmp(a->text, b->text) < 0;
}

/**
 * word_index_top() - find the most frequent words
 * @index: the index
 * @top: filled with the words, largest count first, those with equal counts by the alphabet
 * @max: number of entries of @top, at least 1
 *
 * This walks over the words once and compares most of them with the last of @top only, which is
 * cheaper than to sort them.
 *
 * Return: the number of words in @top.  They are valid while the caller holds its lock.
 */
unsigned int word_index_top(const struct word_index *index, const struct word **top,
			    unsigned int max)
{
	unsigned int i, j, nr = 0;

	for (i = 0; i < index->nr_buckets; i++) {
		const struct word *word;

		for (word = index->buckets[i]; word; word = word->next) {
			if (nr == max && !comes_before(word, top[nr - 1]))
				continue;
			if (nr < max)
				nr++;
			for (j = nr - 1; j && comes_before(word, top[j - 1]); j--)
				top[j] = top[j - 1];
			top[j] = word;
		}
		cond_resched();
	}
	return nr;
}

u32 word_first_position(const struct word *word)
{
	return word->first->at[0];
}
