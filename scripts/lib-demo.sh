# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Shared by the demos. Sourced after lib.sh.

# demo_page FILE ARGS...: have the command quarry write a page, and say where it is. Without npm or a
# network the command is built without the page; a demo goes on then.
demo_page()
{
	local file=$1

	shift
	"$QUARRY_TOP/scripts/tools"
	if [ ! -s "$QUARRY_TOP/build/tools/page.html" ]; then
		echo "There is none: its libraries could not be fetched by npm."
		return
	fi
	"$QUARRY_TOP/build/tools/quarry" "$@" -o "$file" &&
		echo "Open ${file#"$QUARRY_TOP"/} in a browser; it fetches nothing."
}
