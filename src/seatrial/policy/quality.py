"""What predictions must be worth: ``quality`` in a stage's file in expectations/."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_args

from seatrial.errors import PolicyError, nearest
from seatrial.metrics import GroupMetric, Metric, Task, group_metric, metric
from seatrial.policy.quality_rules import check_groups, check_limit, check_limits, check_number, is_columns, is_number

PREDICTORS: Mapping[str, tuple[Task, ...]] = {
    "prior": ("events", "classes"), "mean": ("numbers",), "median": ("numbers",),
}  # fmt: skip
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Quality:
    """What the predictions must be worth where the reference carries labels.

    One of ``score``, ``scores`` and ``predicted`` is needed. The metrics say what the labels are: events, classes,
    numbers, or the relevance of the rows of ranked lists.

    Attributes:
        label: the label column. An event is 1 or true, or the value ``positive``.
        score: the column of the stage that holds the score: of the event, the predicted number, or what ranks.
        limits: metric name (see ``seatrial.metrics``) to its lowest (or for losses highest) acceptable value.
        slices: columns of any earlier stage; each value with enough rows is evaluated separately.
        margin: how much worse than the champion still counts as not worse, stated beforehand: in the metric's
            own unit where higher is better, for losses a share of the champion's value.
        confidence: of the paired bootstrap's one-sided bound.
        scores: by class, the column that holds its probability.
        predicted: the column that holds the predicted class.
        positive: the label of the event.
        threshold: a score from here on predicts the event; by default a probability of 0.5.
        request: the column of the request that rows belong to. Its rows are ranked together, and resampled together.
            By default the pipeline's key, where the stage has several rows a request.
        baseline: a simpler model that the version must beat: ``prior``, ``mean`` or ``median`` of the labels, or a
            column of the labels, of an earlier stage or of the requests; by class where the stage has ``scores``.
        baseline_margin: how much worse than the baseline the version may be, as ``margin``; by default it must be
            better.
        groups: by column, limits on how far the groups of rows with its values are apart, such as
            ``{"sex": {"recall_difference": 0.1}}``.

    Raises:
        PolicyError: a setting cannot be used; the message says what was found and what is allowed.

    Example:
        >>> quality = Quality(label="species", scores={"setosa": "p0", "other": "p1"}, limits={"f1_macro": 0.9})
        >>> quality.task, [m.name for m in quality.metrics]
        ('classes', ['f1_macro'])
    """

    label: str
    score: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)
    slices: Sequence[str] = ()
    margin: float = 0.01
    confidence: float = 0.95
    scores: Mapping[Any, str] = field(default_factory=dict)
    predicted: str = ""
    positive: Any = None
    threshold: float | None = None
    request: str = ""
    baseline: str | Mapping[Any, str] = ""
    baseline_margin: float = 0.0
    groups: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_columns()
        check_number("margin", self.margin, 0, math.inf, "a margin is 0 or more")
        check_number("baseline_margin", self.baseline_margin, 0, math.inf, "a margin is 0 or more")
        if not (is_number(self.confidence) and 0.5 < self.confidence < 1):
            raise PolicyError(f"Quality(confidence={self.confidence!r}): a confidence lies between 0.5 and 1.")
        if self.threshold is not None:
            check_number("threshold", self.threshold, -math.inf, math.inf, "a threshold is a number")
        check_limits("limits", self.limits)
        for m in self.metrics:
            check_limit("limits", m.name, self.limits[m.name], *m.range)
        check_groups(self.groups)
        for column, limits in self.groups.items():
            for name in limits:
                self._check_group_limit(column, group_metric(name))
        self._check_task()

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics with a limit."""
        return tuple(metric(name) for name in self.limits)

    @property
    def group_metrics(self) -> Mapping[str, tuple[GroupMetric, ...]]:
        """By column of ``groups``, the metrics with a limit."""
        return {column: tuple(group_metric(name) for name in limits) for column, limits in self.groups.items()}

    @cached_property
    def every_metric(self) -> tuple[Metric, ...]:
        """The metrics with a limit, and those that groups are compared by; each once."""
        of_groups = [m for found in self.group_metrics.values() for each in found for m in each.of]
        return tuple({m.name: m for m in (*self.metrics, *of_groups)}.values())

    @cached_property
    def task(self) -> Task:
        """What the labels are."""
        return next(iter(self._tasks()))

    @property
    def column(self) -> str:
        """The column that findings name."""
        return self.score or self.predicted or self.label

    def _tasks(self) -> list[Task]:
        """Return the tasks that all the settings allow."""
        allowed: list[Task] = list(get_args(Task))
        if self.scores:
            allowed = ["classes"]
        elif self.predicted:
            allowed = ["classes"] if self.positive is None and not self.score else ["events"]
        elif self.positive is not None or self.threshold is not None:
            allowed = ["events"]
        else:
            allowed.remove("classes")
        predictor = PREDICTORS.get(self.baseline) if isinstance(self.baseline, str) else None
        by_metrics = [m.of for m in self.every_metric]
        return [t for t in allowed if all(t in of for of in (*by_metrics, *([predictor] if predictor else [])))]

    def _check_columns(self) -> None:
        for name in ("label", "score", "predicted", "request"):
            if not isinstance(value := getattr(self, name), str) or (name == "label" and not value):
                raise PolicyError(f"Quality({name}={value!r}): '{name}' is the name of a column.")
        if isinstance(self.slices, str) or not all(isinstance(c, str) for c in self.slices):
            raise PolicyError(f"Quality(slices={self.slices!r}): 'slices' is a list of column names.")
        if not is_columns(self.scores) or len(self.scores) == 1:
            raise PolicyError(
                f"Quality(scores={self.scores!r}): 'scores' maps two or more classes to a column each, such as "
                '{"cat": "p_cat", "dog": "p_dog"}.'
            )
        if not isinstance(self.baseline, str) and not is_columns(self.baseline):
            raise PolicyError(f"Quality(baseline={self.baseline!r}): a baseline is a name, or a column by class.")
        if isinstance(self.baseline, Mapping) and {*self.baseline} != {*self.scores}:
            raise PolicyError("Quality(baseline=...): its classes must be those of 'scores', each with a column.")
        if not self.score and not self.scores and not self.predicted:
            raise PolicyError(
                "Quality needs one of score= (a column), scores= (a column a class) and predicted= (a column of "
                "classes)."
            )
        if self.scores and (self.score or self.positive is not None or self.threshold is not None):
            raise PolicyError(
                "Quality(scores=...) is for classes: remove score=, positive= and threshold=, or use score= for events."
            )
        if self.predicted and self.threshold is not None:
            raise PolicyError("Quality(threshold=...) has no meaning beside predicted=: decisions come from there.")

    def _check_group_limit(self, column: str, m: GroupMetric) -> None:
        low, high = m.of[0].range
        if m.how != "worst":
            low, high = 0.0, 1.0 if m.how == "ratio" else high - low
        check_limit(f"groups, '{column}'", m.name, self.groups[column][m.name], low, high)

    def _check_task(self) -> None:
        if self.baseline or self.slices:
            name = "baseline" if self.baseline else "slices"
            if not self.limits:
                raise PolicyError(
                    f"Quality({name}={getattr(self, name)!r}) compares the metrics in 'limits', and there is none. Set "
                    'at least one, such as limits={"roc_auc": 0.5}.'
                )
        if not self._tasks():
            by_task = ", ".join(f"{m.name}: {' or '.join(m.of)}" for m in self.every_metric)
            given = next(n for n in ("scores", "predicted", "score") if getattr(self, n))
            means = {
                "scores": "scores= gives a probability a class: its metrics are of classes, such as f1_macro, log_loss",
                "predicted": "predicted= gives classes (of events where positive= is set), such as f1_macro, accuracy",
                "score": "score= gives one number a row: its metrics are of events, of numbers, or of ranking",
            }[given]
            raise PolicyError(
                f"Quality(label='{self.label}'): these settings do not belong together. Found {by_task or 'no metric'}"
                f"{_said(self)}. {means}. One Quality evaluates one task; a stage may have a list of them."
            )
        no_scores = [m.name for m in self.every_metric if m.needs != "decisions"]
        if no_scores and not self.score and not self.scores:
            raise PolicyError(
                f"Quality(predicted='{self.predicted}'): {no_scores[0]} needs scores. Set score= or scores= too, or "
                "use a metric of decisions, such as accuracy or f1_macro."
            )


def _said(quality: Quality) -> str:
    settings = ("positive", "threshold", "baseline")
    given = [f"{n}={getattr(quality, n)!r}" for n in settings if getattr(quality, n) not in (None, "")]
    return f", {', '.join(given)}" if given else ""


def check_qualities(where: str, found: Any) -> None:
    """Refuse what is neither a ``Quality`` nor a list of them, each of other columns.

    Raises:
        PolicyError: what was found.
    """
    several = list(found) if isinstance(found, list | tuple) else [found]
    if wrong := [q for q in several if not isinstance(q, Quality)]:
        raise PolicyError(
            f"{where}: 'quality' is a seatrial.Quality(...), or a list of them; found {type(wrong[0]).__name__}."
            f"{nearest(type(wrong[0]).__name__, ['Quality'])}"
        )
    columns = [q.column for q in several]
    if twice := {c for c in columns if columns.count(c) > 1}:
        raise PolicyError(f"{where}: two Quality(...) evaluate column '{min(twice)}'. Merge their limits into one.")
