"""`python -m tests.bench [--json PATH] [NAME ...]`: runs the benchmarks; one table, one JSON file.

A benchmark is a module of this package with `measure() -> list[Figure]`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import tests.bench
from tests.bench.figures import Figure, Unmeasurable

DEFAULT = Path("bench.json")


def names() -> list[str]:
    """The benchmarks that there are."""
    found = [item.name for item in pkgutil.iter_modules(tests.bench.__path__)]
    return sorted(set(found) - {"__main__", "figures"})


def line(figure: Figure) -> str:
    """A figure as a row of the table."""
    aim = f"{figure.aim:>10g}" if figure.aim is not None else f"{'':>10}"
    verdict = "" if figure.met is None else ("met" if figure.met else "MISSED")
    return f"{figure.name:<52} {figure.value:>12.2f} {figure.unit:<10} {aim}  {verdict}".rstrip()


def main(arguments: list[str] | None = None) -> int:
    """Measures; returns the exit status: 1 where an aim is missed."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measures, as one table and one JSON file.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ({', '.join(names())}; default: all)")
    parser.add_argument("--json", type=Path, default=DEFAULT, help="file for the figures (default: %(default)s)")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(names())):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(names())}")
    figures: list[Figure] = []
    print(f"{'figure':<52} {'value':>12} {'unit':<10} {'aim':>10}")
    for name in options.names or names():
        try:
            found = importlib.import_module(f"tests.bench.{name}").measure()
        except Unmeasurable as why:
            print(f"{name}: not measured: {why}")
            continue
        for figure in found:
            print(line(figure), flush=True)
        figures += found
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine, "figures": [{**asdict(item), "met": item.met} for item in figures]}
    options.json.write_text(json.dumps(content, indent=1) + "\n")
    print(f"Written to {options.json}")
    return 1 if any(item.met is False for item in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
