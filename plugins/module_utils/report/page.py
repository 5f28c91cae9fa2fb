"""The report as one HTML file that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence

from .picture import topology
from .record import Run, Task, Work

FEW = 8
SHORTEST_SHOWN = 0.15
ROW, LEFT, WIDTH = 20, 330, 1060
STYLE = """
:root { --paper:#fff; --ink:#1b1f24; --soft:#5d6670; --line:#d9dee4; --card:#f5f7f9; --task:#2f6fb0; --work:#d98a1f;
  --critical:#8a2b06; --good:#1d7a46; --bad:#b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper:#14171b; --ink:#e8ebee; --soft:#9aa5b1; --line:#333a42;
  --card:#1d2228; --task:#6aa9e9; --work:#e8a84a; --critical:#ffb38a; --good:#65c88f; --bad:#ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1120px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem 1rem;
  min-width: 8rem; }
.tile b { display: block; font-size: 1.35rem; } .tile span { color: var(--soft); font-size: .85rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
ul { margin: .3rem 0; padding-left: 1.2rem; } ul.many { columns: 2; column-gap: 2.5rem; }
li { overflow-wrap: anywhere; }
svg { display: block; max-width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 12px; }
svg .soft { fill: var(--soft); } svg .grid { stroke: var(--line); } svg .task { fill: var(--task); }
svg .work { fill: var(--work); } svg .critical { stroke: var(--critical); stroke-width: 2.5; }
svg .box { fill: var(--card); stroke: var(--line); } svg .edge { stroke: var(--soft); fill: none; stroke-width: 1.5; }
svg .there { fill: var(--good); } svg .gone { fill: none; stroke: var(--soft); stroke-width: 1.5; }
svg .head { font-weight: 600; } code { font-size: .9em; }
.key { display: flex; flex-wrap: wrap; gap: 1.2rem; color: var(--soft); font-size: .85rem; margin: .4rem 0; }
.key i { display: inline-block; width: 22px; height: 10px; margin-right: .4rem; }
"""


def page(run: Run) -> str:
    """The whole file."""
    works = run.work()
    parts = [
        f"<title>{_text(run.playbook)}: {_verdict(run)}</title>",
        f"<h1>{_text(run.playbook)} <span class='{'bad' if run.failures else 'good'}'>{_verdict(run)}</span></h1>",
        f"<p class=soft>{_when(run)}</p>",
        _tiles(run, works),
        _list("What went wrong", run.failures),
        _list("What would change" if run.check else "What changed", run.changes, "Nothing: everything was as planned."),
        f"<h2>What took how long</h2>{_key()}{_timeline(run, works)}",
        f"<h2>What exists</h2>{topology(run.resources)}" if run.resources else "",
        _links(run),
    ]
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return f"{head}<style>{STYLE}</style>{''.join(parts)}</html>\n"


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)


def _verdict(run: Run) -> str:
    if run.failures:
        return "failed"
    return "checked" if run.check else "succeeded"


def _when(run: Run) -> str:
    began = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(run.began))
    return f"{began}{f', project {_text(run.project)}' if run.project else ''}"


def _tiles(run: Run, works: Sequence[Work]) -> str:
    chain = sum(work.seconds for work in works if work.critical)
    facts = [
        (_duration(run.seconds), "in all"),
        (_duration(chain) if chain else "-", "Google, on the longest chain"),
        (str(len(run.changes)), "would change" if run.check else "changes"),
        (str(len(run.tasks)), "tasks"),
        (str(sum(state != "missing" for state in run.resources.values())), "resources there"),
    ]
    return (
        "<div class=tiles>" + "".join(f"<div class=tile><b>{a}</b><span>{b}</span></div>" for a, b in facts) + "</div>"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def _list(title: str, lines: Sequence[str], nothing: str = "") -> str:
    if not lines:
        return f"<h2>{title}</h2><p class=soft>{nothing}</p>" if nothing else ""
    many = " class=many" if len(lines) > FEW else ""
    return f"<h2>{title}</h2><ul{many}>" + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>"


def _links(run: Run) -> str:
    if not run.sites:
        return ""
    items = "".join(f'<li><a href="{_text(url)}">{_text(url)}</a></li>' for url in run.sites)
    return f"<h2>Where it is</h2><ul>{items}</ul>"


def _key() -> str:
    return (
        "<div class=key><span><i style='background:var(--task)'></i>task of Ansible</span>"
        "<span><i style='background:var(--work)'></i>work of Google</span>"
        "<span><i style='background:var(--work);outline:2.5px solid var(--critical)'></i>"
        "&#9670; on the longest chain: no run can be faster</span></div>"
    )


def _timeline(run: Run, works: Sequence[Work]) -> str:
    """Bars over time: tasks that took a while, each followed by Google's work that began in it."""
    rows: list[Task | Work] = [task for task in run.tasks if task.seconds >= SHORTEST_SHOWN]
    rows += [work for work in works if work.seconds >= SHORTEST_SHOWN]
    rows.sort(key=lambda row: (row.began, isinstance(row, Work)))
    height = (len(rows) + 2) * ROW
    scale = (WIDTH - LEFT - 60) / max(run.seconds, 0.001)
    drawn = [_grid(run, scale, height)]
    drawn += [
        _bar(row, LEFT + (row.began - run.began) * scale, scale, place * ROW + 8) for place, row in enumerate(rows)
    ]
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Timeline">{"".join(drawn)}</svg>'


def _grid(run: Run, scale: float, height: int) -> str:
    step = next((s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if run.seconds / s <= 10), 1800)
    drawn = []
    for tick in range(0, int(run.seconds) + 1, step):
        x = LEFT + tick * scale
        drawn.append(f'<line class=grid x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - ROW}"/>')
        drawn.append(f'<text class=soft x="{x + 3:.1f}" y="{height - 6}">{tick} s</text>')
    return "".join(drawn)


def _bar(row: Task | Work, x: float, scale: float, y: float) -> str:
    width = max(row.seconds * scale, 2.0)
    if isinstance(row, Work):
        label, style = f"{row.action} {row.resource}", "work critical" if row.critical else "work"
        mark = "&#9670; " if row.critical else ""
    else:
        label, style, mark = row.name, "task", ""
    short = label if len(label) <= 50 else f"{label[:49]}…"
    indent = 16 if isinstance(row, Work) else 0
    title = f"<title>{_text(label)}: {_duration(row.seconds)}</title>"
    return (
        f'<text x="{indent}" y="{y + 10:.0f}">{mark}{_text(short)}{title}</text>'
        f'<rect class="{style}" x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="12" rx="2">{title}</rect>'
        f'<text class=soft x="{x + width + 4:.1f}" y="{y + 10:.0f}">{_duration(row.seconds)}</text>'
    )
