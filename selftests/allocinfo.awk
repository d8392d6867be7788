# SPDX-License-Identifier: GPL-2.0
# Compares the growth of the kernel profile with that of /proc/allocinfo, for kernel_allocinfo.sh:
#
#   awk -f allocinfo.awk part=tags FILE part=off FILE part=before FILE part=after FILE part=top FILE
#
# "tags" is the output of scripts/alloc-tags, the others are of kernhold.
#
# A row of the profile belongs to the call sites of the innermost function on its stack that has
# any: helpers such as kvmalloc_node_noprof() have none, because the kernel charges their callers.
# One function can have several call sites, and one call site can be inlined into several
# functions. So functions and call sites are put into groups, as few as possible, and the sums of
# the groups are compared. Call sites that did not change are left out of that, and so is
# alloc_slab_obj_exts(): of this memory, which the kernel's own account needs, it counts a part only.
#
# Prints for each group with a growth in /proc/allocinfo:
#
#   group BYTES OBJECTS QUARRY_BYTES QUARRY_OBJECTS ERROR OLDER Z SAMPLES SITE [+N]
#
# SITE is the largest of its call sites, and N counts the others. OLDER are the bytes that its call
# sites had before the profile was switched on; the profile does not see their frees. Then a line
# for each function whose rows have no call site that changed:
#
#   none QUARRY_BYTES QUARRY_OBJECTS FUNCTION

function group_of(x)
{
	while (x in parent)
		x = parent[x]
	return x
}

function join(x, y)
{
	x = group_of(x)
	y = group_of(y)
	if (x != y)
		parent[x] = y
}

# busybox has no sqrt().
function root(x,	r, i)
{
	r = x > 1 ? x : 1
	for (i = 0; i < 200 && r * r > x * 1.000001 + 0.01; i++)
		r = (r + x / r) / 2
	return r
}

# The innermost function of the row that has call sites; the leaf if none has.
function owner(	pieces, words, n, m, i, name, leaf)
{
	n = split($0, pieces, " < ")
	for (i = 1; i <= n; i++) {
		if (sub(/ \[[^]]*\]$/, "", pieces[i]) && i > 1)
			continue
		m = split(pieces[i], words, " ")
		name = words[m]
		sub(/[+].*/, "", name)
		if (i == 1)
			leaf = name
		if (name in tags)
			return name
	}
	return leaf
}

part == "tags" {
	if ($2 == "pages")
		next
	if ($4 == "alloc_slab_obj_exts") {
		tags[$1] += 0
		next
	}
	tags[$1]++
	tag[$1, tags[$1]] = $3 " " $4
	slab[$3 " " $4] = 1
	next
}

# Lines of modules have the name of the module in the fourth column.
part != "top" && $4 ~ /^func:/ {
	site = $3 " " substr($4, 6)
	bytes[part, site] += $1
	objects[part, site] += $2
	next
}

part == "top" && FNR == 1 {
	if ($1 != "#growth_bytes" || $2 != "+/-" || $3 != "growth_objs") {
		print "the table has other columns"
		exit 1
	}
	for (i = 1; i <= NF; i++)
		if ($i == "samples")
			at_samples = i
	next
}

part == "top" && !/^#/ {
	name = owner()
	growth[name] += $1
	variance[name] += $2 * $2
	growth_objects[name] += $3
	samples[name] += $at_samples
}

END {
	for (site in slab) {
		more[site] = bytes["after", site] - bytes["before", site]
		more_objects[site] = objects["after", site] - objects["before", site]
		if (!more[site] && !more_objects[site])
			delete more[site]
	}
	for (name in growth) {
		active = 0
		for (i = 1; i <= tags[name]; i++) {
			if (!(tag[name, i] in more))
				continue
			join("function " name, tag[name, i])
			active = 1
		}
		if (active) {
			group = group_of("function " name)
			their[group] += growth[name]
			their_objects[group] += growth_objects[name]
			theirs[group] += variance[name]
			their_samples[group] += samples[name]
		} else if (growth[name]) {
			printf "none %d %d %s\n", growth[name], growth_objects[name], name
		}
	}
	# Later unions may have made one group of two.
	for (group in their) {
		all[group_of(group)] += their[group]
		all_objects[group_of(group)] += their_objects[group]
		all_variance[group_of(group)] += theirs[group]
		all_samples[group_of(group)] += their_samples[group]
	}
	for (site in more) {
		group = group_of(site)
		sum[group] += more[site]
		sum_objects[group] += more_objects[site]
		older[group] += bytes["off", site]
		if (!sites[group]++ || more[site] > more[largest[group]])
			largest[group] = site
	}
	for (group in sum) {
		error = root(all_variance[group])
		printf "group %d %d %d %d %d %d %.1f %d %s%s\n", sum[group], sum_objects[group],
			all[group], all_objects[group], error, older[group],
			(all[group] - sum[group]) / (error + 1), all_samples[group], largest[group],
			(sites[group] > 1 ? " +" (sites[group] - 1) : "")
	}
}
