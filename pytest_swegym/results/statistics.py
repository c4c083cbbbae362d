"""What chance explains, and what it does not. The one door to scipy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb


#: The confidence of every interval.
CONFIDENCE = 0.95
#: Resamples of a bootstrap, and their seed: the same results give the same interval.
RESAMPLES, SEED = 9999, 20240607
#: A probability is taken as equal to another one up to this factor, which covers the rounding of its sum.
_EQUAL = 1 + 1e-7

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One instance in two runs: how many of its graded attempts resolved it, before and after."""

    resolved_before: int
    graded_before: int
    resolved_after: int
    graded_after: int

    @property
    def difference(self) -> float:
        """Its resolved rate after, less the one before."""
        return self.resolved_after / self.graded_after - self.resolved_before / self.graded_before


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """Two runs over the same instances, compared.

    ``difference`` is the mean over instances of the resolved rate after, less the one before, with its ``interval``
    (``None`` for a single instance). ``p_loss`` is the probability that chance alone resolves as little as ``after``
    did, or less; ``p_two_sided`` that it brings a result as unlikely as this one, in either direction.
    """

    instances: int
    difference: float
    interval: Interval | None
    p_loss: float
    p_two_sided: float


def pass_at_k(attempts: int, correct: int, k: int) -> float:
    """The chance that at least one of ``k`` out of ``attempts``, drawn without return, is correct (unbiased)."""
    if not 1 <= k <= attempts or not 0 <= correct <= attempts:
        raise ValueError(f"no pass@{k} from {correct} correct of {attempts} attempts")
    return 1.0 - comb(attempts - correct, k) / comb(attempts, k)


def wilson(resolved: int, graded: int) -> Interval:
    """Wilson's score interval of a rate, for attempts that are independent of each other."""
    from scipy.stats import binomtest

    found = binomtest(resolved, graded).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def bootstrap_rate(counts: Sequence[tuple[int, int]]) -> Interval | None:
    """The interval of resolved over graded, from ``(resolved, graded)`` of each instance.

    Whole instances are resampled, with all their attempts: attempts at one instance are alike. ``None`` where all have
    the same rate, as one alone has: resampled they would come to that again, an interval without any width.
    """
    if len({resolved / graded for resolved, graded in counts}) < 2:
        return None
    import numpy
    from scipy.stats import bootstrap

    resolved, graded = numpy.array(counts, dtype=float).T
    found = bootstrap(
        (resolved, graded),
        lambda r, g, axis: r.sum(axis=axis) / g.sum(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        **_resampling(),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def paired_test(pairs: Sequence[Pair]) -> PairedTest:
    """Compare two runs, instance by instance. Every pair has at least one graded attempt on either side.

    If the runs were equally good, then of an instance's attempts in both runs together, each share of the resolved
    ones was as likely to fall to the later run as a draw without return makes it. Summed over the instances, that is
    the exact distribution of what the later run resolves. With one attempt each it is McNemar's exact test.
    """
    if not pairs:
        raise ValueError("no instance is in both runs")
    chances = _null(pairs)
    low = sum(max(0, p.resolved_before + p.resolved_after - p.graded_before) for p in pairs)
    seen = sum(p.resolved_after for p in pairs) - low
    two_sided = sum(chance for chance in chances if chance <= chances[seen] * _EQUAL)
    return PairedTest(
        instances=len(pairs),
        difference=sum(p.difference for p in pairs) / len(pairs),
        interval=_mean_interval([p.difference for p in pairs]),
        p_loss=min(1.0, sum(chances[: seen + 1])),
        p_two_sided=min(1.0, two_sided),
    )


def _null(pairs: Sequence[Pair]) -> list[float]:
    """The probability of each total that the later run may resolve, from the lowest possible one on."""
    import numpy
    from scipy.stats import hypergeom

    total = numpy.ones(1)
    for p in pairs:
        resolved, graded = p.resolved_before + p.resolved_after, p.graded_before + p.graded_after
        possible = numpy.arange(max(0, resolved - p.graded_before), min(resolved, p.graded_after) + 1)
        # An instance that went the same way in every attempt tells nothing.
        if len(possible) > 1:
            total = numpy.convolve(total, hypergeom.pmf(possible, graded, resolved, p.graded_after))
    return [float(chance) for chance in total]


def _mean_interval(values: Sequence[float]) -> Interval | None:
    if len(values) < 2:
        return None
    import numpy
    from scipy.stats import bootstrap

    found = bootstrap((numpy.array(values),), numpy.mean, vectorized=True, method="percentile", **_resampling())
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _resampling() -> dict[str, float]:
    # In batches: thousands of instances must not take thousands times ten thousand numbers of memory at once.
    return {"confidence_level": CONFIDENCE, "n_resamples": RESAMPLES, "batch": 500, "rng": SEED}
