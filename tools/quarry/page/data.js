// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The page's data, which "quarry" wrote into it:
 *
 *   title, about     texts
 *   types            [{name, unit}], the values that each site has
 *   frames           names of functions
 *   sites            [[frames, cache, labels]]; frames are indexes, the innermost function first
 *   moments          [{name, time_ms, values}]; values has types.length numbers for each site
 *   compare          show the last moment compared with the first
 *   caches           [{name, size, memory, live, cached}] or null: what the module says of its caches
 *
 * One moment is a profile, two are a comparison, more are a recording.
 */

export const data = JSON.parse(document.getElementById("data").textContent);

// Bytes in use are what most people look for.  Not all profiles have them.
function defaultType() {
	const at = (test) => data.types.findIndex(test);

	return Math.max(at((t) => t.name === "inuse_space"), 0) ||
	       Math.max(at((t) => t.unit === "bytes"), 0);
}

// What is shown.  "from" is -1 if the moment "to" is shown as it is.
export const shown = {
	type: defaultType(),
	to: data.moments.length - 1,
	from: data.compare && data.moments.length > 1 ? 0 : -1,
	width: "change",
	byCache: false,
};

export function type() {
	return data.types[shown.type];
}

export function value(site, moment, t = shown.type) {
	return data.moments[moment].values[site * data.types.length + t];
}

export function before(site, t = shown.type) {
	return shown.from < 0 ? 0 : value(site, shown.from, t);
}

export function total(moment) {
	let sum = 0;

	for (let i = 0; i < data.sites.length; i++)
		sum += value(i, moment);
	return sum;
}

// A comparison is as wide as what the reader asks for.  A width is never negative.
function width(from, to) {
	if (shown.from < 0 || shown.width === "after")
		return Math.max(to, 0);
	return shown.width === "before" ? Math.max(from, 0) : Math.abs(to - from);
}

function child(node, key, name) {
	let c = node.index.get(key);

	if (!c) {
		c = { name, value: 0, from: 0, to: 0, children: [], index: new Map() };
		node.index.set(key, c);
		node.children.push(c);
	}
	return c;
}

/*
 * The wider box stands to the left.  A box without width goes, though those above it count what it
 * has.  The index is of use only while the tree is made.
 */
function finish(node) {
	const stack = [node];

	for (let n = stack.pop(); n; n = stack.pop()) {
		delete n.index;
		n.children = n.children.filter((c) => c.value);
		n.children.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
		stack.push(...n.children);
	}
	return node;
}

// The tree of the flame graph: outermost functions are below the root.
export function tree() {
	const root = { name: "all", value: 0, from: 0, to: 0, children: [], index: new Map() };

	data.sites.forEach(([frames, cache], i) => {
		const from = before(i), to = value(i, shown.to), w = width(from, to);
		let node = root;
		const add = () => {
			node.value += w;
			node.from += from;
			node.to += to;
		};

		if (!from && !to)
			return;
		add();
		if (shown.byCache) {
			node = child(node, "cache " + cache, cache || "(no cache)");
			node.cache = true;
			add();
		}
		for (let f = frames.length - 1; f >= 0; f--) {
			node = child(node, frames[f], data.frames[frames[f]]);
			add();
		}
	});
	return finish(root);
}
