#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Fetch Debian packages without touching the machine's own apt. The configuration, the package
# lists and the downloads are in the cache. The mirror is the one that the machine uses.
# Source it after lib.sh.

# The machine's binary package sources, one "URI suite" per line.
apt_sources()
{
	# shellcheck disable=SC2016 # the variables are apt's
	apt-get indextargets --no-release-info \
		--format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | sort -u
}

# mirror SUITE: the URI of SUITE. If the machine's sources have only the main suite, it is the
# place where a Debian mirror keeps the other suites.
mirror()
{
	local main exact

	exact=$(apt_sources | awk -v s="$1" '$2 == s { print $1; exit }')
	if [ -n "$exact" ]; then
		printf '%s\n' "$exact"
		return
	fi
	main=${QUARRY_MIRROR:-$(apt_sources | awk '$2 == "bookworm" { print $1; exit }')}
	[ -n "$main" ] ||
		main=$(apt_sources | awk '$1 ~ /\/debian\/?$/ { print $1; exit }')
	main=${main%/}
	[ "${main##*/}" = debian ] ||
		die "no Debian mirror in apt's sources; set QUARRY_MIRROR to a URI ending in /debian"
	case $1 in
	*-security) printf '%s-security\n' "$main" ;;
	*) printf '%s\n' "$main" ;;
	esac
}

# apt_private SUITE TOOL ARGS...: run an apt tool on SUITE only. "bookworm" includes its security
# suite, which has the newer kernels. "bookworm:arm64" is the same suite's packages for arm64.
apt_private()
{
	local dir=$QUARRY_CACHE/apt/${1/:/-} suite=$1 tool=$2

	shift 2
	[ -e "$dir/apt.conf" ] || apt_private_init "$suite" "$dir"
	"$tool" -c "$dir/apt.conf" "$@"
}

apt_private_init()
{
	local suites=("${1%:*}") arch=amd64 dir=$2 suite key

	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -e "$key" ] || die "$key not found; install debian-archive-keyring"
	[ "${1%:*}" = "$1" ] || arch=${1#*:}
	[ "${suites[0]}" != bookworm ] || suites+=(bookworm-security)
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	: >"$dir/status"
	for suite in "${suites[@]}"; do
		printf 'deb [signed-by=%s] %s %s main\n' "$key" "$(mirror "$suite")" "$suite"
	done >"$dir/sources.list"
	# Clear the hooks of the machine's configuration: they are for the machine's own lists.
	cat >"$dir/apt.conf.new" <<-EOF
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$dir";
		Dir::State::lists "$dir/lists";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir";
		Dir::Cache::archives "$dir/archives";
		APT::Architecture "$arch";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
	EOF
	mv "$dir/apt.conf.new" "$dir/apt.conf"
}

apt_private_update()
{
	say "reading the package lists of $1"
	apt_private "$1" apt-get -qq update >&2
}

# candidate PKG SUITE: the version that would be fetched, or nothing if PKG is unknown.
candidate()
{
	apt_private "$2" apt-cache policy "$1" |
		awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# lookup PKG SUITE: the same, but if PKG is unknown the package lists are read again first.
lookup()
{
	local version

	version=$(candidate "$1" "$2")
	if [ -z "$version" ]; then
		apt_private_update "$2"
		version=$(candidate "$1" "$2")
	fi
	[ -n "$version" ] || die "package $1 not found in $2"
	printf '%s\n' "$version"
}

# depends PKG SUITE REGEX: the first dependency of PKG that matches.
depends()
{
	local found

	found=$(apt_private "$2" apt-cache depends --no-recommends --no-suggests "$1" |
		awk -v re="$3" '$1 ~ /Depends:$/ && $2 ~ re && !n++ { print $2 }')
	[ -n "$found" ] || die "$1 does not depend on anything like $3"
	printf '%s\n' "$found"
}

# fetch_deb PKG SUITE DIR: download a package into DIR and print its file name.
fetch_deb()
{
	local pkg=$1 suite=$2 dir=$3 file

	lookup "$pkg" "$suite" >/dev/null
	say "fetching $pkg"
	# The mirror keeps only the last versions, so old lists may name one that has gone.
	if ! (cd "$dir" && apt_private "$suite" apt-get -qq download "$pkg" >&2); then
		apt_private_update "$suite"
		(cd "$dir" && apt_private "$suite" apt-get -qq download "$pkg" >&2)
	fi
	file=$(find "$dir" -maxdepth 1 -name "${pkg}_*.deb" -print -quit)
	[ -n "$file" ] || die "download of $pkg failed"
	printf '%s\n' "$file"
}
