/* SPDX-License-Identifier: GPL-2.0 */
/* An inverted index: which words a text has, how often, and where. */
#ifndef WORDINDEX_INDEX_H
#define WORDINDEX_INDEX_H

#include <linux/types.h>

#define WORD_MAX 63 /* bytes of a word that are kept */

struct positions;

/**
 * struct word - a word of the text
 * @next: in its bucket
 * @first: where it stands, in order
 * @last: the block that takes the next position
 * @hash: of @text
 * @count: how often it was seen
 * @text: the word, with a terminating zero
 */
struct word {
	struct word *next;
	struct positions *first;
	struct positions *last;
	u32 hash;
	u32 count;
	char text[];
};

/**
 * struct word_index - all words of one text
 * @buckets: the hash table; NULL before the first word
 * @nr_buckets: a power of two, or 0
 * @nr_words: different words
 * @length: words in the text
 *
 * All zeros is an empty index.  The caller locks.
 */
struct word_index {
	struct word **buckets;
	unsigned int nr_buckets;
	unsigned int nr_words;
	u32 length;
};

int word_index_init(void);
void word_index_exit(void);

int word_index_add(struct word_index *index, const char *text, size_t len);
void word_index_clear(struct word_index *index);
unsigned int word_index_top(const struct word_index *index, const struct word **top,
			    unsigned int max);
u32 word_first_position(const struct word *word);

#endif /* WORDINDEX_INDEX_H */
