"""What was counted, in the text format of Prometheus. Apart from the counting: the library takes a while to import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from jobpass.server.counters import BOUNDS_SECONDS

if TYPE_CHECKING:
    from jobpass.server.counters import Counters

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST

_LABELS: Final = (*map(repr, BOUNDS_SECONDS), "+Inf")


def render(counters: Counters) -> bytes:
    """The counts, with those of the process (memory, processor, open files)."""
    registry = CollectorRegistry()
    registry.register(_Families(counters))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Families:
    """The counts as the library's families."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def describe(self) -> list[Metric]:
        """Nothing: the names are in the families themselves."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Each family once."""
        counters = self._counters
        yield from _requests(counters.requests)
        yield _counter("jobpass_events", "Events that were recorded, repetitions included.", "event", counters.events)
        yield _counter("jobpass_refusals", "Requests that were refused, by error code.", "code", counters.refusals)
        failures = CounterMetricFamily("jobpass_chore_failures", "Periodic duties that failed.")
        failures.add_metric((), counters.chore_failures)
        yield failures
        if counters.clock_offset_seconds is not None:
            yield GaugeMetricFamily(
                "jobpass_clock_offset_seconds",
                "How far this node's clock is ahead of the database's.",
                counters.clock_offset_seconds,
            )


def _requests(requests: Mapping[tuple[str, str, int], list[float]]) -> Iterator[Metric]:
    counts = CounterMetricFamily("jobpass_requests", "Requests answered.", labels=("method", "route", "status"))
    durations = HistogramMetricFamily(
        "jobpass_request_seconds", "From a request's head to its answer.", labels=("method", "route")
    )
    rows: dict[tuple[str, str], list[float]] = {}
    for (method, template, status), row in sorted(requests.items()):
        counts.add_metric((method, template, str(status)), sum(row[1:]))
        kept = rows.setdefault((method, template), [0.0] * len(row))
        kept[:] = map(sum, zip(kept, row, strict=True))
    for labels, row in rows.items():
        durations.add_metric(labels, _cumulated(row[1:]), row[0])
    yield counts
    yield durations


def _counter(name: str, words: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, words, labels=(label,))
    for value, count in sorted(counts.items()):
        family.add_metric((value,), count)
    return family


def _cumulated(counts: list[float]) -> list[tuple[str, float]]:
    total, buckets = 0.0, []
    for label, count in zip(_LABELS, counts, strict=True):
        total += count
        buckets.append((label, total))
    return buckets
