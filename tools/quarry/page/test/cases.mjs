// SPDX-License-Identifier: GPL-2.0 OR MIT
// What the page promises, case by case.

// The boxes on the screen whose function is called so, as an expression of the page.
const boxes = (name) => `[...document.querySelectorAll("g.frame")].filter(
	(g) => g.__data__.data.name === ${JSON.stringify(name)})`;
const box = (name) => boxes(name) + "[0]";
const width = (name) => `Number(${box(name)}?.getAttribute("width") ?? 0)`;
const all = "Number(document.querySelector('#flame svg').getAttribute('width'))";
const text = (id) => `document.getElementById("${id}").textContent`;
const found = "document.querySelectorAll('#flame g.found').length";
const column = (table, n) => `[...document.querySelectorAll("#${table} tbody tr")].map(
	(r) => r.cells[${n}].textContent)`;
const first = (table) => `(document.querySelector("#${table} tbody summary") ??
	document.querySelector("#${table} tbody td")).textContent`;

// @at_once: an expression that is evaluated before the page draws again.
async function choose(page, id, value, at_once = "null") {
	const result = await page.run(`(() => {
		const e = document.getElementById("${id}");
		e.value = ${JSON.stringify(value)};
		e.dispatchEvent(new Event("input", { bubbles: true }));
		e.dispatchEvent(new Event("change", { bubbles: true }));
		return ${at_once};
	})()`);
	await page.settled();
	return result;
}

// Boxes that are narrower than their place: those that still grow.
const growing = `[...document.querySelectorAll("#flame g.frame")].filter((g) =>
	g.querySelector("rect").getAttribute("width") !== g.getAttribute("width")).length`;

// Texts come last of what d3 draws.
async function named(page, name, text) {
	await page.until(`${box(name)}.querySelector("div").textContent`);
	return await page.run(`${box(name)}.querySelector("div").textContent`) === text;
}

async function fits(page, ok, name) {
	ok(await page.run("document.documentElement.scrollWidth <= innerWidth"),
	   `${name}: the page is not wider than the screen`);
}

// --- The cases ---

async function profile(page, ok, shoot) {
	await shoot("light-1400");
	ok(await page.run(`${boxes("leaky_new_session [leaky]")}.length`) === 1, "the largest site has a box");
	ok(await page.run(`${width("leaky_new_session [leaky]")} > 0.5 * ${all}`),
	   "its width is its part of all bytes");
	ok(await page.run(`${text("summary")}.startsWith("inuse_space: 21.0 MiB")`), "the sum is shown");
	ok(await named(page, "leaky_new_session [leaky]", "leaky_new_session [leaky]"),
	   "a box has its name in it");

	await page.key("/");
	ok(await page.run("document.activeElement.id") === "search", "/ goes to the search");
	await page.type("LEAKY_NEW");
	await page.until(found);
	ok(await page.run(found) === 1, "the search highlights the box, in any case of letters");
	ok(await page.run(`getComputedStyle(${box("leaky_new_session [leaky]")}.querySelector("rect")).fill`) !==
	   await page.run(`getComputedStyle(${box("leaky_ioctl [leaky]")}.querySelector("rect")).fill`),
	   "in another colour");
	ok(await page.run(`${text("found")}.startsWith("1 box: 14.1 MiB, 67.1 %")`), "and says how much that is");
	await shoot("search");
	await choose(page, "search", "[(*");
	await page.until(`${text("found")}.startsWith("Nothing")`);
	ok(await page.run(found) === 0, "a search for signs is no pattern");
	await page.key("Escape");
	ok(await page.run(`${text("found")} === "" && document.getElementById("search").value === ""`),
	   "Esc ends the search");

	await page.click(box("sys_bpf"));
	ok(await page.run(`${width("sys_bpf")} === ${all}`), "a click zooms: the box fills the width");
	ok(await page.run(`${boxes("vfs_read")}.length`) === 0, "what is beside it goes");
	ok(await page.run("!document.getElementById('unzoom').hidden"), "there is a button to zoom out");
	await choose(page, "type", "0");
	ok(await page.run(`${width("sys_bpf")} === ${all}`), "the zoom stays when the value changes");
	await page.click("document.getElementById('unzoom')");
	ok(await page.run(`${boxes("vfs_read")}.length`) === 1, "the button zooms out");
	ok(await page.run(`${width("alloc_empty_file")} > 0.5 * ${all}`),
	   "another value changes the widths: files are most objects");
	await choose(page, "type", "1");
	ok(await page.run(`${width("alloc_empty_file")} < 0.2 * ${all}`), "and back");
	await page.click(box("sys_bpf"));
	await page.click("document.getElementById('reset')");
	ok(await page.run(`${boxes("vfs_read")}.length`) === 1, "Reset zooms out");

	await choose(page, "type", "3");
	ok(await page.run(`${text("summary")}.startsWith("alloc_space")`), "the sum is of the chosen value");
	await choose(page, "type", "1");
	await page.click("document.getElementById('by-cache')");
	ok(await page.run(`${boxes("session")}.length && ${boxes("filp")}.length`) === 1,
	   "caches can be the first row");
	await page.click("document.getElementById('by-cache')");
}

async function tables(page, ok, shoot) {
	const sites = await page.run(column("sites", 0)), bytes = 'button[data-key="inuse_space"]';

	ok(sites.length === 7, "all sites are in the table");
	ok(await page.run(first("sites")) === "leaky_new_session [leaky]", "the largest comes first");
	await page.click(`document.querySelector('#sites ${bytes}')`);
	ok(await page.run(first("sites")) === "shrinks", "a click on the heading turns the order");
	ok(await page.run(`document.querySelector('#sites th:has(${bytes})').ariaSort`) === "ascending",
	   "and says so to a screen reader");
	await page.click("document.querySelector('#sites button[data-key=site]')");
	ok(await page.run(`${first("sites")}.startsWith("</script>")`), "names sort from A");
	await page.click("document.querySelector('#sites button[data-key=inuse_objects]')");
	ok(await page.run(first("sites")) === "alloc_empty_file", "objects sort by their number");

	await page.run("document.querySelector('#sites input').focus()");
	await page.type("ext4_file");
	ok((await page.run(column("sites", 0))).length === 1, "the filter looks at whole stacks");
	ok(await page.run("document.querySelector('#sites .note').textContent") === "1 of 7 sites match.",
	   "and says how many match");
	await page.type("nothing");
	ok(await page.run("document.querySelector('#sites .note').textContent") === "No sites match.",
	   "or that none does");
	await page.key("Escape");
	ok((await page.run(column("sites", 0))).length === 7, "Esc ends the filter");

	await page.run("document.querySelector('#sites summary').focus()");
	await page.key("Enter");
	await page.until("document.querySelector('#sites details ol li')");
	ok(await page.run("document.querySelector('#sites details').open"), "Enter opens a stack");
	await shoot("stack");
	await page.click("document.querySelector('#sites details button')");
	ok(await page.run(`${width("alloc_empty_file")} === ${all}`), "the button shows it in the graph");

	ok((await page.run(column("caches", 0))).includes("<script>"), "caches are in a table");
	ok(await page.run(first("caches")) === "session", "the largest comes first");
	await page.run("document.querySelector('#caches input').focus()");
	await page.type("FILP");
	ok((await page.run(column("caches", 0))).join() === "filp", "caches can be filtered");
}

async function keyboard(page, ok) {
	const steps = [];

	await page.run("document.getElementById('search').focus()");
	for (let i = 0; i < 12 && await page.run("document.activeElement.id") !== "flame"; i++) {
		await page.key("Tab");
		steps.push(await page.run("document.activeElement.id"));
	}
	ok(steps.join() === "type,by-cache,reset,flame", `Tab leads to the graph (${steps})`);
	ok(await page.run("document.querySelector('g.active').__data__.parent === null"),
	   "it begins at the root");
	for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"])
		await page.key(key);
	const at = await page.run("document.querySelector('g.active').__data__.data.name");

	ok(at === "vfs_read" || at === "vfs_open", `arrows move between boxes (${at})`);
	ok(await page.run(`${text("details")}.startsWith(${JSON.stringify(at)})`), "and say where one is");
	await page.key("Enter");
	ok(await page.run(`${width(at)} === ${all}`), "Enter zooms");
	await page.key("Escape");
	ok(await page.run(`${width(at)} < ${all}`), "Esc zooms out");
	await page.key("Tab");
	ok(await page.run("document.activeElement.closest('#sites') !== null"), "Tab leaves the graph");
	ok(await page.run(`[...document.querySelectorAll("input, select, button, summary, [tabindex]")]
		.every((e) => e.tabIndex === 0)`), "the order of Tab is that of the page");
	ok(await page.run(`[...document.querySelectorAll("input, select")].every((e) => e.labels.length)`),
	   "every control has a label");
}

async function hostile(page, ok) {
	ok(await page.run("document.title") === "after.pb", "no script of a name has run");
	ok(await page.run("document.querySelectorAll('script').length") === 2, "no name became a script");
	ok(await page.run("document.querySelectorAll('img, b').length") === 0, "no name became an element");
	ok(await page.run(`${boxes("<img src=x onerror=alert(1)>")}.length`) === 1, "the name is in the graph");
	ok(await page.run(`${text("about")}.includes("<b>test</b>")`), "a comment is text, too");
	ok(await page.run(`(() => {
		try {
			document.body.innerHTML = "x";
		} catch {
			return true;
		}
		return false;
	})()`), "nothing can be made HTML later");
	await page.settled();
	// The browser complained of that.
	page.errors.length = 0;
}

async function diff(page, ok, shoot) {
	const fill = (name) => `getComputedStyle(${box(name)}.querySelector("rect")).fill.match(/\\d+/g).map(Number)`;
	const [grown, shrunk] = [await page.run(fill("leaky_new_session [leaky]")), await page.run(fill("shrinks"))];

	ok(await page.run(growing) === 0, "no box grows while the page opens");
	ok(await choose(page, "width", "before", growing) === 0,
	   "nor when another width is chosen");
	await choose(page, "width", "change");
	await shoot("diff-light");
	ok(grown[0] > grown[2] + 40, `what grew is red (${grown})`);
	ok(shrunk[2] > shrunk[0] + 40, `what shrank is blue (${shrunk})`);
	ok(await page.run("!document.getElementById('legend').hidden"), "there is a legend");
	ok(await named(page, "leaky_new_session [leaky]", "leaky_new_session [leaky]  +13.1 MiB"),
	   "a box says how much it grew");
	ok(await page.run(`${boxes("ext4_alloc_inode [ext4]")}.length`) === 0, "what stayed has no width");
	await choose(page, "width", "after");
	ok(await page.run(`${boxes("ext4_alloc_inode [ext4]")}.length`) === 1, "unless one asks for what is there");
	await choose(page, "width", "before");
	ok(await page.run(`${boxes("appears")}.length`) === 0, "what is new was not there before");
	await choose(page, "width", "change");
	ok(await page.run(first("sites")) === "leaky_new_session [leaky]", "what grew most is first in the table");
	await page.click("document.querySelector('#sites button[data-key=change]')");
	ok(await page.run(first("sites")) === "shrinks", "and what shrank most is last");
	ok(await page.run(`${text("summary")}.includes("9.9 MiB before, 21.0 MiB after, +11.0 MiB")`),
	   `the sums are shown (${await page.run(text("summary"))})`);
}

async function recording(page, ok, shoot) {
	const shown = "document.querySelector('#time output').textContent";

	await shoot("recording");
	ok(await page.run("!document.getElementById('time').hidden"), "a recording has a time axis");
	ok(await page.run(`document.querySelector("#time polyline").getAttribute("points").split(" ").length`) ===
	   60, "with all its moments");
	const both = await page.run(shown);

	ok(both.includes("59 min apart"), `the first and the last are compared (${both})`);
	await choose(page, "to", "30");
	ok(await page.run(`${shown}.includes("30 min apart")`), "another moment can be chosen");
	await page.click("document.getElementById('compare')");
	ok(await page.run(`${text("summary")}.startsWith("inuse_space: 10.8 MiB")`),
	   `and shown as it is (${await page.run(text("summary"))})`);
	ok(await page.run("document.getElementById('legend').hidden"), "without the colours of a change");
	ok((await page.run(column("caches", 0))).includes("idle"), "a cache that no site has is in the table");
	ok(await page.run(`[...document.querySelectorAll("#caches tbody tr")].some(
		(r) => r.textContent.includes("70.3 %"))`), "with the live part of its memory");
}

async function nothing(page, ok, shoot) {
	await shoot("empty");
	ok(await page.run("!document.getElementById('empty').hidden"), "a profile without sites says so");
	ok(await page.run("document.querySelector('#sites .note').textContent") === "There are no sites.",
	   "and so does the table");
	await page.key("/");
	await page.type("x");
	await page.key("Escape");
}

async function deep(page, ok, shoot) {
	await shoot("deep");
	ok(await page.run(`${boxes("level_119")}.length`) === 1, "the innermost of 120 functions is there");
	await page.click(box("level_119"));
	ok(await page.run(`${width("level_119")} === ${all}`), "and can be zoomed to");
}

async function many(page, ok, shoot) {
	const megabytes = await page.run("performance.memory.usedJSHeapSize / 1048576");

	console.log(`# opened in ${page.opened.toFixed(0)} ms, ` +
		    `${page.busy.toFixed(0)} ms of a processor, ` +
		    `${megabytes.toFixed(0)} MB of JavaScript's heap`);
	await shoot("many");
	ok(page.busy < LIMIT_MS, `16,384 sites open in ${LIMIT_MS / 1000} s of a processor`);
	ok(megabytes < 400, "in less than 400 MB");
	ok(await page.run("document.querySelectorAll('#sites tbody tr').length") === 100,
	   "the table has 100 rows until one asks for more");
	await page.click("document.querySelector('#sites .more')");
	ok(await page.run("document.querySelectorAll('#sites tbody tr').length") === 600, "then 500 more");
	await choose(page, "search", "site_");
	await page.until(`${text("found")}.startsWith("16384 boxes")`);
	ok(await page.run(`${text("found")}.includes("100.0 %")`), "a search finds what is too narrow to be seen");
}

async function narrow(page, ok, shoot) {
	await shoot("light-380");
	await fits(page, ok, "380 pixels");
	ok(await page.run(`${width("leaky_new_session [leaky]")} > 100`), "boxes can be seen at 380 pixels");
	await page.resize(1400, 900);
	await page.until(`${all} > 1000`);
	await fits(page, ok, "1400 pixels");
	ok(true, "the graph follows the width of the window");
}

// Contrast of a text and what is behind it, by WCAG.
const CONTRAST = `((pairs) => {
	const light = (c) => {
		const [r, g, b] = c.match(/[\\d.]+/g).map((v) => {
			v /= 255;
			return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
		});
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const probe = document.body.appendChild(document.createElement("i"));
	const colour = (name) => {
		probe.style.color = "var(--" + name + ")";
		return light(getComputedStyle(probe).color);
	};
	const bad = pairs.filter(([a, b]) => {
		const [x, y] = [colour(a), colour(b)].sort((p, q) => q - p);
		return (x + 0.05) / (y + 0.05) < 4.5;
	});
	probe.remove();
	return bad.map((p) => p.join(" on ")).join();
})`;
const BACKGROUNDS = ["root", "cache", "same", ...[..."012345"].flatMap((i) => ["kernel" + i, "module" + i]),
		     ...[..."1234"].flatMap((i) => ["up" + i, "down" + i])];
const PAIRS = [["text", "back"], ["weak", "back"], ["text", "panel"], ["found-text", "found"],
	       ...BACKGROUNDS.map((b) => ["box-text", b])];

async function contrast(page, ok) {
	const bad = await page.run(`${CONTRAST}(${JSON.stringify(PAIRS)})`);

	ok(!bad, `text can be read on all colours${bad && ": not " + bad}`);
}

async function dark(page, ok, shoot) {
	await shoot("dark-1400");
	ok(await page.run("getComputedStyle(document.body).backgroundColor") === "rgb(23, 24, 27)",
	   "the page is dark where the system is");
	await contrast(page, ok);
}

async function printed(page, ok) {
	await page.send("Emulation.setEmulatedMedia", { media: "print" });
	ok(await page.run(`[...document.querySelectorAll(".controls")].every(
		(e) => getComputedStyle(e).display === "none")`), "controls are not printed");
	await contrast(page, ok);
	ok((await page.pdf()).length > 10000, "the page can be printed");
}

const LIMIT_MS = Number(process.env.QUARRY_PAGE_LIMIT_MS ?? 2000);
const DARK = { dark: true };
const PHONE = { width: 380, height: 800 };

export const cases = [
	{ name: "profile", file: "after", test: profile },
	{ name: "tables", file: "after", test: tables },
	{ name: "keyboard", file: "after", test: keyboard },
	{ name: "strange names", file: "after", test: hostile },
	{ name: "diff", file: "diff", test: diff },
	{ name: "diff, dark", file: "diff", options: DARK, test: async (page, ok, shoot) => {
		await shoot("diff-dark");
		await contrast(page, ok);
	} },
	{ name: "diff, narrow", file: "diff", options: PHONE, test: async (page, ok, shoot) => {
		await shoot("diff-380");
		await fits(page, ok, "a comparison at 380 pixels");
	} },
	{ name: "recording", file: "recording", test: recording },
	{ name: "recording, narrow", file: "recording", options: { ...PHONE, ...DARK },
	  test: async (page, ok, shoot) => {
		await shoot("recording-380-dark");
		await fits(page, ok, "a recording at 380 pixels");
	} },
	{ name: "empty", file: "empty", test: nothing },
	{ name: "deep", file: "deep", test: deep },
	{ name: "many", file: "many", test: many },
	{ name: "narrow", file: "after", options: PHONE, test: narrow },
	{ name: "dark", file: "after", options: DARK, test: dark },
	{ name: "light", file: "after", test: contrast },
	{ name: "print", file: "after", options: DARK, test: printed },
];
