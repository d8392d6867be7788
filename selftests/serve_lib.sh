# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# shellcheck source-path=SCRIPTDIR source=lib.sh
# Functions of the tests of "quarry serve". A test sources it after lib.sh.

PORT=6061
URL=http://127.0.0.1:$PORT
PATH=$PATH:/opt/bin
command -v quarry >/dev/null || skip_all "the program quarry is not here"
ip link set lo up 2>/dev/null || ifconfig lo 127.0.0.1 up || skip_all "no loopback device"

# serve [OPTION...]: start the server, and wait until it listens. Sets server and opener.
serve()
{
	rm -f "$TMP/said"
	mkfifo "$TMP/said"
	quarry serve "$@" 2>"$TMP/said" &
	server=$!
	exec 7<"$TMP/said"
	said=
	while read -r line <&7; do
		note "$line"
		said="$said$line"
		case $line in
		*"listening at"*) break ;;
		esac
	done
	# shellcheck disable=SC2034 # for the tests
	opener=$(awk -v parent="$server" '/^Pid:/ { pid = $2 } /^PPid:/ && $2 == parent { print pid }' \
		/proc/[0-9]*/status 2>/dev/null)
}

# unserve: end it, and expect that nothing went wrong.
unserve()
{
	kill "$server"
	wait "$server"
	same "the server ends with status" $? 0
	exec 7<&-
}

# fetch PATH FILE [HEADER]: into FILE; the head of the answer is in $TMP/head.
fetch()
{
	wget -q -S -O "$2" ${3:+--header "$3"} "$URL$1" 2>"$TMP/head"
}

# answer_of PATH [SECONDS]: the whole answer, also of an error, whose body wget does not keep. The
# server takes a client that has said all and closes its side for one that is gone, so wait (1 s).
answer_of()
{
	{ printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n\r\n' "$1" $PORT; sleep "${2:-1}"; } |
		nc 127.0.0.1 $PORT
}

# status_of PATH [HEADER]: the status of HTTP.
status_of()
{
	wget -S -O /dev/null ${2:+--header "$2"} "$URL$1" 2>&1 |
		sed -n 's#.*HTTP/1.[01] \([0-9][0-9][0-9]\).*#\1#p' | head -n 1
}

# metric FILE NAME: the value of a metric without labels.
metric()
{
	awk -v name="$2" '$1 == name { print $2 }' "$1"
}

# until_same TEXT WANTED COMMAND...: the command prints WANTED within ten seconds.
until_same()
{
	text=$1 wanted=$2
	shift 2
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$("$@")" != "$wanted" ] || break
		sleep 1
	done
	same "$text" "$("$@")" "$wanted"
}

# same_numbers TEXT BEFORE AFTER PREFIX LABELS PAGE: each number of a file of "name value" lines, which
# was read before and after the page, is in the page: the one of before, that of after, or between. Of
# those that match the pattern MOVES, which go up and down meanwhile, it is enough that they are there.
same_numbers()
{
	# shellcheck disable=SC2016 # for awk
	expect "$1" awk -v prefix="$4" -v labels="$5" -v moves="${7:-^$}" '
		function named(name) {
			sub(/_ns$/, "_seconds", name)
			sub(/_permille$/, "_ratio", name)
			return prefix name
		}
		function scaled(name, value) {
			if (value == "max")
				return "+Inf"
			if (name ~ /_ns$/)
				return value / 1e9
			return name ~ /_permille$/ ? value / 1000 : value + 0
		}
		FNR == 1 { file++ }
		file < 3 { at[$1] = $1; v[file, $1] = scaled($1, $2); next }
		!/^#/ { page[$1] = $2 }
		END {
			for (name in at) {
				key = named(name) labels
				if (!(key in page))
					key = named(name) "_total" labels
				if (!(key in page)) {
					print "# " key " is not there"
					wrong++
					continue
				}
				low = v[1, name]; high = v[2, name]; got = page[key]
				if (name !~ moves && (low == "+Inf" ? got != low :
				    (got + 0 < low && got + 0 < high) ||
				    (got + 0 > low && got + 0 > high))) {
					print "# " key ": " got ", should be " low " to " high
					wrong++
				}
				n++
			}
			print "# " n " numbers compared"
			exit wrong || n < 15
		}' "$2" "$3" "$6"
}
