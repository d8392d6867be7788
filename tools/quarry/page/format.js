// SPDX-License-Identifier: GPL-2.0 OR MIT
// Numbers for people, as lib/human.c prints them.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const TIMES = ["ns", "us", "ms", "s"];

function scaled(value, step, units) {
	const limit = step < 1024 ? 999.5 : 1023.5;
	let i = 0;

	while (i < units.length - 1 && Math.abs(value) >= limit) {
		value /= step;
		i++;
	}
	return value.toFixed(i && Math.abs(value) < 99.95 ? 1 : 0) + " " + units[i];
}

// A value with its unit.  Units are those of pprof: bytes, count, nanoseconds and others.
export function human(value, unit) {
	switch (unit) {
	case "bytes":
		return scaled(value, 1024, BYTES);
	case "nanoseconds":
		return scaled(value, 1000, TIMES);
	case "count":
		return count(value);
	default:
		return count(value) + " " + unit;
	}
}

export function count(value) {
	return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

// The same with a sign, for a change.
export function change(value, unit) {
	if (!value)
		return "0";
	return (value < 0 ? "\u2212" : "+") + human(Math.abs(value), unit);
}

export function percent(part, all) {
	return all ? (100 * part / all).toFixed(1) + " %" : "0 %";
}

export function moment(ms) {
	return ms ? new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC") : "";
}

export function duration(ms) {
	return ms < 120000 ? scaled(ms * 1e6, 1000, TIMES) : Math.round(ms / 60000) + " min";
}
