/* SPDX-License-Identifier: GPL-2.0 */
/* An inverted index: which words a text has, how often each occurs, and where. */
#ifndef WORDINDEX_INDEX_H
#define WORDINDEX_INDEX_H

#include <linux/types.h>

#define WORD_MAX 63 /* bytes of a word that are kept; the rest is cut off */

struct positions;

/**
 * struct word - a word of the text
 * @next: the next word in the same bucket
 * @first: blocks of the word's positions in the text, in order
 * @last: the last of these blocks, which takes the next position
 * @hash: hash of @text
 * @count: how often the word occurs
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
 * @nr_buckets: number of buckets: a power of two, or 0
 * @nr_words: number of different words
 * @length: number of words in the text
 *
 * A struct of zeros is an empty index.  The caller locks.
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
