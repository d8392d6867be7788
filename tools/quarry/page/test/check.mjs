// SPDX-License-Identifier: GPL-2.0 OR MIT
// The tests of the page.  page/check says how they are run.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Browser, find, Page } from "./chromium.mjs";
import * as sample from "./sample.mjs";
import { cases } from "./cases.mjs";

const [quarry, shots] = process.argv.slice(2);
const FRAMES = 60;	// of a recording
let failed = 0, number = 0;

function ok(good, what) {
	failed += !good;
	console.log(`${good ? "ok" : "not ok"} ${++number} ${what}`);
}

// A recording is what no command writes yet: more moments, in the page's own data.
function recording(html) {
	return html.replace(/(<script type="application\/json" id="data">)(.*?)(<\/script>)/s,
		(_, begin, text, end) => {
			const data = JSON.parse(text), [moment] = data.moments;

			data.moments = Array.from({ length: FRAMES }, (_, i) => ({
				name: `moment ${i}`,
				time_ms: moment.time_ms + 60000 * i,
				values: moment.values.map((v) => Math.round(v * (i + 1) / FRAMES)),
			}));
			data.compare = true;
			data.caches = [{ name: "session", size: 16384, memory: 20 << 20, live: 900, cached: 12 },
				       { name: "idle", size: 64, memory: 4096, live: 0, cached: 0 }];
			return begin + JSON.stringify(data).replaceAll("<", "\\u003c") + end;
		});
}

function makePages(dir) {
	const file = (name) => join(dir, name);
	const write = (name, sites, options) => writeFileSync(file(name), sample.profile(sites, options));
	const page = (...args) => execFileSync(quarry, args, { stdio: ["ignore", "inherit", "inherit"] });

	write("before.pb", sample.before);
	write("after.pb", sample.after, { seconds: 1e9 + 60 });
	write("empty.pb", sample.empty);
	write("deep.pb", sample.deep(120));
	write("many.pb", sample.many(16384));
	for (const name of ["after", "empty", "deep", "many"])
		page("profile", "--input", file(name + ".pb"), "-o", file(name + ".html"));
	page("diff", "-o", file("diff.html"), file("before.pb"), file("after.pb"));
	writeFileSync(file("recording.html"), recording(readFileSync(file("after.html"), "utf8")));
}

async function run(browser, dir, { name, file, options, test }) {
	const page = await Page.open(browser, pathToFileURL(join(dir, file + ".html")).href, options);
	const own = pathToFileURL(join(dir, file + ".html")).href;
	const shoot = async (shot) => {
		if (shots)
			writeFileSync(join(shots, shot + ".png"), await page.screenshot());
	};

	console.log(`# ${name}`);
	try {
		await test(page, ok, shoot);
	} catch (error) {
		ok(false, `${name}: ${error.message}`);
	}
	ok(!page.errors.length, `${name}: the console stays empty`);
	page.errors.forEach((e) => console.log("# " + e.replaceAll("\n", "\n# ")));
	const others = page.requests.filter((u) => u !== own && !u.startsWith("data:"));

	ok(!others.length, `${name}: nothing is fetched`);
	others.forEach((u) => console.log("# " + u));
	await page.close();
}

async function main() {
	const program = find();

	if (!quarry) {
		console.error("usage: check QUARRY [SCREENSHOTS]");
		return 2;
	}
	if (!program) {
		console.log("1..0 # SKIP no Chromium here (scripts/deps page)");
		return 77;
	}
	const dir = mkdtempSync(join(tmpdir(), "quarry-check-"));

	if (shots)
		mkdirSync(resolve(shots), { recursive: true });
	try {
		makePages(dir);
		const browser = new Browser(program);

		for (const c of cases)
			await run(browser, dir, c);
		await browser.close();
	} finally {
		rmSync(dir, { recursive: true, force: true });
	}
	console.log(`1..${number}`);
	return failed ? 1 : 0;
}

process.exit(await main());
