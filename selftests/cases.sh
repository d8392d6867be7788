#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# A table of mistakes: for each, what notices it in a cache as it is, in one with red zones and
# poison, and in one for which "sane" or "redzone poison" was switched on while it was in use, and
# whether another object is damaged. No mistake breaks the allocator, and none makes it hand out an
# object twice, but where the table says so. What KASAN notices is in kasan.sh.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh
load_anew quarry_client
# What a mistake meets in a magazine depends on the processor, and a sampled object is looked at more
# closely. One processor and no sampling: each mistake finds the same state in every run.
on_cpus 1
echo 0 >"$QUARRY/profile/rate"

# Each line: the mistake; what notices it; the same with red zones and poison; the same with the check
# "sane"; the same with "redzone poison". "KIND" means that the
# counter misuse_KIND grew in the call, "KIND, later" that it grew when the object left the magazine or
# was freed or allocated; "refused" is an error for the caller; "contents" damages the contents of
# another object; "owners" makes two owners; "read" is a wrong read that nothing notices; "-" is not
# noticed.
cat >"$TMP/wanted" <<'END'
end_1|contents|red_zone, later|contents|red_zone, later
end_8|contents|red_zone, later|contents|red_zone, later
end_64|contents|red_zone, later + contents|contents|red_zone, later + contents
end_4096|contents|red_zone, later + contents|contents|red_zone, later + contents
start_1|contents|red_zone, later|contents|red_zone, later
start_8|contents|red_zone, later|contents|red_zone, later
start_64|contents|red_zone, later + contents|contents|red_zone, later + contents
start_4096|contents|red_zone, later + contents|contents|red_zone, later + contents
write_after_free|-|busy_destroy, later + poison, later|-|busy_destroy, later + poison, later
read_after_free|read|read|read|read
write_after_reuse|contents|contents|contents|contents
read_after_reuse|read|read|read|read
read_uninitialised|read|read|read|read
twice|double_free|double_free|double_free|double_free
twice_with_others_between|double_free, later|double_free|double_free|double_free
twice_after_a_flush|double_free, later|double_free|double_free|double_free
twice_on_two_cpus|double_free, later|double_free|double_free|double_free
twice_in_bulk|double_free, later|double_free|double_free|double_free
twice_by_rcu|double_free|double_free|double_free|double_free
free_then_rcu|double_free|double_free|double_free|double_free
rcu_then_free|double_free|double_free|double_free|double_free
twice_nolock|double_free|double_free|double_free|double_free
twice_after_reuse|double_free, later + owners|double_free, later + contents + owners|double_free, later + owners|double_free, later + contents + owners
twice_large|foreign|foreign|foreign|foreign
twice_mapped|foreign|foreign|foreign|foreign
pool_twice|double_free|double_free|double_free|double_free
pool_object_freed|wrong_cache|wrong_cache|wrong_cache|wrong_cache
pool_wrong_object|wrong_cache|wrong_cache|wrong_cache|wrong_cache
free_inside|interior, later|interior|interior|interior
free_odd|interior, later|interior|interior|interior
free_stack|foreign|foreign|foreign|foreign
free_kmalloc|foreign|foreign|foreign|foreign
free_page_of_kernel|foreign|foreign|foreign|foreign
free_vmalloc|foreign|foreign|foreign|foreign
free_data|foreign|foreign|foreign|foreign
free_text|foreign|foreign|foreign|foreign
free_user|foreign|foreign|foreign|foreign
free_poisoned|foreign|foreign|foreign|foreign
free_error|foreign|foreign|foreign|foreign
free_inside_large|interior|interior|interior|interior
free_inside_mapped|interior|interior|interior|interior
wrong_cache|wrong_cache|wrong_cache|wrong_cache|wrong_cache
wrong_kind|wrong_cache|wrong_cache|wrong_cache|wrong_cache
freed_after_destroy|double_free + busy_destroy|double_free + busy_destroy|double_free + busy_destroy|double_free + busy_destroy
leak_at_destroy|busy_destroy|busy_destroy|busy_destroy|busy_destroy
arena_object_freed|foreign|foreign|foreign|foreign
stale_mark|stale_mark|stale_mark|stale_mark|stale_mark
cleanup_of_freed|refused|refused|refused|refused
cleanup_of_foreign|refused|refused|refused|refused
realloc_inside|interior + refused|interior + refused|interior + refused|interior + refused
realloc_foreign|foreign + refused|foreign + refused|foreign + refused|foreign + refused
realloc_of_cache|refused|refused|refused|refused
size_of_foreign|refused|refused|refused|refused
END

# A kernel that does not count when preemption is off has mapped memory unmapped a little later. Until
# then the object is known.
case $(uname -v) in
*PREEMPT*) ;;
*) sed -i '/^twice_mapped/s/foreign/double_free/g' "$TMP/wanted" ;;
esac

counts()
{
	awk '/^misuse_/ { print substr($1, 8), $2 }' "$QUARRY/stats"
}

# grown BEFORE [SUFFIX]: the kinds that grew since.
grown()
{
	counts | awk -v suffix="$2" -v before="$1" '
		BEGIN { while ((getline line <before) > 0) { split(line, f); was[f[1]] = f[2] } }
		$2 > was[$1] { printf "%s%s%s", sep, $1, suffix; sep = " + " }'
}

# one NUMBER CHECKED: sets name and verdict. False if there is no such case.
one()
{
	counts >"$TMP/before"
	client case "number=$1" "checked=$2" 2>/dev/null || return 1
	name=$(result name)
	refused=$(result refused)
	now=$(grown "$TMP/before" "")
	counts >"$TMP/before"
	client uncase || fail "$name: uncase"
	later=$(grown "$TMP/before" ", later")
	verdict=$now${now:+${later:+ + }}$later
	[ "${refused:-0}" = 0 ] || verdict=${verdict:+$verdict + }refused
	[ "$(result damaged)" = 0 ] || verdict=${verdict:+$verdict + }contents
	[ "$(result two_owners)" = 0 ] || verdict=${verdict:+$verdict + }owners
	[ "$(result read)" = -1 ] || verdict=${verdict:+$verdict + }read
	expect "$name, $2: the walker finds no error" validate
}

number_of=0
: >"$TMP/table"
while one $number_of 0; do
	plain=${verdict:--}
	one $number_of 1 || fail "$name with red zones and poison"
	checked=${verdict:--}
	one $number_of 2 || fail "$name with the check sane"
	sane=${verdict:--}
	one $number_of 3 || fail "$name with the checks redzone and poison"
	printf '%s|%s|%s|%s|%s\n' "$name" "$plain" "$checked" "$sane" "${verdict:--}" >>"$TMP/table"
	number_of=$((number_of + 1))
done
within "mistakes" "$number_of" 45 1000
sed 's/^/# /' "$TMP/table"
while IFS='|' read -r name verdicts; do
	same "$name" "$(grep "^$name|" "$TMP/table")" "$name|$verdicts"
done <"$TMP/wanted"
same "mistakes that the table has" "$(wc -l <"$TMP/wanted")" "$number_of"
expect "the equations hold at the end" balanced
echo default >"$QUARRY/profile/rate"
finish
