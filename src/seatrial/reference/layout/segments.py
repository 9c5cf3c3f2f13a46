"""Which stages run one after the other on a partition."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence


def segments_of(stages: Sequence[str], whole: Container[str]) -> Iterator[tuple[str, ...]]:
    """Yield the stages that run one after the other by partition, and each that runs on all rows by itself.

    Args:
        stages: of the path.
        whole: those that run on all rows.

    Example:
        >>> list(segments_of(["raw", "features", "rank", "response"], {"rank"}))
        [('raw', 'features'), ('rank',), ('response',)]
    """
    waiting: list[str] = []
    for stage in stages:
        if stage not in whole:
            waiting.append(stage)
            continue
        if waiting:
            yield tuple(waiting)
        waiting = []
        yield (stage,)
    if waiting:
        yield tuple(waiting)
