// SPDX-License-Identifier: GPL-2.0 OR MIT
// Profiles in pprof's format for the tests of the page: written here, because nothing else can write
// names as strange as these.

function varint(n) {
	const out = [];

	for (let v = BigInt.asUintN(64, BigInt(n)); ; v >>= 7n) {
		if (v < 128n) {
			out.push(Number(v));
			return out;
		}
		out.push(Number(v & 127n) | 128);
	}
}

const number = (field, n) => [...varint(field << 3), ...varint(n)];
const bytes = (field, b) => Buffer.concat([Buffer.from([...varint(field << 3 | 2), ...varint(b.length)]), b]);
const message = (field, parts) => bytes(field, Buffer.concat(parts.map((p) => Buffer.from(p))));

const TYPES = [["inuse_objects", "count"], ["inuse_space", "bytes"], ["alloc_objects", "count"],
	       ["alloc_space", "bytes"]];

/*
 * A profile of sites: { stack: [outermost, ..., innermost], cache, comm, values: four numbers }.
 * A function "name [module]" is of a module.
 */
export function profile(sites, { seconds = 1e9, types = TYPES } = {}) {
	const strings = new Map([["", 0]]), functions = new Map(), mappings = new Map([["", 1]]);
	const string = (s) => strings.get(s) ?? (strings.set(s, strings.size), strings.size - 1);
	const parts = types.map(([t, u]) => message(1, [number(1, string(t)), number(2, string(u))]));

	for (const { stack, cache, comm, values } of sites) {
		const ids = stack.slice().reverse().map((f) => {
			if (!functions.has(f))
				functions.set(f, functions.size + 1);
			return functions.get(f);
		});
		const sample = [...ids.map((i) => number(1, i)), ...values.map((v) => number(2, v))];

		if (cache !== undefined)
			sample.push(message(3, [number(1, string("cache")), number(2, string(cache))]));
		if (comm !== undefined)
			sample.push(message(3, [number(1, string("comm")), number(2, string(comm))]));
		parts.push(message(2, sample));
	}
	for (const [name, id] of functions) {
		const [, plain, module] = /^(.*?)(?: \[(.*)\])?$/s.exec(name);
		const file = module ? module + ".ko" : "";

		if (!mappings.has(file))
			mappings.set(file, mappings.size + 1);
		parts.push(message(4, [number(1, id), number(2, mappings.get(file)),
			message(4, [number(1, id)])]));
		parts.push(message(5, [number(1, id), number(2, string(plain))]));
	}
	for (const [file, id] of mappings)
		parts.push(message(3, [number(1, id), number(5, string(file || "[kernel.kallsyms]"))]));
	parts.push(number(9, BigInt(seconds) * 1000000000n), number(12, 524288),
		number(13, string("a <b>test</b> of the page")));
	for (const s of strings.keys())
		parts.push(bytes(6, Buffer.from(s)));
	return Buffer.concat(parts.map((p) => Buffer.from(p)));
}

const OUTER = ["entry_SYSCALL_64_after_hwframe", "do_syscall_64"];
const MIB = 1 << 20;

function site(names, cache, objects, size, allocated = objects) {
	return { stack: [...OUTER, ...names], cache,
		 values: [objects, objects * size, allocated, allocated * size] };
}

export const before = [
	site(["__do_sys_clone", "copy_process"], "task_struct", 100, 8192, 5000),
	site(["leaky_ioctl [leaky]", "leaky_new_session [leaky]"], "session", 64, 16384),
	site(["vfs_read", "ext4_file_read_iter [ext4]", "ext4_alloc_inode [ext4]"], "ext4_inode", 2000, 1024),
	site(["vfs_open", "path_openat", "alloc_empty_file"], "filp", 9000, 256, 90000),
	site(["sys_bpf", "shrinks"], "bpf", 4096, 1024),
];

export const after = [
	site(["__do_sys_clone", "copy_process"], "task_struct", 104, 8192, 9000),
	site(["leaky_ioctl [leaky]", "leaky_new_session [leaky]"], "session", 900, 16384),
	site(["vfs_read", "ext4_file_read_iter [ext4]", "ext4_alloc_inode [ext4]"], "ext4_inode", 2000, 1024),
	site(["vfs_open", "path_openat", "alloc_empty_file"], "filp", 8000, 256, 150000),
	site(["sys_bpf", "shrinks"], "bpf", 512, 1024, 9000),
	site(["sys_bpf", "appears"], "bpf", 256, 4096),
	site(["<img src=x onerror=alert(1)>", "</script><script>document.title='broken'</script>"],
	     "<script>", 700, 1024),
];

export const empty = [];

export function deep(frames) {
	const names = Array.from({ length: frames }, (_, i) => `level_${i}`);

	return [site(names, "deep", 10, MIB), site(names.slice(0, frames / 2), "half", 5, MIB)];
}

// Sites as a large machine has them: few at the root, many at the leaves.
export function many(sites) {
	let seed = 1;
	const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;

	return Array.from({ length: sites }, (_, i) => {
		const names = Array.from({ length: 14 }, (_, d) =>
			`function_${d}_${random(2 + d * 3)}${d % 5 === 4 ? " [module]" : ""}`);

		return site([...names, `site_${i}`], `cache-${random(200)}`, 1 + random(1000),
			    16 << random(9));
	});
}
