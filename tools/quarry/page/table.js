// SPDX-License-Identifier: GPL-2.0 OR MIT
// Tables that sort, filter and grow.  A table has no more rows in the page than were asked for.

const STEP = 100;

function element(tag, properties, ...children) {
	const e = Object.assign(document.createElement(tag), properties);

	e.append(...children);
	return e;
}

export { element };

/*
 * A table in "place".  A column has: key, head, text (it sorts by letters), minor (a narrow screen
 * leaves it out), cell(row), which returns a node or a text, and value(row), by which it sorts.
 * matches(row, words) tells whether a row has what was typed.
 */
export class Table {
	constructor(place, { rows, columns, sort, matches, what }) {
		Object.assign(this, { rows, columns, sort, matches, what, down: true, words: "", most: STEP });
		this.filter = place.querySelector("input");
		this.note = place.querySelector(".note");
		this.more = place.querySelector(".more");
		this.table = place.querySelector("table");
		this.filter.addEventListener("input", () => {
			this.words = this.filter.value.trim().toLowerCase();
			this.most = STEP;
			this.draw();
		});
		this.more.addEventListener("click", () => {
			const first = this.most;

			this.most += 5 * STEP;
			this.draw();
			// The button may be gone: the keyboard goes on at the first new row.
			this.table.tBodies[0].rows[first]?.querySelector("summary, button")?.focus();
		});
	}

	update({ rows, columns }) {
		Object.assign(this, { rows, columns });
		if (!columns.some((c) => c.key === this.sort))
			this.sort = columns.find((c) => !c.text).key;
		this.draw();
	}

	reset() {
		this.filter.value = "";
		this.words = "";
		this.most = STEP;
		this.draw();
	}

	order(column) {
		const sign = this.down ? -1 : 1;

		return (a, b) => {
			const x = column.value(a), y = column.value(b);

			return x === y ? 0 : x < y ? -sign : sign;
		};
	}

	choose(key) {
		const column = this.columns.find((c) => c.key === key);

		// Numbers begin with the largest, names with A.
		this.down = this.sort === key ? !this.down : !column.text;
		this.sort = key;
		this.draw();
		this.table.querySelector(`button[data-key="${key}"]`).focus();
	}

	heading() {
		const row = element("tr");

		for (const c of this.columns) {
			const on = c.key === this.sort;
			const button = element("button", {
				type: "button",
				textContent: c.head,
				onclick: () => this.choose(c.key),
			});

			button.dataset.key = c.key;
			row.append(element("th", {
				scope: "col",
				className: this.classes(c),
				ariaSort: on ? (this.down ? "descending" : "ascending") : "none",
			}, button));
		}
		return row;
	}

	classes(column) {
		return (column.text ? "text" : "number") + (column.minor ? " minor" : "");
	}

	draw() {
		const column = this.columns.find((c) => c.key === this.sort);
		const found = this.words ? this.rows.filter((r) => this.matches(r, this.words)) : this.rows;
		const body = element("tbody");

		found.slice().sort(this.order(column)).slice(0, this.most).forEach((row) => {
			body.append(element("tr", {}, ...this.columns.map((c) =>
				element("td", { className: this.classes(c) }, c.cell(row)))));
		});
		this.table.replaceChildren(element("thead", {}, this.heading()), body);
		const left = found.length - this.most;
		this.more.hidden = left <= 0;
		this.more.textContent = `Show ${Math.min(left, 5 * STEP)} more of ${left}`;
		this.note.textContent = !this.rows.length ? `There are no ${this.what}.` :
			!found.length ? `No ${this.what} match.` :
			this.words ? `${found.length} of ${this.rows.length} ${this.what} match.` :
			`${this.rows.length} ${this.what}`;
	}
}
