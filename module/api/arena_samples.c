// SPDX-License-Identifier: GPL-2.0
/* The samples of an arena's objects; see arena_samples.h. */
#include "api/arena_samples.h"

#include "profile/profile_memory.h"

/**
 * struct qr_arena_samples_part - up to QR_ARENA_SAMPLES_PART samples
 * @link: in &struct qr_arena_samples.parts
 * @nr: samples in use
 * @samples: describes @sample to the profiler
 * @sample: what the profiler knows of each object
 * @ptr: address of each object
 * @offset: offset of each object in the arena
 * @size: bytes that each object was given
 */
struct qr_arena_samples_part {
	struct list_head link;
	unsigned int nr;
	struct qr_samples samples;
	struct qr_sample sample[QR_ARENA_SAMPLES_PART];
	const void *ptr[QR_ARENA_SAMPLES_PART];
	u64 offset[QR_ARENA_SAMPLES_PART];
	u32 size[QR_ARENA_SAMPLES_PART];
};

void qr_arena_samples_init(struct qr_arena_samples *t)
{
	raw_spin_lock_init(&t->lock);
	INIT_LIST_HEAD(&t->parts);
}

static struct qr_arena_samples_part *last_part(struct qr_arena_samples *t)
{
	if (list_empty(&t->parts))
		return NULL;
	return list_last_entry(&t->parts, struct qr_arena_samples_part, link);
}

static struct qr_arena_samples_part *part_new(gfp_t gfp)
{
	struct qr_arena_samples_part *part = qr_profile_memory_alloc(sizeof(*part), gfp);

	if (part) {
		INIT_LIST_HEAD(&part->link);
		part->samples.at = part->sample;
		part->samples.nr = QR_ARENA_SAMPLES_PART;
	}
	return part;
}

void qr_arena_samples_add(struct qr_arena_samples *t, const struct qr_sampled *what, u64 offset,
			  gfp_t gfp)
{
	struct qr_arena_samples_part *part = last_part(t);
	unsigned long flags;
	unsigned int i;

	if (!part || part->nr == QR_ARENA_SAMPLES_PART)
		part = part_new(gfp);
	if (!part) {
		qr_profile_dropped(what->weight, what->size);
		return;
	}
	i = part->nr;
	part->ptr[i] = what->ptr;
	part->offset[i] = offset;
	part->size[i] = what->size;
	qr_profile_alloced(&part->sample[i], what, gfp);
	raw_spin_lock_irqsave(&t->lock, flags);
	if (!i && list_empty(&part->link))
		list_add_tail(&part->link, &t->parts);
	part->nr++;
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

/*
 * Remove the last sample of @part if its object lies at @offset or behind it.  Takes the lock
 * for one sample only, because there may be many.
 */
static bool cut_one(struct qr_arena_samples *t, struct qr_arena_samples_part *part, u64 offset)
{
	unsigned long flags;
	unsigned int i;

	if (!part->nr || part->offset[part->nr - 1] < offset)
		return false;
	raw_spin_lock_irqsave(&t->lock, flags);
	i = --part->nr;
	qr_profile_freed(&part->samples, i, part->ptr[i], part->size[i]);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return true;
}

static void part_drop(struct qr_arena_samples *t, struct qr_arena_samples_part *part)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	/* The reader had come to this part, which was the last one: it is done. */
	if (t->next == part)
		t->next = NULL;
	list_del(&part->link);
	raw_spin_unlock_irqrestore(&t->lock, flags);
	qr_profile_memory_free(part, sizeof(*part));
}

void qr_arena_samples_cut(struct qr_arena_samples *t, u64 offset)
{
	struct qr_arena_samples_part *part;

	while ((part = last_part(t))) {
		while (cut_one(t, part, offset))
			;
		if (part->nr || list_is_first(&part->link, &t->parts))
			return;
		part_drop(t, part);
	}
}

void qr_arena_samples_exit(struct qr_arena_samples *t)
{
	struct qr_arena_samples_part *part = last_part(t);

	if (part)
		part_drop(t, part);
}

void qr_arena_samples_rewind(struct qr_arena_samples *t)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	t->next = list_first_entry_or_null(&t->parts, struct qr_arena_samples_part, link);
	raw_spin_unlock_irqrestore(&t->lock, flags);
}

unsigned int qr_arena_samples_read(struct qr_arena_samples *t, struct qr_arena_sample *out)
{
	struct qr_live_sample sample[QR_ARENA_SAMPLES_PART];
	struct qr_arena_samples_part *part;
	unsigned int i, nr = 0;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	part = t->next;
	if (part) {
		nr = qr_samples_read(&part->samples, part->nr, sample);
		for (i = 0; i < nr; i++)
			out[i] = (struct qr_arena_sample){
				.ptr = part->ptr[i],
				.size = part->size[i],
				.sample = sample[i],
			};
		t->next = list_is_last(&part->link, &t->parts) ? NULL : list_next_entry(part, link);
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return nr;
}
