"""The command line: `rehearsal up|down|status|run|...`. Each verb has a module or a function."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from rehearsal.errors import RehearsalError
from rehearsal.world.record import DEFAULT_WORLD, NODE_KINDS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rehearsal", description="A sealed local world in which the playbooks run as they do against Google Cloud."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, command: str, text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.add_argument("--world", default=DEFAULT_WORLD, metavar="NAME", help="which world (default: %(default)s)")
        sub.set_defaults(command=command)
        return sub

    up = verb("up", "outside.up", "start a world")
    up.add_argument("--nodes", choices=NODE_KINDS, help="what cluster nodes are: real kubelets, simulated, or none")
    up.add_argument("--latency", type=float, metavar="SCALE", help="pace of Google's operations; 1 is Google's own")
    down = verb("down", "outside.down", "end a world; its state stays for the next `up`")
    down.add_argument("--delete", action="store_true", help="delete its state too")
    verb("reset", "outside.reset", "end a world, delete its state, and start it anew")
    verb("list", "outside.list_worlds", "list all worlds")
    verb("status", "outside.status", "say what is running, and what in it is real, emulated or a stand-in")
    verb("summary", "inside.summary", "say what a run left in the world, and how to look at it")
    pace = verb("time", "inside.time", "say or set the pace of Google's operations")
    pace.add_argument("scale", nargs="?", type=float, help="1 is Google's own pace, 0 ends every operation at once")
    _cloud_verbs(verb)
    _people_verbs(verb)
    logs = verb("logs", "outside.logs", "show the log of a service")
    logs.add_argument("service", nargs="?", help="which service (default: list them with their last line)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on showing what is added")
    run = verb("run", "inside.run", "run a command in the world")
    run.add_argument(
        "--from",
        dest="place",
        choices=("office", "world"),
        default="office",
        help="where it sits: in the office, which sees public addresses only, or in the world itself (default: office)",
    )
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD ...", help="the command and its arguments")
    show = verb("show", "inside.show", "look into the world with a browser of this machine")
    show.add_argument("--port", type=int, default=0, help="port of 127.0.0.1 to serve (default: a free one)")
    show.add_argument(
        "target",
        nargs="?",
        metavar="URL|HOST:PORT|service/NAMESPACE/NAME[:PORT]",
        help="serve this one place; without it, an HTTP proxy for all of the world is served",
    )
    return parser


def _people_verbs(verb: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """The verbs about who may what."""
    group = verb("group", "people.group", "show or change who is in a group of the company's directory")
    group.add_argument("name", nargs="?", help="which group (default: list all)")
    group.add_argument("--add", action="append", default=[], metavar="EMAIL", help="put somebody into it")
    group.add_argument("--remove", action="append", default=[], metavar="EMAIL", help="take somebody out of it")
    iap = verb("iap", "people.iap", "change the key that Identity-Aware Proxy signs with")
    iap.add_argument("action", choices=("rotate",), help="publish a new key, and sign with it after a while")
    iap.add_argument(
        "--lead", type=float, default=90.0, metavar="SECONDS", help="how long after (default: %(default)s)"
    )
    kubectl = verb("kubectl", "people.kubectl", "call kubectl as the administrator of the world's cluster")
    kubectl.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- ARGUMENTS", help="its arguments")


def _cloud_verbs(verb: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """The verbs that look at the emulated cloud, and make its life hard."""
    calls = verb("calls", "cloud.calls", "show the calls that the emulated cloud answered")
    calls.add_argument("--last", type=int, default=50, metavar="N", help="only the last N (default: %(default)s)")
    calls.add_argument("--since", type=int, metavar="N", help="those after call N")
    fault = verb("fault", "cloud.fault", "break calls of the emulated cloud on purpose")
    actions = fault.add_subparsers(dest="action", required=True, metavar="add|list|clear")
    add = actions.add_parser("add", help="order a fault")
    add.add_argument("pattern", help="method (compute.networks.insert) or resource (*/networks/mlops), with *")
    add.add_argument(
        "--kind",
        required=True,
        help="http:STATUS[:REASON], reset-before or reset-after the effect, slow:SECONDS, operation-error:CODE, stuck",
    )
    add.add_argument("--nth", type=int, metavar="N", help="the first matching call that is hit (default: 1)")
    add.add_argument("--count", type=int, metavar="N", help="how many are hit; 0 is all from then on (default: 1)")
    add.add_argument("--chance", type=float, metavar="P", help="hit each call with this chance (with --seed: 0.5)")
    add.add_argument("--seed", type=int, metavar="N", help="of the chance; the same seed hits the same calls")
    shown = actions.add_parser("list", help="show the faults and what they hit")
    cleared = actions.add_parser("clear", help="remove all faults; what they held up goes on")
    for action in (add, shown, cleared):  # before or after the action's name
        action.add_argument("--world", default=argparse.SUPPRESS, metavar="NAME", help=argparse.SUPPRESS)
    limits = verb("limits", "cloud.limits", "show or set quotas, rate limits, and how late changes are seen")
    limits.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="e.g. quota.NETWORKS=5 accounts_seconds=30")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        # Imported only now: `rehearsal run` is used a lot, and needs little.
        module, _, function = options.command.partition(".")
        status: int = getattr(import_module(f"rehearsal.cli.{module}"), function)(options)
        return status
    except RehearsalError as error:
        print(f"rehearsal: could not {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
