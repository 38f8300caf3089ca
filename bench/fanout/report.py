"""The findings of the fan-out as text."""

from collections.abc import Iterator, Mapping
from math import ceil

from bench.fanout.measurement import Findings
from bench.fanout.peer import LIBRARY
from bench.fanout.reading import OURS, PEER, UNSENT, Observed, Row
from bench.timing import Spread

_TITLE = 27
_CPU = (8, 11, 11, 11, 10, 9, 9, 23, 23)
_WIDTHS = (7, 7, 7, 7, 9, 9, 7, 9)
_NONE = "-"


def fanout(findings: Findings) -> Iterator[str]:
    """CPU, counts and latency."""
    yield f"\nFan-out of one event; the peer is {LIBRARY}"
    if findings.without_peer:
        yield f"  NO FIGURES OF THE PEER: {findings.without_peer}."
    yield from _cpu(findings)
    yield from _counts(findings)
    seconds = findings.latencies
    p50, p95 = (seconds[ceil(len(seconds) * part) - 1] * 1000 for part in (0.5, 0.95))
    yield "\nFrom a commit to its frame at a WebSocket client, all on this machine (ms)"
    least, most = seconds[0] * 1000, seconds[-1] * 1000
    yield f"  {len(seconds)} changes: p50 {p50:,.0f}, p95 {p95:,.0f} ({least:,.0f}-{most:,.0f})"


def _cpu(findings: Findings) -> Iterator[str]:
    yield "CPU of the pushing process in µs; `unsent` is this API without its posts"
    yield _line("", ("", "an event", "", "", "a post", "", "", "", ""), _CPU)
    heads = ("rounds", "this API", "unsent", "peer", "this API", "unsent", "peer")
    yield _line("", (*heads, "peer / this API", "peer / unsent"), _CPU)
    for row in findings.rows:
        events = [_microseconds(row, place) for place in (OURS, UNSENT, PEER)]
        posts = [None if one is None else one / row.subscribers for one in events]
        ratios = [_spread(row, to) for to in (OURS, UNSENT)]
        cells = (str(len(row.cpu.seconds[OURS])), *map(_number, (*events, *posts)), *ratios)
        yield _line(_title(row), cells, _CPU)


def _counts(findings: Findings) -> Iterator[str]:
    yield "\nExecutions, DynamoDB calls and KB (bodies of requests and answers) of an event;"
    yield "`first` is the first event of a process, which knows neither members nor what is asked"
    heads = ("execs", "peer", "calls", "peer", "KB", "peer", "first", "KB")
    yield _line("", heads, _WIDTHS)
    for row in findings.rows:
        peer = row.peer
        cells = (
            str(row.ours.executions),
            _NONE if peer is None else str(peer.executions),
            _calls(row.ours),
            _calls(peer),
            _kilobytes(row.ours),
            _kilobytes(peer),
            _calls(row.first),
            _kilobytes(row.first),
        )
        yield _line(_title(row), cells, _WIDTHS)
    yield f"  calls of this API: {_named(findings.rows[-1].ours.calls)}, a Query for each topic of a task"


def _line(title: str, cells: tuple[str, ...], widths: tuple[int, ...]) -> str:
    aligned = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"  {title:{_TITLE}}{aligned}".rstrip()


def _title(row: Row) -> str:
    return f"{row.subscribers:,} {row.title}"


def _microseconds(row: Row, place: int) -> float | None:
    return row.cpu.microseconds(place) if row.cpu.seconds[place] else None


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.0f}"


def _spread(row: Row, to: int) -> str:
    if not row.cpu.seconds[PEER]:
        return _NONE
    ratio: Spread = row.cpu.ratio(PEER, to=to)
    return f"{ratio.middle:.3g} ({ratio.low:.3g}-{ratio.high:.3g})"


def _calls(seen: Observed | None) -> str:
    return _NONE if seen is None else str(sum(seen.calls.values()))


def _kilobytes(seen: Observed | None) -> str:
    return _NONE if seen is None else f"{seen.bytes / 1024:,.1f}"


def _named(calls: Mapping[str, int]) -> str:
    return " + ".join(f"{count} {name}" for name, count in sorted(calls.items()))
