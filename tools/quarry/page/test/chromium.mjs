// SPDX-License-Identifier: GPL-2.0 OR MIT
// Drive Chromium over a pipe with its own protocol.  No library is needed for that.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

export function find() {
	for (const name of ["chromium", "chromium-browser", "google-chrome"])
		for (const dir of (process.env.PATH ?? "").split(delimiter))
			try {
				accessSync(join(dir, name), constants.X_OK);
				return join(dir, name);
			} catch {
				// It is elsewhere.
			}
	return null;
}

export class Browser {
	constructor(program) {
		this.home = mkdtempSync(join(tmpdir(), "quarry-page-"));
		this.child = spawn(program, ["--headless", "--no-sandbox", "--disable-gpu",
			"--disable-background-networking", "--no-first-run", "--hide-scrollbars",
			`--user-data-dir=${this.home}`, "--remote-debugging-pipe", "about:blank"],
			{ stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
		this.last = 0;
		this.waiting = new Map();
		this.listeners = [];
		this.rest = Buffer.alloc(0);
		this.child.stdio[4].on("data", (data) => this.receive(data));
		this.child.on("exit", () => {
			for (const { fail } of this.waiting.values())
				fail(new Error("Chromium ended"));
		});
	}

	receive(data) {
		this.rest = Buffer.concat([this.rest, data]);
		for (let end; (end = this.rest.indexOf(0)) >= 0; this.rest = this.rest.subarray(end + 1)) {
			const m = JSON.parse(this.rest.subarray(0, end).toString());
			const waiting = this.waiting.get(m.id);

			this.waiting.delete(m.id);
			if (waiting && m.error)
				waiting.fail(new Error(`${waiting.method}: ${m.error.message}`));
			else if (waiting)
				waiting.done(m.result);
			else
				this.listeners.forEach((l) => l(m));
		}
	}

	send(method, params = {}, sessionId = undefined) {
		const id = ++this.last;

		return new Promise((done, fail) => {
			this.waiting.set(id, { done, fail, method });
			this.child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
		});
	}

	async close() {
		const ended = once(this.child, "exit");

		await this.send("Browser.close").catch(() => {});
		await ended;
		rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
	}
}

// One page: what it wrote to the console, what it asked the network for, and what a person does to it.
export class Page {
	static async open(browser, url, { width = 1400, height = 900, dark = false } = {}) {
		const page = new Page();

		page.browser = browser;
		page.errors = [];
		page.requests = [];
		const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
		const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });

		Object.assign(page, { targetId, sessionId });
		browser.listeners.push((m) => m.sessionId === sessionId && page.event(m));
		for (const domain of ["Page", "Runtime", "Log", "Network"])
			await page.send(domain + ".enable");
		await page.send("Performance.enable", { timeDomain: "threadTicks" });
		await page.resize(width, height);
		await page.send("Emulation.setEmulatedMedia", {
			features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" },
				   { name: "prefers-reduced-motion", value: "reduce" }],
		});
		const loaded = new Promise((done) => {
			page.loaded = done;
		});
		const started = performance.now();

		await page.send("Page.navigate", { url });
		await loaded;
		await page.settled();
		page.opened = performance.now() - started;
		page.busy = 1000 * await page.processorTime();
		return page;
	}

	// Seconds of a processor that the page's tasks took, to which other work does not add.
	async processorTime() {
		const { metrics } = await this.send("Performance.getMetrics");

		return metrics.find((m) => m.name === "TaskDuration").value;
	}

	send(method, params) {
		return this.browser.send(method, params, this.sessionId);
	}

	event({ method, params }) {
		if (method === "Page.loadEventFired")
			this.loaded?.();
		else if (method === "Runtime.exceptionThrown")
			this.errors.push(params.exceptionDetails.exception?.description ??
					 params.exceptionDetails.text);
		else if (method === "Runtime.consoleAPICalled")
			this.errors.push(params.args.map((a) => a.value).join(" "));
		else if (method === "Log.entryAdded")
			this.errors.push(params.entry.text);
		else if (method === "Network.requestWillBeSent")
			this.requests.push(params.request.url);
	}

	// The value of an expression, which may be a promise.
	async run(expression) {
		const { result, exceptionDetails } = await this.send("Runtime.evaluate",
			{ expression, awaitPromise: true, returnByValue: true });

		if (exceptionDetails)
			throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
		return result.value;
	}

	// Until the page has drawn some times: d3 sets what it moves with the next drawings.
	settled() {
		return this.run("(async () => { for (let i = 0; i < 5; i++) " +
				"await new Promise((d) => requestAnimationFrame(d)); })()");
	}

	// Until an expression is true.
	async until(expression) {
		for (let i = 0; i < 600; i++) {
			if (await this.run(expression))
				return;
			await this.settled();
		}
		throw new Error("never true: " + expression);
	}

	resize(width, height) {
		return this.send("Emulation.setDeviceMetricsOverride",
			{ width, height, deviceScaleFactor: 1, mobile: false });
	}

	async click(expression) {
		const { x, y } = await this.run(`(() => {
			const e = ${expression};
			e.scrollIntoView({ block: "center" });
			const r = e.getBoundingClientRect();
			return { x: r.x + r.width / 2, y: r.y + r.height / 2 };
		})()`);

		for (const type of ["mousePressed", "mouseReleased"])
			await this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
		await this.settled();
	}

	async key(key, modifiers = 0) {
		const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
		const windowsVirtualKeyCode = { Enter: 13, Escape: 27, Tab: 9, ArrowUp: 38, ArrowDown: 40,
						ArrowLeft: 37, ArrowRight: 39, "/": 191 }[key];

		await this.send("Input.dispatchKeyEvent",
			{ type: "keyDown", key, code: key, text, modifiers, windowsVirtualKeyCode });
		await this.send("Input.dispatchKeyEvent",
			{ type: "keyUp", key, code: key, modifiers, windowsVirtualKeyCode });
		await this.settled();
	}

	async type(text) {
		await this.send("Input.insertText", { text });
		await this.settled();
	}

	async screenshot(whole = true) {
		const { data } = await this.send("Page.captureScreenshot",
			{ format: "png", captureBeyondViewport: whole });

		return Buffer.from(data, "base64");
	}

	async pdf() {
		const { data } = await this.send("Page.printToPDF", { printBackground: false });

		return Buffer.from(data, "base64");
	}

	close() {
		return this.browser.send("Target.closeTarget", { targetId: this.targetId });
	}
}
