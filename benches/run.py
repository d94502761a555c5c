#!/usr/bin/env python3
"""`make bench`: every row of the table, ours and the peer in turn; prints and writes target/bench/report.json, asserts nothing.

    benches/run.py                  everything
    benches/run.py writes describe  only these rows
    benches/run.py --rounds 7       more rounds; --quick for a short look that proves nothing
"""

import argparse
import contextlib
import datetime
import os
import sys
import time

import machine
import peers
import rows
from report import Report


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {' '.join(rows.ALL)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="short windows, few runs")
    parser.add_argument("--no-install", action="store_true", help="use the peers that are there")
    given = parser.parse_args()
    unknown = set(given.rows) - set(rows.ALL)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    return given


def main():
    given = arguments()
    if os.geteuid() != 0:
        sys.exit("The rows run real containers and need root. Type: sudo -E make bench")
    machine.OUT.mkdir(parents=True, exist_ok=True)
    machine.build()
    missing = peers.missing() if given.no_install else peers.install()
    report = Report(machine.facts())
    with contextlib.ExitStack() as stack:
        place = machine.Place(stack)
        for name in given.rows or rows.ALL:
            print(f"\n== {name}  ({datetime.datetime.now():%H:%M:%S}, load {os.getloadavg()[0]:.1f})", flush=True)
            began = time.monotonic()
            try:
                rows.ALL[name](place, report, given, missing)
            except Exception as error:  # one row's trouble must not hide the others
                report.not_measured(name, f"{type(error).__name__}: {error}")
            print(f"   {time.monotonic() - began:.0f} s", flush=True)
            report.write(machine.OUT / "report.json")
    print("\n" + report.table())
    print(f"\nAll figures: {machine.OUT / 'report.json'}")


if __name__ == "__main__":
    main()
