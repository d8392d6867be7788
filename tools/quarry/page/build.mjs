// SPDX-License-Identifier: GPL-2.0 OR MIT
// Make one file of the page: node build.mjs FILE.  The place for the data stays open: @QUARRY_DATA@.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const HERE = new URL(".", import.meta.url).pathname;

// Names stay as they are: the flame graph asks for the name of a class of d3's.
const options = {
	absWorkingDir: HERE,
	bundle: true,
	write: false,
	target: ["chrome100", "firefox100", "safari15.4"],
	minifyWhitespace: true,
	minifySyntax: true,
	legalComments: "none",
};

async function bundle(more) {
	return (await build({ ...options, ...more })).outputFiles[0].text.trim();
}

function hash(text) {
	return "'sha256-" + createHash("sha256").update(text).digest("base64") + "'";
}

const notice = readFileSync(HERE + "NOTICE", "utf8").trim();
const script = await bundle({
	entryPoints: ["page.js"],
	format: "iife",
	// Its rules are in page.css.
	loader: { ".css": "empty" },
	banner: { js: `/*\n${notice}\n*/` },
});
const style = await bundle({ entryPoints: ["page.css"] });
const parts = {
	// Nothing is fetched, no other script runs, and text never becomes HTML.
	policy: `default-src 'none'; script-src ${hash(script)}; style-src ${hash(style)}; ` +
		"img-src data:; base-uri 'none'; form-action 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'",
	style,
	script,
	data: "@QUARRY_DATA@",
};

writeFileSync(process.argv[2], readFileSync(HERE + "index.html", "utf8")
	.replace(/{{(\w+)}}/g, (_, name) => parts[name]));
