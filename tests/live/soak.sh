#!/bin/sh
# long
# limit: 3600
# Redis with 4 and with 100 threads (THREADS) under load of its own benchmark: CYCLES (1000) applies and reverts of a function that parses
# every request; no request fails, the process grows neither in memory nor in descriptors nor in mappings. REPORT=FILE gets pauses
# (median, p99, max) and latency (p99.9, max) with and without.
. tests/lib/sh
. tests/lib/live
can_trace
need redis-check-rdb redis-benchmark redis-cli python3 nm
build_tools
cycles=${CYCLES:-1000}
server=$(command -v redis-check-rdb)
server=$(readlink -f "$server")
nm -D "$server" | grep -q ' T string2ll$' || skip "redis does not export string2ll"

# A module of our own build ID, and the name that makes it a server.
cp "$server" "$W/redis-server"
"$W/mkfix" "$W/fix.hpk" "$W/redis-server" string2ll copy@11 || skip "redis is built in another way"
"$hpbuild" sign --key "$W/key.key" "$W/fix.hpk" >/dev/null 2>&1

serve() { # NAME ARGS
	name=$1
	shift
	start "$W/$name.log" "$W/redis-server" --port 0 --unixsocket "$W/$name.sock" --save '' --appendonly no --dir "$W" --maxmemory 64mb "$@"
	wait_line "$W/$name.log" 'Ready to accept|now ready' 20
}
load() { # NAME: run after run of the benchmark, until told to stop
	while [ ! -e "$W/stop" ]; do
		redis-benchmark -s "$W/$1.sock" -c 20 -n 20000 -t set,get -r 1000 >>"$W/$1.lat" 2>>"$W/$1.err" || echo "status $?" >>"$W/$1.err"
	done
}
memory() { sed -n 's/^VmData:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status"; }
descriptors() { find "/proc/$pid/fd" -mindepth 1 | wc -l; }
mappings() { wc -l <"/proc/$pid/maps"; }

# loaded NAME: start the load. quiet NAME: end it; nothing may have failed.
loaded() {
	rm -f "$W/stop"
	load "$1" &
	loader=$!
	kill_at_end $loader
	wait_line "$W/$1.lat" '====== GET' 60
}
quiet() {
	: >"$W/stop"
	wait "$loader"
	[ ! -s "$W/$1.err" ] || fail "the benchmark: $(head -n 3 "$W/$1.err")"
	expect_text "$W/$1.lat" '^100.000% <= '
	redis-cli -s "$W/$1.sock" info errorstats >"$W/errors"
	expect_no_text "$W/errors" '^errorstat_'
}

report=$W/report
for threads in ${THREADS:-4 100}; do
	name=redis$threads
	serve "$name" --io-threads $((threads - 3)) # it has three more; without enough clients for them they sleep
	loaded "$name"
	sleep 5
	quiet "$name"
	mv "$W/$name.lat" "$W/$name.before"
	loaded "$name"
	"$hpbuild" apply --timeout 20000 --pid "$pid" "$W/fix.hpk" >"$W/out"
	"$hpbuild" revert --timeout 20000 --pid "$pid" >"$W/out"
	n=0
	while [ "$n" -lt "$cycles" ]; do
		[ "$n" -ne 20 ] || was="$(memory) $(descriptors) $(mappings)"
		"$hpbuild" apply --json --timeout 20000 --pid "$pid" "$W/fix.hpk" >"$W/out" || fail "apply $n"
		sed -n 's/.*"pause_us": \([0-9.]*\).*/\1/p' "$W/out" >>"$W/$name.pause"
		"$hpbuild" revert --timeout 20000 --pid "$pid" >"$W/out" || fail "revert $n"
		n=$((n + 1))
	done
	quiet "$name"
	{
		echo "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l) threads"
		echo "memory KB, descriptors, mappings: $was, then $(memory) $(descriptors) $(mappings)"
	} >>"$report"
	# shellcheck disable=SC2086 # three numbers
	set -- $was
	[ "$(memory)" -le $(($1 + 8192)) ] || fail "memory: $was, then $(memory)"
	[ "$(descriptors)" -le "$2" ] || fail "descriptors: $was, then $(descriptors)"
	[ "$(mappings)" -le $(($3 + 2)) ] || fail "mappings: $was, then $(mappings)"
	python3 - "$W/$name.pause" "$W/$name.before" "$W/$name.lat" >>"$report" <<'END'
import re, statistics, sys
v = sorted(float(x) / 1e3 for x in open(sys.argv[1]))
print(f"{len(v)} cycles, pause ms: median {statistics.median(v):.3f}, p99 {v[int(len(v) * 0.99)]:.3f}, max {v[-1]:.3f}")
for what, path in ("without", sys.argv[2]), ("with", sys.argv[3]):
    p999, most, rate = [], [], []
    for run in open(path, newline="").read().replace("\r", "\n").split("====== ")[1:]:
        rows = [(float(p), float(ms)) for p, ms in re.findall(r"^([0-9.]+)% <= ([0-9.]+) milliseconds", run, re.M)]
        if rows:
            p999.append(next(ms for p, ms in rows if p >= 99.9))
            most.append(max(ms for _, ms in rows))
            rate += [float(x) for x in re.findall(r"throughput summary: ([0-9.]+)", run)]
    print(f"latency {what}: {len(p999)} runs, ms p99.9 median {statistics.median(p999):.3f}, max {max(most):.3f}; "
          f"requests/s median {statistics.median(rate):.0f}")
END
	kill -KILL "$pid"
done
[ -z "${REPORT:-}" ] || cp "$report" "$REPORT"
cat "$report"
