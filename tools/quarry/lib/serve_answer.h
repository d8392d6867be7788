/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What "quarry serve" answers: profiles, metrics and errors.  These functions take what is asked for
 * from the module, and may be called by several threads.  They know nothing of connections.
 */
#ifndef Q_SERVE_ANSWER_H
#define Q_SERVE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include "lib/metrics.h"
#include "lib/opener.h"
#include "lib/serve_request.h"

/* Memory of all answers that clients have not read yet, together. */
#define Q_ANSWERS_MAX ((size_t)128 << 20)

/**
 * struct q_answer - an answer
 * @status: of HTTP
 * @type: of the content
 * @policy: what a browser may do with the content, or NULL: show it
 * @gzip: the content is compressed
 * @retry: seconds after which the client may ask again, or 0
 * @data: the content, to be given back with q_answer_free()
 * @size: its bytes, which are counted as held
 */
struct q_answer {
	int status;
	const char *type;
	const char *policy;
	bool gzip;
	unsigned int retry;
	char *data;
	size_t size;
};

/* An answer that is a sentence. */
void q_answer_text(struct q_answer *a, int status, const char *text);
void q_answer_index(struct q_answer *a);

/* The error of the kernel's, below 0, as a sentence. */
void q_answer_refuse(struct q_answer *a, int error);

/* The text of a file, to be freed, or NULL and *@err. */
char *q_answer_read(struct q_opener *o, enum q_file file, int *err);
void q_answer_free(struct q_answer *a);

/*
 * The profile that is asked for.  *@device is an open device with the mark that a delta begins at,
 * or -1; it is closed.
 */
void q_answer_profile(struct q_answer *a, struct q_opener *o, const struct q_request *r,
		      int *device);

/* Begin a delta: *@device is the open device.  False: @a is an answer that says why not. */
bool q_answer_mark(struct q_answer *a, struct q_opener *o, const struct q_request *r, int *device);

void q_answer_metrics(struct q_answer *a, struct q_opener *o, const struct q_request *r,
		      const struct q_serve_numbers *numbers);

/* Bytes of all answers.  q_held_add() is false if they would be too many. */
size_t q_held(void);
bool q_held_add(size_t bytes);
void q_held_drop(size_t bytes);

#endif
