/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a client of "quarry serve" asks for.  These functions take any bytes from a client.  They
 * touch nothing but their arguments.
 */
#ifndef Q_SERVE_REQUEST_H
#define Q_SERVE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define Q_SECONDS_MAX 600 /* the longest delta */
#define Q_TOKEN_MAX   256 /* characters of a token */
#define Q_WHY_LEN     256

#define Q_FILTER_MAX 64 /* characters of a filter, with its end */
#define Q_ROWS	     100
#define Q_ROWS_MAX   500 /* of a view */

/**
 * enum q_endpoint - the pages
 * @Q_INDEX: links to the others
 * @Q_PROFILE: a profile
 * @Q_METRICS: all numbers
 * @Q_LIVE: the page that shows views
 * @Q_LIVE_JSON: a view, for that page
 */
enum q_endpoint { Q_INDEX, Q_PROFILE, Q_METRICS, Q_LIVE, Q_LIVE_JSON };

/**
 * struct q_request - a request that is valid
 * @endpoint: which page
 * @kind: of a profile: QUARRY_DEV_KIND_*
 * @domain: of a profile or a view: QUARRY_DEV_DOMAIN_*
 * @seconds: of a profile: the delta's length, 0 for a profile of this moment
 * @text: of a profile: the legacy text, not profile.proto
 * @drain: of a profile: empty magazines and depots first
 * @plain: of a profile: not compressed; no client can ask for that
 * @openmetrics: of metrics: OpenMetrics 1.0, not Prometheus's text format 0.0.4
 * @view: of a view: enum q_view
 * @sort: of a view: the column
 * @rows: of a view: how many rows at most
 * @filter: of a view: what rows must have in one of their texts
 */
struct q_request {
	enum q_endpoint endpoint;
	unsigned int kind;
	unsigned int domain;
	unsigned int seconds;
	bool text;
	bool drain;
	bool plain;
	bool openmetrics;
	unsigned int view;
	unsigned int sort;
	unsigned int rows;
	char filter[Q_FILTER_MAX];
};

/*
 * Read a request from its method and its target, such as "/debug/pprof/heap?debug=1".  Returns the
 * status of HTTP.  If that is not 200, @why is a sentence for the client.
 */
int q_request_parse(struct q_request *r, const char *method, const char *target,
		    char why[Q_WHY_LEN]);

/* May two clients who ask for this at the same time get one answer? */
bool q_request_same(const struct q_request *a, const struct q_request *b);

/* Does a client with this "Accept" understand OpenMetrics?  NULL: it sent none. */
bool q_accepts_openmetrics(const char *accept);

/**
 * struct q_token - what clients must know
 * @text: the token, with zeros behind it
 */
struct q_token {
	char text[Q_TOKEN_MAX];
};

/*
 * Make a token of a file's bytes: blanks at both ends do not count.  Returns NULL, or why these
 * bytes are no token.
 */
const char *q_token_parse(struct q_token *t, const char *bytes, size_t size);

/*
 * Is this value of "Authorization" the token?  The time that the comparison takes does not depend
 * on the token.
 */
bool q_token_allows(const struct q_token *t, const char *authorization);

/*
 * Does this value of "Host" name the machine itself: "localhost" or an address?  A page from the
 * Internet can make a browser send requests here under a name of its own (DNS rebinding), but not
 * under these.
 */
bool q_host_is_local(const char *host);

#endif
