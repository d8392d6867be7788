// SPDX-License-Identifier: GPL-2.0 OR MIT
// The tables of sites and of caches.
import { before, data, shown, type, value } from "./data.js";
import { change, count, human, percent } from "./format.js";
import { element, Table } from "./table.js";

const NONE = "(none)";

// --- Sites ---

function texts(i) {
	const [frames, cache, labels] = data.sites[i];

	return [...frames.map((f) => data.frames[f]), cache, labels].join("\n").toLowerCase();
}

function stack(i, zoomTo) {
	const [frames, cache] = data.sites[i];
	const names = frames.map((f) => data.frames[f]);
	const list = element("ol");
	const show = element("button", { type: "button", textContent: "Show in the flame graph" });
	const all = element("details", {}, element("summary", { textContent: names[0] ?? NONE }));

	show.onclick = () => {
		zoomTo((shown.byCache ? [cache || "(no cache)"] : []).concat(names.slice().reverse()));
	};
	// A stack is put into the page when it is opened.
	all.addEventListener("toggle", () => {
		if (all.open && !list.children.length)
			list.append(...names.slice(1).map((n) => element("li", { textContent: n })));
	});
	all.append(list, show);
	return all;
}

function siteColumns(zoomTo) {
	const columns = [{
		key: "site",
		head: "Function",
		text: true,
		cell: (i) => stack(i, zoomTo),
		value: (i) => data.frames[data.sites[i][0][0]] ?? "",
	}];

	if (shown.from >= 0)
		columns.push({
			key: "change",
			head: `${type().name} changed`,
			cell: (i) => change(value(i, shown.to) - before(i), type().unit),
			value: (i) => value(i, shown.to) - before(i),
		});
	data.types.forEach((t, n) => columns.push({
		key: t.name,
		head: t.name,
		minor: n !== shown.type,
		cell: (i) => human(value(i, shown.to, n), t.unit),
		value: (i) => value(i, shown.to, n),
	}));
	[["cache", "Cache"], ["labels", "Labels"]].forEach(([key, head], n) => {
		if (data.sites.some((s) => s[n + 1]))
			columns.push({
				key,
				head,
				text: true,
				minor: n === 1,
				cell: (i) => data.sites[i][n + 1],
				value: (i) => data.sites[i][n + 1],
			});
	});
	return columns;
}

export class Sites extends Table {
	constructor(place, zoomTo) {
		super(place, {
			rows: data.sites.map((_, i) => i),
			columns: siteColumns(zoomTo),
			sort: type().name,
			matches: (i, words) => texts(i).includes(words),
			what: "sites",
		});
		this.zoomTo = zoomTo;
	}

	// After another value or moment was chosen.  What was sorted by the old value is by the new.
	refresh() {
		const names = data.types.map((t) => t.name);

		if (this.sort === "change" || names.includes(this.sort)) {
			this.sort = shown.from >= 0 ? "change" : type().name;
			this.down = true;
		}
		this.update({ rows: this.rows, columns: siteColumns(this.zoomTo) });
	}
}

// --- Caches ---

// Bytes in live objects, of the bytes that the cache holds.
function occupancy(c) {
	return c.memory ? Math.min(1, c.live * c.size / c.memory) : 0;
}

function bar(c) {
	const fill = element("span", { className: "fill" });

	fill.style.width = 100 * occupancy(c) + "%";
	return element("span", { className: "occupancy" },
		element("span", { className: "bar", ariaHidden: "true" }, fill),
		percent(occupancy(c), 1));
}

// What the profile says of each cache, with what the module says of it.
function cacheRows() {
	const rows = new Map((data.caches ?? []).map((c) => [c.name, { ...c, now: 0, then: 0 }]));

	data.sites.forEach((s, i) => {
		const name = s[1] || NONE;

		if (!rows.has(name))
			rows.set(name, { name, now: 0, then: 0 });
		rows.get(name).now += value(i, shown.to);
		rows.get(name).then += before(i);
	});
	return [...rows.values()];
}

function known(text) {
	return (c) => (c.size === undefined ? "" : text(c));
}

function cacheColumns() {
	const columns = [{
		key: "name",
		head: "Cache",
		text: true,
		cell: (c) => c.name,
		value: (c) => c.name,
	}];

	if (shown.from >= 0)
		columns.push({
			key: "change",
			head: `${type().name} changed`,
			cell: (c) => change(c.now - c.then, type().unit),
			value: (c) => c.now - c.then,
		});
	columns.push({
		key: "now",
		head: type().name,
		cell: (c) => human(c.now, type().unit),
		value: (c) => c.now,
	});
	if (data.caches)
		[
			["memory", "Memory", (c) => human(c.memory, "bytes"), (c) => c.memory, false],
			["used", "Live part", bar, occupancy, false],
			["size", "Object", (c) => human(c.size, "bytes"), (c) => c.size, true],
			["live", "Live", (c) => count(c.live), (c) => c.live, true],
			["cached", "Cached", (c) => count(c.cached), (c) => c.cached, true],
		].forEach(([key, head, cell, by, minor]) => columns.push({
			key, head, minor, cell: known(cell), value: (c) => by(c) || 0,
		}));
	return columns;
}

export class Caches extends Table {
	constructor(place) {
		super(place, {
			rows: cacheRows(),
			columns: cacheColumns(),
			sort: data.caches ? "memory" : "now",
			matches: (c, words) => c.name.toLowerCase().includes(words),
			what: "caches",
		});
	}

	refresh() {
		this.update({ rows: cacheRows(), columns: cacheColumns() });
	}
}
