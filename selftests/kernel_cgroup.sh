#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# The label "cgroup" of the kernel profile: samples of tasks are told apart by the memory cgroup of
# the task, samples of interrupts and of Quarry's own heap are not, and any number of cgroups leaves
# room for other labels.

cd "$(dirname "$0")" || exit 1
# shellcheck source=lib.sh
. ./lib.sh

CG=/sys/fs/cgroup
mounted=
[ -e $CG/cgroup.controllers ] || {
	mount -t cgroup2 cgroup2 $CG 2>/dev/null || skip_all "the kernel has no cgroup2"
	mounted=1
}
grep -qw memory $CG/cgroup.controllers || skip_all "there is no memory controller in cgroup2"
unload wordindex quarry_client quarry
insmod "$MODULES/quarry.ko" kernel_samples=262144 || skip_all "no memory"
load quarry_client
SLAB=$QUARRY/kernel/slab
SWITCH=/sys/module/quarry/parameters/kernel_cgroups

# in_group DIR COMMAND: have the client run a command in a process of the cgroup. Samples are taken
# meanwhile, so that rows of what the shell does are few.
in_group()
{
	# shellcheck disable=SC2016 # the inner shell expands them
	sh -c 'echo $$ >"$1/cgroup.procs" && echo 1 >"$3/rate" && echo "$2" >"$4"; status=$?
		echo off >"$3/rate"; exit $status' sh "$CG/$1" "$2" "$SLAB" "$CLIENT/run"
}

# number_of DIR: the number of a cgroup. There is a function with the name of the program.
number_of()
{
	command stat -c %i "$CG/$1"
}

# groups FUNCTION: "ID OBJECTS" for each cgroup that has live objects of the function.
groups()
{
	by_label "$1" cgroup <"$SLAB/heap.txt"
}

# sum: of the second words of all lines.
sum()
{
	awk '{ n += $2 } END { print n + 0 }'
}

echo +memory >$CG/cgroup.subtree_control
mkdir $CG/quarry-a $CG/quarry-b $CG/quarry-a/inner || fail "mkdir"
echo off >"$SLAB/rate"
expect "slab is switched on" sh -c "echo 1 >$SLAB/enable"

# --- Off and on -----------------------------------------------------------------

same "off at first" "$(cat $SWITCH)" N
in_group quarry-a "kernel way=small n=10" || fail "kernel"
same "labels cgroup while it is off" "$(groups kernel_small)" ""
same "objects with the label comm" "$(by_label kernel_small comm <"$SLAB/heap.txt" | sum)" 10
client unkernel way=small || fail "unkernel"
expect "a word is refused" sh -c "! echo perhaps >$SWITCH" 2>/dev/null
echo Y >$SWITCH
same "on" "$(cat $SWITCH)" Y

# --- Whose they are -------------------------------------------------------------

in_group quarry-a "kernel way=small n=30" || fail "kernel"
in_group quarry-b "kernel way=small n=50" || fail "kernel"
same "objects of two cgroups" "$(groups kernel_small)" \
	"$(printf '%s\n' "$(number_of quarry-a) 30" "$(number_of quarry-b) 50" | sort)"
# The inner one has no memory controller: its memory is charged to the one above.
in_group quarry-a/inner "kernel way=small n=7" || fail "kernel"
same "with those of a cgroup without the memory controller" "$(groups kernel_small)" \
	"$(printf '%s\n' "$(number_of quarry-a) 37" "$(number_of quarry-b) 50" | sort)"
in_group . "kernel way=variable n=11" || fail "kernel"
same "objects of the root" "$(groups kernel_variable)" "$(number_of .) 11"
same "a number leads to its cgroup" "$(find $CG -maxdepth 1 -inum "$(number_of quarry-b)")" $CG/quarry-b
in_group quarry-a "kernel way=hardirq n=20" || fail "kernel"
same "objects of interrupts" "$(by_label kernel_hardirq context <"$SLAB/heap.txt")" "hardirq 20"
same "their cgroups" "$(groups kernel_hardirq)" ""
in_group quarry-a "kcontext way=softirq n=20" || fail "kcontext"
same "objects of softirqs" "$(by_label softirq_object context <"$SLAB/heap.txt")" "softirq 20"
same "their cgroups" "$(groups softirq_object)" ""
expect "profile.proto has the label" grep -q cgroup "$SLAB/heap"

# A cgroup can be removed, and its objects keep its number.
b=$(number_of quarry-b)
expect "a cgroup with live objects is removed" rmdir $CG/quarry-b
same "its objects" "$(groups kernel_small | awk -v id="$b" '$1 == id { print $2 }')" 50

echo 1 >"$QUARRY/profile/rate"
in_group quarry-a "hold mib=1" || fail "hold"
same "cgroups of Quarry's own heap" "$(grep -c cgroup= "$QUARRY/profile/heap.txt")" 0
client release || fail "release"
echo default >"$QUARRY/profile/rate"
for way in small variable hardirq; do
	client unkernel way=$way || fail "unkernel"
done
client unkcontext way=softirq || fail "unkcontext"

# --- Very many ------------------------------------------------------------------

# There is room for 512 sets with a name or a cgroup.
n=600
if is_slow; then
	skip "six hundred cgroups take long"
else
	echo 1 >"$SLAB/reset"
	groups=0
	while [ $groups -lt $n ]; do
		groups=$((groups + 1))
		mkdir "$CG/quarry-$groups" || break
		in_group quarry-$groups "kernel way=small n=1" || break
	done
	same "cgroups" $groups $n
	groups kernel_small >"$TMP/groups"
	same "objects, of all cgroups together" "$(sum <"$TMP/groups")" $n
	within "cgroups that have a label" "$(grep -vcF '(other)' "$TMP/groups")" 100 512
	within "objects of other ones" "$(grep -F '(other)' "$TMP/groups" | sum)" $((n - 512)) $n
	same "objects with the label context" "$(by_label kernel_small context <"$SLAB/heap.txt")" \
		"task $n"
	same "samples without their labels" "$(value "$SLAB/stats" other_samples)" 0
	client unkernel way=small || fail "unkernel"
	while [ $groups -gt 0 ]; do
		rmdir "$CG/quarry-$groups"
		groups=$((groups - 1))
	done
fi

note "$(xargs <"$SLAB/stats")"
echo 0 >"$SLAB/enable"
client unkernel way=hardirq destroy=1 || fail "unkernel"
rmdir $CG/quarry-a/inner $CG/quarry-a
echo -memory >$CG/cgroup.subtree_control
[ -z "$mounted" ] || umount $CG
expect "the walker finds no error" validate
unload quarry_client quarry
finish
