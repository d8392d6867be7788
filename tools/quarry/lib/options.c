// SPDX-License-Identifier: GPL-2.0
#include "lib/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/device.h"
#include "lib/human.h"
#include "lib/recording.h"
#include "quarry.h"

struct q_options q_options = {
	.debugfs = "/sys/kernel/debug/quarry",
	.device = QUARRY_DEVICE,
};

enum { KEY_JSON = 0x100, KEY_BYTES, KEY_COLOUR, KEY_DEBUGFS, KEY_DEVICE, KEY_RECORDING };

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "Print JSON (quarry-json(7))", 0 },
	{ "bytes", KEY_BYTES, NULL, 0, "Print exact bytes and nanoseconds", 0 },
	{ "colour", KEY_COLOUR, "WHEN", 0, "Colours: auto, always or never", 0 },
	{ "debugfs", KEY_DEBUGFS, "DIR", 0, "The module's folder in debugfs", 0 },
	{ "device", KEY_DEVICE, "FILE", 0, "The module's device", 0 },
	{ "recording", KEY_RECORDING, "DIR", 0, "Read a recording in place of the module", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	int status;

	switch (key) {
	case ARGP_KEY_INIT:
		/* https://no-color.org: any text but the empty one turns colours off. */
		q_options.colour = isatty(STDOUT_FILENO) &&
				   !(getenv("NO_COLOR") && *getenv("NO_COLOR"));
		return 0;
	case KEY_JSON:
		q_options.json = true;
		return 0;
	case KEY_BYTES:
		q_options.exact = true;
		return 0;
	case KEY_COLOUR:
		if (*arg == 'n')
			q_options.colour = false;
		else if (*arg == 'a' && arg[1] == 'l')
			q_options.colour = true;
		else if (*arg != 'a')
			argp_error(state, "colours are auto, always or never, not '%s'", arg);
		return 0;
	case KEY_DEBUGFS:
		q_options.debugfs = arg;
		return 0;
	case KEY_DEVICE:
		q_options.device = arg;
		return 0;
	case KEY_RECORDING:
		status = q_recording_use(arg);
		if (status)
			exit(status);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp q_common_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

/* --- Values of options --- */

unsigned int q_option_domain(struct argp_state *state, const char *arg)
{
	int domain = q_domain_number(arg);

	if (domain < 0)
		argp_error(state, "domains are quarry, slab, pages, percpu and vmalloc, not '%s'",
			   arg);
	return (unsigned int)domain;
}

uint64_t q_option_count(struct argp_state *state, const char *option, const char *arg, uint64_t low,
			uint64_t high)
{
	uint64_t n = low;

	if (!q_parse_count(arg, low, high, &n))
		return n;
	if (high >= INT64_MAX)
		argp_error(state, "%s takes a number from %" PRIu64 " on, not '%s'", option, low,
			   arg);
	else
		argp_error(state, "%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
			   option, low, high, arg);
	return low;
}

unsigned int q_option_seconds(struct argp_state *state, const char *arg, unsigned int low)
{
	return (unsigned int)q_option_count(state, "--seconds", arg, low, 7 * 86400);
}

unsigned int q_option_lines(struct argp_state *state, const char *arg)
{
	return (unsigned int)q_option_count(state, "--lines", arg, 1, 1000000000);
}
