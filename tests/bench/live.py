#!/usr/bin/python3
"""Pause of `hpbuild apply` with the stack check on, for 1, 4, 17 and 100 threads: as hpbuild reports it, and as a real-time thread of the
target sees it (the longest gap between two looks at the clock, borrowing included). Each apply meets a fresh process. Medians of
RUNS applies; the bars are for an idle machine with two cores.

Environment: B (build folder), CC, RUNS (15).
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

BARS = {1: 0.5, 4: 1.0, 17: 3.0, 100: 10.0}  # ms, median pause
RUNS = int(os.environ.get("RUNS", "15"))
B = os.environ.get("B", "build")
CC = os.environ.get("CC", "cc")
HPBUILD = B + "/hpbuild"


def run(*args, **kw):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **kw).stdout


def one(work, threads):
    with subprocess.Popen([work + "/clock", str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as p:
        try:
            p.stdout.readline()
            p.stdin.write("700\n")  # below the 950 ms after which the kernel takes a real-time thread its processor
            p.stdout.readline()
            report = json.loads(run(HPBUILD, "apply", "--json", "--pid", str(p.pid), work + "/fix.hpk"))
            gap = p.stdout.readline().split()[1]
            p.stdin.write("0\n")
            p.stdout.readline()
            if p.stdout.readline().split()[3] != "7":
                sys.exit("bench: the fix does not answer")
        finally:
            p.kill()
    return report, int(gap) / 1e6


def main():
    failed = False
    print(f"apply, medians of {RUNS}; load {os.getloadavg()[0]:.1f}; pause: all threads stand; borrow: one thread is away")
    print("threads  pause ms (min/median/max)  bar ms   inside ms  borrow ms  whole ms  stops")
    with tempfile.TemporaryDirectory(prefix="hpbuild-bench.") as work:
        run(CC, "-O2", "-pthread", "-o", work + "/clock", "tests/bench/live-clock.c", "tests/live/answer.c")
        run(CC, "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-I.", "-o", work + "/mkfix", "tests/live/mkfix.c", B + "/libhp.a", "-lelf",
            "-lzstd", "-lsodium", "-ljansson")
        run(HPBUILD, "keygen", "--no-passphrase", "-o", work + "/key")
        run(work + "/mkfix", work + "/fix.hpk", work + "/clock", "answer", "7")
        run(HPBUILD, "sign", "--key", work + "/key.key", work + "/fix.hpk")
        os.environ["HPBUILD_TRUST"] = work + "/key.pub"
        os.environ["HPBUILD_STATE"] = work + "/state"
        for threads, bar in BARS.items():
            got = [one(work, threads) for _ in range(RUNS)]
            pauses = sorted(r["pause_us"] / 1e3 for r, _ in got)
            med = lambda values: statistics.median(values)
            ok = med(pauses) < bar
            failed = failed or not ok
            print(f"{threads:7d}  {pauses[0]:7.3f} {med(pauses):8.3f} {pauses[-1]:8.3f}  {bar:6.1f} {'ok ' if ok else 'BAD'}"
                  f"  {med([g for _, g in got]):8.3f}  {med([r['borrow_us'] for r, _ in got]) / 1e3:9.3f}"
                  f"  {med([r['total_us'] for r, _ in got]) / 1e3:8.1f}  {med([r['stops'] for r, _ in got]):5.1f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
