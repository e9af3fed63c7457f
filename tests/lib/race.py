"""Time two or more commands against each other.

usage: race.py RUNS COMMAND...       each COMMAND a shell command; the first is ours
Runs them in turn, RUNS times each after one warm-up, so that a loaded machine slows all alike. Prints for each the median wall time and
the median CPU time (user + system, children included) in ms, the peak memory in MiB, and for the others how many times longer than ours they
took, by wall and by CPU. Exit statuses 0 to 4 of ours are fine, any of the others.
"""

import os
import subprocess
import sys
import time


def run(command):
    start = time.monotonic()
    p = subprocess.Popen(["/bin/sh", "-c", "exec 2>/dev/null; " + command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    return (time.monotonic() - start) * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3, usage.ru_maxrss / 1024, p.returncode


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def main(argv):
    runs, commands = int(argv[1]), argv[2:]
    times = [[] for _ in commands]
    for i in range(runs + 1):
        for command, t in zip(commands, times):
            one = run(command)
            if t is times[0] and one[3] > 4:
                sys.exit("fails (%d): %s" % (one[3], command))
            if i > 0:
                t.append(one)
    ours = [median(t[k] for t in times[0]) for k in range(3)]
    for command, t in zip(commands, times):
        wall, cpu, mem = (median(x[k] for x in t) for k in range(3))
        ratio = "" if t is times[0] else "  %6.2f x wall  %6.2f x cpu" % (wall / ours[0], cpu / max(ours[1], 0.01))
        print("  %9.1f ms wall %9.1f ms cpu %7.0f MiB%s  %s" % (wall, cpu, mem, ratio, command[:70]))


main(sys.argv)
