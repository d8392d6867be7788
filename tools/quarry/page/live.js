// SPDX-License-Identifier: GPL-2.0 OR MIT
// The live page: asks the server for a view, again and again, and shows it.
import { count, human } from "./format.js";
import { element, Table } from "./table.js";

const MOST = 500;	// rows that the server gives
const UNKNOWN = "\u2013";

const NUMBERS = [
	["live_bytes", "Live", "bytes"],
	["allocated_bytes_per_second", "Allocated/s", "bytes"],
	["live_objects", "Objects", "count", "minor"],
	["allocations_per_second", "Calls/s", "count", "minor"],
];
const STACKS = [...NUMBERS, ["cache", "Cache", "text", "minor"], ["stack", "Stack", "stack"]];
const VIEWS = {
	caches: [
		["name", "Cache", "text"],
		["inuse_bytes", "Memory", "bytes"],
		["mallocs_per_second", "Allocations/s", "count"],
		["frees_per_second", "Frees/s", "count", "minor"],
		["live_objects", "Live", "count", "minor"],
		["waste_percent", "Waste", "percent"],
		["waste_bytes", "Wasted", "bytes", "minor"],
		["size", "Object", "bytes", "minor"],
	],
	sites: STACKS,
	kernel: STACKS,
	processes: [["comm", "Process", "text"], ...NUMBERS],
	cgroups: [["cgroup", "Cgroup", "text"], ...NUMBERS],
};
const DOMAINS = ["quarry", "slab", "pages", "percpu", "vmalloc"];
const byId = (id) => document.getElementById(id);

// What is asked for.  A view has a domain and an order of its own.
const state = { view: "caches", domain: { kernel: "slab", processes: "quarry", cgroups: "quarry" },
		sort: {}, paused: false, token: "" };
const opened = new Set();	// stacks that are open stay so when rows come anew

for (const [view, columns] of Object.entries(VIEWS))
	state.sort[view] = columns.find(([, , unit]) => unit === "bytes")[0];

// --- Rows ---

function stack(row) {
	const [first, ...rest] = row.stack.split(" < "), key = row.cache + "\n" + row.stack;
	const list = element("ol", {}, ...rest.map((f) => element("li", { textContent: f })));
	const summary = element("summary", { textContent: first });
	const all = element("details", { open: opened.has(key) }, summary, list);

	summary.dataset.key = key;
	all.addEventListener("toggle", () => (all.open ? opened.add(key) : opened.delete(key)));
	return all;
}

function cell(row, key, unit) {
	const value = row[key];

	if (unit === "stack")
		return stack(row);
	if (value === null || value === undefined)
		return UNKNOWN;
	if (unit === "percent")
		return value.toFixed(1) + " %";
	return unit === "text" ? String(value) : human(value, unit);
}

function columnsOf(view) {
	return VIEWS[view].map(([key, head, unit, minor]) => ({
		key, head,
		text: unit === "text" || unit === "stack",
		minor: !!minor,
		cell: (row) => cell(row, key, unit),
		value: (row) => row[key] ?? -1,
	}));
}

class Rows extends Table {
	constructor(place) {
		super(place, {
			rows: [],
			columns: columnsOf(state.view),
			sort: state.sort[state.view],
			matches: (row, words) => VIEWS[state.view].some(([key, , unit]) =>
				(unit === "text" || unit === "stack") &&
				String(row[key]).toLowerCase().includes(words)),
			what: state.view,
		});
		this.all = 0;
		this.filter.addEventListener("input", ask);
		this.more.addEventListener("click", ask);
	}

	// The order is the server's as well: it gives only the first rows.
	choose(key) {
		const other = key !== this.sort;

		super.choose(key);
		state.sort[state.view] = key;
		if (other)
			ask();
	}

	show(view, rows, all) {
		if (view !== this.what) {
			this.down = !columnsOf(view).find((c) => c.key === state.sort[view]).text;
			this.sort = state.sort[view];
		}
		this.what = view;
		this.all = all;
		this.update({ rows, columns: columnsOf(view) });
	}

	draw() {
		// Where the keyboard is must not change because numbers do.
		const at = document.activeElement, key = this.table.contains(at) && at.dataset.key;

		super.draw();
		if (key)
			[...this.table.querySelectorAll("[data-key]")].find((e) => e.dataset.key === key)
				?.focus({ preventScroll: true });
		const left = Math.min(this.all, MOST) - this.rows.length;

		if (this.more.hidden && left > 0) {
			this.more.hidden = false;
			this.more.textContent = `Show ${left} more`;
		}
		if (!this.rows.length && this.words)
			this.note.textContent = `No ${this.what} match.`;
		if (this.all > this.rows.length)
			this.note.textContent = `${count(this.rows.length)} of ${count(this.all)} ${this.what}`;
	}
}

const rows = new Rows(byId("rows"));

// --- The head ---

function showHead({ head, seconds, time_ns: time }) {
	const value = (key, unit) => (head[key] === null ? UNKNOWN : human(head[key], unit));
	const items = [
		["From the kernel", value("sys_bytes", "bytes")],
		["In use", value("inuse_bytes", "bytes")],
		["Live objects", value("live_bytes", "bytes")],
		["Allocations/s", value("mallocs_per_second", "count")],
		["Frees/s", value("frees_per_second", "count")],
		["Read", new Date(time / 1e6).toLocaleTimeString() +
			(seconds ? `, over ${seconds.toFixed(1)} s` : "")],
	];
	const live = Math.min(head.live_bytes, head.inuse_bytes);
	const parts = [["live", "live objects", live],
		       ["free", "in use, but free", head.inuse_bytes - live],
		       ["idle", "idle pages", head.idle_bytes], ["meta", "metadata", head.metadata_bytes]];
	const sum = parts.reduce((n, [, , bytes]) => n + bytes, 0) || 1;

	byId("head").replaceChildren(...items.map(([name, text]) => element("div", {},
		element("dt", { textContent: name }), element("dd", { textContent: text }))));
	byId("memory").replaceChildren(...parts.map(([name, text, bytes]) => {
		const part = element("span", { className: name, title: `${text}: ${human(bytes, "bytes")}` });

		part.style.width = 100 * bytes / sum + "%";
		return part;
	}));
	byId("legend").replaceChildren(...parts.map(([name, text]) => element("span", {},
		element("span", { className: "key " + name }), " " + text)));
	byId("memory").ariaLabel = parts.map(([, text, bytes]) =>
		`${text} ${human(bytes, "bytes")}`).join(", ");
}

function show(data) {
	// A document of a later schema may mean other things by the same names.
	if (data.schema !== 1)
		throw new Error("This page is older than the server; load it again.");
	showHead(data);
	byId("warnings").replaceChildren(...data.warnings.map((w) => element("li", { textContent: w })));
	rows.show(data.view, data[data.view], data.rows);
}

// --- Asking ---

let timer, last = 0;

function problem(text) {
	byId("problem").textContent = text;
	byId("problem").hidden = !text;
	byId("rows").classList.toggle("old", !!text);
}

function address() {
	const query = new URLSearchParams({ view: state.view, sort: state.sort[state.view],
					    rows: Math.min(rows.most, MOST) });

	if (state.view in state.domain)
		query.set("domain", state.domain[state.view]);
	// The server looks through all rows, but knows no other letters.
	if (/^[ -~]+$/.test(rows.words))
		query.set("filter", rows.words);
	return "live.json?" + query;
}

// Only the last question counts: what was asked before may come later.
async function ask() {
	const mine = ++last, headers = state.token ? { Authorization: "Bearer " + state.token } : {};

	clearTimeout(timer);
	try {
		const answer = await fetch(address(), { headers, cache: "no-store",
							signal: AbortSignal.timeout(30000) });
		const text = await answer.text();

		if (mine !== last)
			return;
		byId("login").hidden = answer.status !== 401;
		problem(answer.ok ? "" : text.trim());
		if (answer.ok)
			show(JSON.parse(text));
	} catch (error) {
		if (mine !== last)
			return;
		problem(error instanceof TypeError ? "The server does not answer." : error.message);
	}
	next();
}

function next() {
	clearTimeout(timer);
	// Nobody looks at a page in the background.
	if (!state.paused && !document.hidden && byId("login").hidden)
		timer = setTimeout(ask, 1000 * byId("interval").value);
}

// --- Controls ---

function choose(view) {
	const domains = view === "kernel" ? DOMAINS.slice(1) : DOMAINS;

	state.view = view;
	byId("domains").hidden = !(view in state.domain);
	if (view in state.domain) {
		byId("domain").replaceChildren(...domains.map((d) => element("option", { textContent: d })));
		byId("domain").value = state.domain[view];
	}
	for (const button of byId("views").children)
		button.ariaPressed = String(button.dataset.view === view);
	// Rows of another view are gone at once.
	rows.most = 100;
	rows.show(view, [], 0);
	ask();
}

function pause() {
	state.paused = !state.paused;
	byId("pause").ariaPressed = String(state.paused);
	byId("pause").textContent = state.paused ? "Paused" : "Pause";
	if (state.paused)
		clearTimeout(timer);
	else
		ask();
}

function key(event) {
	const typing = event.target.matches("input, select");

	if (event.ctrlKey || event.altKey || event.metaKey)
		return;
	if (event.key === "Escape") {
		rows.reset();
		event.target.blur();
		ask();
	} else if (typing) {
		return;
	} else if (event.key >= "1" && event.key <= "5") {
		choose(Object.keys(VIEWS)[event.key - 1]);
	} else if (event.key === "p") {
		pause();
	} else if (event.key === "s") {
		const keys = rows.columns.map((c) => c.key);

		rows.choose(keys[(keys.indexOf(rows.sort) + 1) % keys.length]);
	} else if (event.key === "/") {
		byId("filter").focus();
		event.preventDefault();
	}
}

Object.keys(VIEWS).forEach((view, i) => {
	const button = element("button", { type: "button", onclick: () => choose(view) },
		view[0].toUpperCase() + view.slice(1));

	button.dataset.view = view;
	button.setAttribute("aria-keyshortcuts", i + 1);
	byId("views").append(button);
});
byId("domain").addEventListener("change", () => {
	state.domain[state.view] = byId("domain").value;
	ask();
});
byId("pause").addEventListener("click", pause);
byId("interval").addEventListener("change", next);
byId("login").addEventListener("submit", (event) => {
	event.preventDefault();
	state.token = byId("token").value;
	ask();
});
document.addEventListener("keydown", key);
document.addEventListener("visibilitychange", () => !document.hidden && !state.paused && ask());
choose("caches");
