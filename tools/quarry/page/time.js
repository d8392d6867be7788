// SPDX-License-Identifier: GPL-2.0 OR MIT
// The time axis of a recording: the sum of the chosen value at each moment, and two of them to choose.
import { data, shown, total, type } from "./data.js";
import { duration, human, moment } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 120, WIDTH = 1000, TOP = 8;

function svg(tag, attributes) {
	const e = document.createElementNS(SVG, tag);

	Object.entries(attributes).forEach(([k, v]) => e.setAttribute(k, v));
	return e;
}

export class Time {
	// changed() is called when another moment is chosen.
	constructor(place, changed) {
		this.plot = place.querySelector("svg");
		this.text = place.querySelector("output");
		this.from = place.querySelector("#from");
		this.to = place.querySelector("#to");
		this.compare = place.querySelector("#compare");
		for (const range of [this.from, this.to]) {
			range.max = data.moments.length - 1;
			range.addEventListener("input", () => this.choose(changed));
		}
		this.from.value = Math.max(shown.from, 0);
		this.to.value = shown.to;
		this.compare.checked = shown.from >= 0;
		this.compare.addEventListener("change", () => this.choose(changed));
	}

	choose(changed) {
		shown.to = Number(this.to.value);
		shown.from = this.compare.checked ? Number(this.from.value) : -1;
		changed();
	}

	x(m) {
		const first = data.moments[0].time_ms, last = data.moments.at(-1).time_ms;

		if (last <= first)
			return WIDTH * m / Math.max(data.moments.length - 1, 1);
		return WIDTH * (data.moments[m].time_ms - first) / (last - first);
	}

	draw() {
		const sums = data.moments.map((_, m) => total(m)), most = Math.max(...sums, 1);
		const y = (sum) => TOP + (HEIGHT - TOP) * (1 - Math.max(sum, 0) / most);
		const line = sums.map((s, m) => `${this.x(m)},${y(s)}`).join(" ");
		const name = (m) => moment(data.moments[m].time_ms) || data.moments[m].name;

		this.plot.replaceChildren(
			svg("polygon", { class: "area", points: `0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}` }),
			svg("polyline", { class: "line", points: line }));
		for (const [m, mark] of [[shown.from, "from"], [shown.to, "to"]])
			if (m >= 0)
				this.plot.append(svg("line", {
					class: mark, x1: this.x(m), x2: this.x(m), y1: 0, y2: HEIGHT,
				}));
		this.from.disabled = shown.from < 0;
		this.from.ariaValueText = name(Number(this.from.value));
		this.to.ariaValueText = name(shown.to);
		const now = `${name(shown.to)}: ${human(sums[shown.to], type().unit)}`;
		this.text.textContent = shown.from < 0 ? now :
			`${name(shown.from)}: ${human(sums[shown.from], type().unit)}. ${now}` +
			`, ${duration(Math.abs(data.moments[shown.to].time_ms -
					       data.moments[shown.from].time_ms))} apart.`;
	}
}
