// SPDX-License-Identifier: GPL-2.0
/* The blocks of summary trees come and go.  See summary_tree.h. */
#include <linux/errno.h>
#include <linux/numa.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include "core/metadata.h"
#include "pages/summary_tree.h"

static struct kmem_cache *leaf_blocks, *inner_blocks;

static struct kmem_cache *cache_of(int level)
{
	return level ? inner_blocks : leaf_blocks;
}

int qr_trees_init(void)
{
	leaf_blocks = qr_meta_cache_create("quarry_tree_leaf", sizeof(struct qr_tree_block), true);
	inner_blocks = qr_meta_cache_create("quarry_tree",
					    struct_size_t(struct qr_tree_block, child,
							  QR_TREE_FANOUT),
					    true);
	if (leaf_blocks && inner_blocks)
		return 0;
	qr_trees_exit();
	return -ENOMEM;
}

void qr_trees_exit(void)
{
	kmem_cache_destroy(leaf_blocks);
	kmem_cache_destroy(inner_blocks);
}

void qr_tree_init(struct qr_tree *tree, unsigned int leaf_pages)
{
	*tree = (struct qr_tree){ .leaf_pages = leaf_pages };
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_init);

/* From the leaves up: a block that is freed has no children any more. */
void qr_tree_exit(struct qr_tree *tree)
{
	struct qr_tree_block *path[QR_TREE_LEVELS], *block;
	unsigned int i[QR_TREE_LEVELS] = {};
	int k = tree->levels - 1, top = k;

	if (!tree->root)
		return;
	path[k] = tree->root;
	while (k <= top) {
		if (!k || i[k] == QR_TREE_FANOUT) {
			qr_tree_block_free(path[k], k);
			k++;
			continue;
		}
		block = path[k]->child[i[k]++];
		if (!block)
			continue;
		path[--k] = block;
		i[k] = 0;
	}
	qr_tree_init(tree, tree->leaf_pages);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_exit);

struct qr_tree_block *qr_tree_block_new(int level, gfp_t gfp, int node)
{
	return qr_meta_cache_alloc(cache_of(level), gfp, node);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_block_new);

void qr_tree_block_free(struct qr_tree_block *block, int level)
{
	qr_meta_cache_free(cache_of(level), block);
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_block_free);

int qr_tree_cover(struct qr_tree *tree, unsigned long leaf, gfp_t gfp)
{
	struct qr_tree_block *block;
	int level;

	if (leaf >> (QR_TREE_LEVELS * QR_TREE_SHIFT))
		return -E2BIG;
	while ((level = qr_tree_missing(tree, leaf)) >= 0) {
		block = qr_tree_block_new(level, gfp, NUMA_NO_NODE);
		if (!block)
			return -ENOMEM;
		qr_tree_put_block(tree, leaf, block);
	}
	return 0;
}
EXPORT_SYMBOL_QUARRY_TEST(qr_tree_cover);
