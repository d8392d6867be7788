// SPDX-License-Identifier: GPL-2.0 OR MIT
// The flame graph: colours, zoom, search and the keyboard.
import flamegraph from "d3-flame-graph";
import { select } from "d3-selection";
import { data, shown, tree, type } from "./data.js";
import { change, human, percent } from "./format.js";

const SHADES = 6;		// of one kind of function, in page.css
const STEPS = [0.01, 0.1, 0.35, 0.7];	// parts of a box that changed, for the shades of a change
const MANY = 1500;		// boxes on the screen that are too many to move smoothly
const CELL = 20;

const box = document.getElementById("flame");
const details = document.getElementById("details");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let chart;
let zoomed = [];		// names from below the root to the box that fills the width
let term = "";
let active = null;		// the box that the keyboard is at

function hash(name) {
	let h = 0;

	for (let i = 0; i < name.length; i++)
		h = (31 * h + name.charCodeAt(i)) >>> 0;
	return h % SHADES;
}

function shade({ from, to }) {
	const most = Math.max(Math.abs(from), Math.abs(to));
	const part = most ? Math.abs(to - from) / most : 0;
	const step = STEPS.filter((s) => part > s).length;

	return step ? (to > from ? "up" : "down") + step : "same";
}

// Colours are variables of page.css, so that dark and print need no drawing.
function colour(d) {
	if (d.highlight)
		return "var(--found)";
	if (!d.parent)
		return "var(--root)";
	if (shown.from >= 0)
		return `var(--${shade(d.data)})`;
	if (d.data.cache)
		return "var(--cache)";
	return `var(--${d.data.name.endsWith("]") ? "module" : "kernel"}${hash(d.data.name)})`;
}

function label(d) {
	const { name, from, to } = d.data;

	return shown.from < 0 ? name : `${name}  ${change(to - from, type().unit)}`;
}

function describe(d) {
	const { name, from, to } = d.data, { unit } = type(), all = root().data;
	let own = to;

	d.data.children.forEach((c) => {
		own -= c.to;
	});
	if (shown.from >= 0)
		return `${name}: ${human(from, unit)} before, ${human(to, unit)} after, ` +
		       `${change(to - from, unit)}`;
	return `${name}: ${human(to, unit)}, ${percent(to, all.to)} of all` +
	       (own && own !== to ? `; ${human(own, unit)} here, not in what it calls` : "");
}

function root() {
	return select(box).datum();
}

// The library lets new boxes grow for a quarter of a second, also if nothing is to move.
function arrive() {
	box.querySelectorAll("g.frame").forEach((g) => {
		g.querySelector("rect").setAttribute("width", g.getAttribute("width"));
	});
}

// What the library does not know: which boxes were found, and where the keyboard is.
function decorate() {
	const svg = box.querySelector("svg");

	if (!chart.transitionDuration())
		arrive();
	svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
	select(box).selectAll("g.frame")
		.classed("found", (d) => d.highlight)
		.classed("active", (d) => d === active)
		.classed("root", (d) => !d.parent);
	document.getElementById("unzoom").hidden = !zoomed.length;
}

function calmly() {
	const many = box.querySelectorAll("g.frame").length > MANY;

	chart.transitionDuration(calm.matches || many ? 0 : 200);
}

function redraw() {
	chart.update();
	decorate();
}

function names(d) {
	return d.ancestors().reverse().slice(1).map((a) => a.data.name);
}

function onZoom(d) {
	zoomed = names(d);
	active = d;
	decorate();
	say(d);
	calmly();
}

function say(d) {
	details.textContent = d ? describe(d) : active ? describe(active) : "";
}

function find(path) {
	let node = root();

	for (const name of path) {
		const next = node.children?.find((c) => c.data.name === name);

		if (!next)
			break;
		node = next;
	}
	return node;
}

function mark() {
	const result = document.getElementById("found"), { unit } = type();
	const wanted = term.toLowerCase();
	let sum = 0, boxes = 0;

	// A box within one that was found is not counted again.
	const walk = [[root(), false]];
	for (let at = walk.pop(); at; at = walk.pop()) {
		const [d, within] = at;

		d.highlight = !!wanted && !!d.parent && d.data.name.toLowerCase().includes(wanted);
		boxes += d.highlight;
		if (d.highlight && !within)
			sum += d.data.value;
		d.children?.forEach((c) => walk.push([c, within || d.highlight]));
	}
	result.textContent = !wanted ? "" : !boxes ? "Nothing is called so." :
		`${boxes} ${boxes > 1 ? "boxes" : "box"}: ${human(sum, unit)}, ` +
		`${percent(sum, root().data.value)} of the width`;
}

// Names are plain text, and the search takes any text: it is no pattern.
export function search(text) {
	term = text.trim();
	if (!chart)
		return;
	mark();
	redraw();
}

export function unzoom() {
	if (chart && zoomed.length)
		chart.resetZoom();
}

export function zoomTo(path) {
	if (chart)
		chart.zoomTo(find(path));
}

// Draw the tree anew after another value or moment was chosen.  The zoom stays where it can.
export function draw() {
	const made = tree(), path = zoomed;

	active = null;
	zoomed = [];
	details.textContent = "";
	document.getElementById("empty").hidden = made.value > 0;
	document.getElementById("legend").hidden = shown.from < 0;
	box.hidden = !made.value;
	if (!made.value) {
		box.replaceChildren();
		chart = null;
		document.getElementById("found").textContent = "";
		return;
	}
	// All boxes are new, so none of them moves.
	if (chart) {
		chart.transitionDuration(0).update(made);
	} else {
		chart = flamegraph().width(box.clientWidth).cellHeight(CELL).inverted(true)
			.minFrameSize(0.7).transitionDuration(0).resetHeightOnZoom(true)
			.setColorMapper(colour).getName(label).setLabelHandler(describe)
			.setDetailsHandler(() => {}).onClick(onZoom).onHover(say);
		select(box).datum(made).call(chart);
	}
	mark();
	if (term)
		chart.update();
	decorate();
	if (path.length && find(path).parent)
		chart.zoomTo(find(path));
	calmly();
}

function visible(d) {
	return d && d.value > 0;
}

// The next box in the direction of an arrow, or null.
function next(d, key) {
	const siblings = d.parent ? d.parent.children.filter(visible) : [d];
	const at = siblings.indexOf(d);

	switch (key) {
	case "ArrowUp":
		return d.parent;
	case "ArrowDown":
		return d.children?.find(visible);
	case "ArrowLeft":
		return siblings[at - 1];
	case "ArrowRight":
		return siblings[at + 1];
	case "Home":
		return root();
	default:
		return null;
	}
}

function onKey(event) {
	if (!chart || event.ctrlKey || event.altKey || event.metaKey)
		return;
	active = active || root();
	if (event.key === "Enter" || event.key === " ") {
		chart.zoomTo(active);
		event.preventDefault();
		return;
	}
	if (!event.key.startsWith("Arrow") && event.key !== "Home")
		return;
	event.preventDefault();
	active = next(active, event.key) || active;
	decorate();
	say(active);
	box.querySelector("g.active")?.scrollIntoView({ block: "nearest" });
}

box.addEventListener("keydown", onKey);
box.addEventListener("focus", () => {
	if (!chart || active)
		return;
	active = root();
	decorate();
	say(active);
});
box.addEventListener("mouseleave", () => say(null));

let width = box.clientWidth;
new ResizeObserver(() => {
	if (!chart || !box.clientWidth || box.clientWidth === width)
		return;
	width = box.clientWidth;
	chart.width(width).transitionDuration(0);
	redraw();
	calmly();
}).observe(box);

export const hasCaches = data.sites.some((s) => s[1]);
