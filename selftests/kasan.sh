#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# On a kernel with KASAN, the kernel itself reports the access to what a client may not touch, in a
# cache with red zones and poison, and in one that "redzone poison" was switched on for while it was in
# use. These are the mistakes of cases.sh that touch memory; it shows what Quarry notices of all. The
# kernel has to be booted with kasan_multi_shot, or it says so only once.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
grep -q ' __asan_load8_noabort$' /proc/kallsyms || skip_all "the kernel has no KASAN"
grep -q kasan_multi_shot /proc/cmdline || skip_all "the kernel was booted without kasan_multi_shot"
load_anew quarry_client
on_cpus 1
echo 0 >"$QUARRY/profile/rate"

# Each line: the mistake, and what KASAN calls it in the two caches; "-" is not reported.
cat >"$TMP/wanted" <<'END'
end_1|slab-out-of-bounds|slab-out-of-bounds
end_8|slab-out-of-bounds|slab-out-of-bounds
end_64|slab-out-of-bounds|slab-out-of-bounds
end_4096|slab-out-of-bounds|slab-out-of-bounds
start_1|slab-out-of-bounds|slab-out-of-bounds
start_8|slab-out-of-bounds|slab-out-of-bounds
start_64|slab-out-of-bounds|slab-out-of-bounds
start_4096|slab-out-of-bounds|slab-out-of-bounds
write_after_free|slab-use-after-free|slab-use-after-free
read_after_free|slab-use-after-free|slab-use-after-free
write_after_reuse|-|-
read_after_reuse|-|-
read_uninitialised|-|-
twice|-|-
END
cut -d '|' -f 1 "$TMP/wanted" | sort >"$TMP/named"

# one NUMBER CHECKED: sets name, and verdict to the kinds of reports.
one()
{
	dmesg -c >/dev/null
	client case "number=$1" "checked=$2" kasan=1 2>/dev/null || return 1
	name=$(result name)
	dmesg >"$TMP/said"
	verdict=$(sed -n 's/.*BUG: KASAN: \([a-z-]*\) in .*/\1/p' "$TMP/said" | sort -u | xargs)
	same "$name, $2: reports of what the client did not do" \
		"$(grep 'BUG: KASAN' "$TMP/said" | grep -vc '\[quarry_client\]')" 0
	same "$name, $2: reports that name the object" "$(grep -c 'quarry: KASAN: byte' "$TMP/said")" \
		"$(grep -c 'BUG: KASAN' "$TMP/said")"
	same "$name, $2: other complaints" \
		"$(grep -E 'WARNING|BUG' "$TMP/said" | grep -vc 'BUG: KASAN')" 0
	client uncase || fail "$name: uncase"
	same "$name, $2: reports when it is undone" "$(dmesg | grep -c 'BUG: KASAN')" \
		"$(grep -c 'BUG: KASAN' "$TMP/said")"
	expect "$name, $2: the walker finds no error" validate
}

number_of=0
: >"$TMP/table"
while one $number_of 1; do
	guarded=${verdict:--}
	one $number_of 3 || fail "$name with the checks redzone and poison"
	[ "$name" != read_after_free ] || cp "$TMP/said" "$TMP/read_after_free"
	printf '%s|%s|%s\n' "$name" "$guarded" "${verdict:--}" >>"$TMP/table"
	number_of=$((number_of + 1))
done
within "mistakes" "$number_of" 45 1000
sed 's/^/# /' "$TMP/table"
while IFS='|' read -r name verdicts; do
	same "$name" "$(grep "^$name|" "$TMP/table")" "$name|$verdicts"
done <"$TMP/wanted"
same "reports for any other mistake" "$(grep slab- "$TMP/table" | cut -d '|' -f 1 | sort |
	comm -23 - "$TMP/named" | xargs)" ""
same "the byte that was read" "$(sed -n 's/.*quarry: KASAN: //p' "$TMP/read_after_free" | head -n 1)" \
	"byte 7 of 192 of a free object, cache client_case:checked"
for what in allocated freed; do
	within "frames of the stack that $what it" \
		"$(grep -c "KASAN: $what in .*\[quarry_client\]" "$TMP/read_after_free")" 1 16
done
expect "the equations hold at the end" balanced
echo default >"$QUARRY/profile/rate"
finish
