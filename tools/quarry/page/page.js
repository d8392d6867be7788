// SPDX-License-Identifier: GPL-2.0 OR MIT
// The page of a profile: its controls, and what follows from them.
import { data, shown, total, type } from "./data.js";
import * as flame from "./flame.js";
import { change, human, moment } from "./format.js";
import { Caches, Sites } from "./sites.js";
import { Time } from "./time.js";
import { element } from "./table.js";

const id = (name) => document.getElementById(name);
const recording = data.moments.length > 2;

function summary() {
	const { unit, name } = type(), last = data.moments[shown.to], parts = [];
	const to = total(shown.to);

	if (shown.from >= 0)
		parts.push(`${name}: ${human(total(shown.from), unit)} before, ${human(to, unit)} after, ` +
			   change(to - total(shown.from), unit));
	else
		parts.push(`${name}: ${human(to, unit)}`);
	if (last.time_ms)
		parts.push(moment(last.time_ms));
	id("summary").textContent = parts.join(" \u00b7 ");
}

function header() {
	document.title = data.title;
	id("title").textContent = data.title;
	id("about").append(...data.about.map((line) => element("li", { textContent: line })));
	data.types.forEach((t, i) => id("type").append(new Option(t.name, i)));
	id("type").value = shown.type;
	id("widths").hidden = data.moments.length < 2;
	id("caches-only").hidden = !flame.hasCaches;
	id("caches").hidden = !flame.hasCaches && !data.caches?.length;
	id("time").hidden = !recording;
}

function start() {
	header();
	const time = recording ? new Time(id("time"), changed) : null;
	const tables = [new Sites(id("sites"), showSite), new Caches(id("caches"))];

	function changed() {
		summary();
		flame.draw();
		time?.draw();
		tables.forEach((t) => t.refresh());
	}

	function showSite(path) {
		flame.zoomTo(path);
		id("flame").focus();
		id("flame").scrollIntoView({ block: "nearest" });
	}

	function reset() {
		id("search").value = "";
		flame.search("");
		flame.unzoom();
		tables.forEach((t) => t.reset());
	}

	let typed;
	id("search").addEventListener("input", () => {
		clearTimeout(typed);
		typed = setTimeout(() => flame.search(id("search").value), 120);
	});
	id("type").addEventListener("change", () => {
		shown.type = Number(id("type").value);
		changed();
	});
	id("width").addEventListener("change", () => {
		shown.width = id("width").value;
		flame.draw();
	});
	id("by-cache").addEventListener("change", () => {
		shown.byCache = id("by-cache").checked;
		flame.draw();
	});
	id("unzoom").addEventListener("click", () => {
		flame.unzoom();
		id("flame").focus();
	});
	id("reset").addEventListener("click", reset);
	document.addEventListener("keydown", (event) => {
		const writing = event.target.matches("input:not([type=checkbox], [type=range])");

		if (event.key === "Escape") {
			reset();
			event.preventDefault();
		} else if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey) {
			id("search").focus();
			event.preventDefault();
		}
	});
	changed();
}

start();
