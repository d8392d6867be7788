// SPDX-License-Identifier: GPL-2.0 OR MIT
// The tests of the live page.  page/check-live says how they are run.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Browser, find, Page } from "./chromium.mjs";
import * as sample from "./sample.mjs";

const [program, shots] = process.argv.slice(2);
const CACHES = 250;
let failed = 0, number = 0;

function ok(good, what) {
	failed += !good;
	console.log(`${good ? "ok" : "not ok"} ${++number} ${what}`);
}

// --- A module that is files ---

class Module {
	constructor() {
		this.dir = mkdtempSync(join(tmpdir(), "quarry-live-"));
		for (const folder of ["caches", "kernel"])
			mkdirSync(join(this.dir, folder));
		for (const domain of ["slab", "pages", "percpu", "vmalloc"]) {
			mkdirSync(join(this.dir, "kernel", domain));
			this.write(`kernel/${domain}/stats`, `enabled ${Number(domain === "slab")}\nmissed_frees 0\n`);
		}
		this.mallocs = 1e6;
		this.advance();
	}

	// A reader sees the old file or the new one.
	write(name, content) {
		writeFileSync(join(this.dir, "new"), content);
		renameSync(join(this.dir, "new"), join(this.dir, name));
	}

	// Time passes: each cache has so many allocations more.
	advance(by = 40000) {
		const head = "#name id size inuse_bytes waste_pct live_objs cached mallocs state\n";
		const names = ["kmalloc-512", "<b>bold</b>", "session", "zero"];

		this.mallocs += by;
		for (let i = names.length; i < CACHES; i++)
			names.push(`cache-${String(i).padStart(3, "0")}`);
		this.write("caches/table", head + names.map((name, i) =>
			`${name} ${i + 1} ${64 << i % 8} ${(CACHES - i) * 65536} ${(i % 40) + 0.5} ` +
			`${900 - i} 12 ${this.mallocs + 3 * i} active\n`).join(""));
		this.write("stats", `sys_bytes ${96 << 20}\ninuse_bytes ${64 << 20}\nlive_bytes ${41 << 20}\n` +
			`idle_bytes ${24 << 20}\nmetadata_bytes ${8 << 20}\nlive_objects 220000\n` +
			`mallocs ${CACHES * this.mallocs}\nfrees ${CACHES * this.mallocs - 220000}\n` +
			`uptime_ns ${this.mallocs * 1000}\nlive_samples 900\nsample_rate_bytes 524288\nmisuse 0\n`);
		this.write("device", sample.profile(sample.after.map((site, i) =>
			({ ...site, comm: i % 2 ? "bash" : "<i>sh</i>" }))));
	}
}

// --- What the page shows ---

const column = (n) => `[...document.querySelectorAll("#rows tbody tr")].map((r) => r.cells[${n}].textContent)`;
const first = "document.querySelector('#rows tbody td').textContent";
const nr = "document.querySelectorAll('#rows tbody tr').length";
const text = (id) => `document.getElementById("${id}").textContent`;
const note = "document.querySelector('#rows .note').textContent";
const heading = (key) => `document.querySelector('#rows button[data-key="${key}"]')`;
const asked = (page) => page.requests.filter((u) => u.includes("live.json")).length;

// Until the page has asked another time and has shown the answer.
async function another(page, module) {
	const before = asked(page), read = await page.run(text("head"));

	module?.advance();
	for (let i = 0; i < 400 && asked(page) === before; i++)
		await page.settled();
	await page.until(`${text("head")} !== ${JSON.stringify(read)}`);
}

async function fits(page, name) {
	ok(await page.run("document.documentElement.scrollWidth <= innerWidth"),
	   `${name}: the page is not wider than the screen`);
}

async function shoot(page, name) {
	if (shots)
		writeFileSync(join(shots, name + ".png"), await page.screenshot(false));
}

async function fills(page, module) {
	await page.until(nr);
	ok(await page.run(nr) === 100, "the table fills");
	ok(await page.run(first) === "kmalloc-512", "the largest cache comes first");
	ok(await page.run(note) === `100 of ${CACHES} caches`, `the rest is counted (${await page.run(note)})`);
	ok(await page.run(`${column(1)}[0]`) === "15.6 MiB", "with units for people");
	ok(await page.run(`${text("head")}.includes("96.0 MiB")`), "the head has the module's memory");
	ok(await page.run("document.getElementById('memory').children.length") === 4, "and a bar");
	await page.run("(() => { const e = document.getElementById('interval'); e.value = '1'; " +
		"e.dispatchEvent(new Event('change')); })()");
	await another(page, module);
	await another(page, module);
	ok(await page.run(`Number(${column(2)}[0].replaceAll(",", "")) > 1000`),
	   `rates come with the second reading (${await page.run(`${column(2)}[0]`)})`);
	await shoot(page, "live-light");
	await page.click("document.querySelector('#rows .more')");
	await page.until(`${nr} > 100`);
	ok(await page.run(nr) === CACHES, "a button shows the others");
	ok(await page.run("document.querySelector('#rows .more').hidden"), "and goes");
}

async function sorts(page, module) {
	await page.click(heading("name"));
	await page.until(`${first} === "<b>bold</b>"`);
	ok(await page.run(`${heading("name")}.parentElement.ariaSort`) === "ascending", "names sort from A");
	await page.click(heading("size"));
	await page.until(`${column(7)}[0] === "8.0 KiB"`);
	ok(true, "numbers sort from the largest");
	await page.click(heading("size"));
	ok(await page.run(`${column(7)}[0]`) === "64 B", "and the other way");
	await page.run(`${heading("inuse_bytes")}.focus()`);
	await page.key("Enter");
	await page.until(`${first} === "kmalloc-512"`);
	await another(page, module);
	ok(await page.run("document.activeElement.dataset.key") === "inuse_bytes",
	   "the keyboard stays where it is when rows come anew");
}

async function filters(page, module) {
	await page.key("/");
	ok(await page.run("document.activeElement.id") === "filter", "/ goes to the filter");
	await page.type("cache-24");
	await page.until(`${nr} === 10`);
	await another(page, module);
	ok(await page.run(nr) === 10, "the filter looks at all rows");
	ok(await page.run("document.activeElement.id") === "filter", "one can go on typing");
	await page.type("nothing");
	await page.until(`${nr} === 0`);
	ok(await page.run(note) === "No caches match.", "or says that nothing matches");
	await page.key("Escape");
	await page.until(`${nr} > 90`);
	ok(await page.run("document.getElementById('filter').value") === "", "Esc shows all");
}

async function pauses(page, module) {
	await page.key("p");
	ok(await page.run("document.getElementById('pause').ariaPressed") === "true", "p pauses");
	const before = asked(page), head = await page.run(text("head"));

	module.advance();
	// Longer than an interval, however slow the machine is.
	await page.run("new Promise((d) => setTimeout(d, 2500))");
	ok(asked(page) === before && await page.run(text("head")) === head, "nothing is asked and nothing moves");
	await page.click(heading("name"));
	ok(await page.run(nr) > 90, "rows can be sorted meanwhile");
	await page.click("document.getElementById('pause')");
	await another(page);
	ok(asked(page) > before, "and it goes on");
	await page.click(heading("inuse_bytes"));
}

async function views(page, module) {
	await page.key("2");
	await page.until(`${nr} === 7`);
	ok(await page.run(`${column(0)}[0]`) === "14.1 MiB", "2 shows sites, the largest first");
	await page.run("document.querySelector('#rows summary').focus()");
	await page.key("Enter");
	ok(await page.run("document.querySelector('#rows details').open"), "Enter opens a stack");
	await another(page, module);
	ok(await page.run("document.querySelector('#rows details').open && " +
		"document.activeElement.tagName === 'SUMMARY'"), "which stays open, and the keyboard there");
	await shoot(page, "live-sites");
	await page.key("4");
	await page.until(`${nr} === 2`);
	ok(await page.run(`${column(0)}.includes("<i>sh</i>")`), "4 shows processes");
	await page.key("3");
	await page.until(`${nr} === 7`);
	ok(await page.run("document.getElementById('domain').value") === "slab", "3 shows the kernel's slab");
	await page.key("5");
	await page.until(`${nr} === 1`);
	ok(await page.run(`${first}`) === "(none)", "5 shows cgroups");
	ok(await page.run("document.querySelectorAll('main b, main i, main img, main script').length") === 0,
	   "no name became an element");
	await page.key("1");
	await page.until(`${nr} > 90`);
	ok(await page.run("document.getElementById('domains').hidden"), "caches have no domain");
	ok(await page.run(`[...document.querySelectorAll("input, select")].every((e) => e.labels.length)`),
	   "every control has a label");
}

// The browser writes of each answer that is no 200; that is all it may write.
function complaints(page) {
	return page.errors.filter((e) => !e.startsWith("Failed to load resource"));
}

async function troubles(page, stop) {
	await page.key("3");
	await page.run("(() => { const e = document.getElementById('domain'); e.value = 'pages'; " +
		"e.dispatchEvent(new Event('change')); })()");
	await page.until(`${text("problem")}.includes("quarry kernel on pages")`);
	ok(await page.run("!document.getElementById('problem').hidden"), "a domain that is off says so");
	ok(page.errors.length > 0 && !complaints(page).length, "and nothing else goes wrong");
	await page.key("1");
	await page.until("document.getElementById('problem').hidden");
	ok(true, "which is over in another view");
	await stop();
	await page.until(`${text("problem")} === "The server does not answer."`);
	ok(await page.run(`${nr} > 90`), "without a server the page says so, and keeps its rows");
	ok(!complaints(page).length, "and nothing else goes wrong");
}

// A server that wants a token gives the page to everybody, and views to those who know it.
async function login(browser, module) {
	const { origin, stop } = await serve(module.dir, "t0ken");
	const page = await Page.open(browser, origin + "/live");
	const form = "document.getElementById('login')";

	try {
		await page.until(`!${form}.hidden`);
		ok(await page.run(nr) === 0, "without the token there are no rows");
		for (const token of ["wrong", "t0ken"]) {
			const before = asked(page);

			await page.run("(() => { const e = document.getElementById('token'); " +
				"e.value = ''; e.focus(); })()");
			await page.type(token);
			await page.key("Enter");
			for (let i = 0; i < 400 && asked(page) === before; i++)
				await page.settled();
		}
		await page.until(nr);
		ok(await page.run(`${form}.hidden`), "with it the page goes on");
		ok(!complaints(page).length, "and nothing else goes wrong");
	} finally {
		await page.close();
		await stop();
	}
}

// Start a server: its address, and what ends it.
async function serve(...args) {
	const server = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
	const [line] = await once(server.stdout, "data");
	const stop = async () => {
		if (server.exitCode === null) {
			const ended = once(server, "exit");

			server.kill();
			await ended;
		}
	};

	return { origin: `http://127.0.0.1:${String(line).trim()}`, stop };
}

async function main() {
	const chromium = find();

	if (!program) {
		console.error("usage: check-live SERVER [SCREENSHOTS]");
		return 2;
	}
	if (!chromium) {
		console.log("1..0 # SKIP no Chromium here (scripts/deps page)");
		return 77;
	}
	if (shots)
		mkdirSync(shots, { recursive: true });
	const module = new Module();
	const { origin, stop } = await serve(module.dir);
	const browser = new Browser(chromium);

	try {
		const page = await Page.open(browser, origin + "/live");

		for (const test of [fills, sorts, filters, pauses, views])
			try {
				console.log("# " + test.name);
				await test(page, module);
			} catch (error) {
				ok(false, `${test.name}: ${error.message}`);
			}
		ok(!page.errors.length, "the console stays empty");
		page.errors.forEach((e) => console.log("# " + e));
		await fits(page, "wide");
		for (const [name, options] of [["dark", { dark: true }], ["narrow", { width: 420 }],
					       ["narrow-dark", { width: 420, dark: true }]]) {
			const other = await Page.open(browser, origin + "/live", options);

			await other.until(nr);
			await other.key("2");
			await other.until(`${nr} === 7`);
			await fits(other, name + ", sites");
			await other.key("1");
			await other.until(`${nr} > 90`);
			await fits(other, name);
			await shoot(other, "live-" + name);
			ok(!other.errors.length, `${name}: the console stays empty`);
			await other.close();
		}
		await login(browser, module);
		await troubles(page, stop);
		const others = page.requests.filter((u) => !u.startsWith(origin + "/") && !u.startsWith("data:"));

		ok(!others.length, "nobody but the server is asked");
		others.forEach((u) => console.log("# " + u));
	} catch (error) {
		ok(false, error.message);
	} finally {
		await browser.close();
		await stop();
		rmSync(module.dir, { recursive: true, force: true });
	}
	console.log(`1..${number}`);
	return failed ? 1 : 0;
}

process.exit(await main());
