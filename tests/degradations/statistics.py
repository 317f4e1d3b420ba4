"""Tests of drawn values against the distributions that papers state.

The seeds are fixed, so that a test either always passes or always fails; ``LEVEL`` is the
probability that a right sampler would have been given an unlucky seed. With 10,000 draws a share
that is off by 0.02, or a range that is off by 3 %, is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from scipy import stats

LEVEL = 1e-3
DRAWS = 10_000


def assert_uniform(values: Sequence[float], low: float, high: float) -> None:
    """Kolmogorov-Smirnov against the uniform distribution."""
    assert_follows(values, stats.uniform(low, high - low))
    assert low <= min(values) and max(values) <= high


def assert_follows(values: Sequence[float], distribution) -> None:
    """Kolmogorov-Smirnov against any continuous distribution of SciPy."""
    assert len(values) > 250, "too few values to say anything"
    p = stats.kstest(np.asarray(values), distribution.cdf).pvalue
    assert p > LEVEL, f"p = {p:.2g} for {len(values)} values"


def assert_shares(values: Sequence[Hashable], shares: Mapping[Hashable, float]) -> None:
    """Chi-square against the probabilities of some outcomes; no other may occur."""
    counts = Counter(values)
    assert set(counts) <= set(shares), f"unexpected: {set(counts) - set(shares)}"
    total = sum(shares.values())
    expected = [len(values) * share / total for share in shares.values()]
    assert min(expected) >= 5, "too few values for chi-square"
    p = stats.chisquare([counts[outcome] for outcome in shares], expected).pvalue
    assert p > LEVEL, f"p = {p:.2g}: {dict(counts)} against {dict(shares)}"


def assert_equally_likely(values: Sequence[Hashable], outcomes: Sequence[Hashable]) -> None:
    """Chi-square against equal probabilities."""
    assert_shares(values, dict.fromkeys(outcomes, 1.0))


def assert_share(hits: int, total: int, probability: float) -> None:
    """Exact binomial test of how often something happens."""
    assert total > 250, "too few trials to say anything"
    p = stats.binomtest(hits, total, probability).pvalue
    assert p > LEVEL, f"p = {p:.2g}: {hits} of {total}, wanted a share of {probability}"


def assert_independent(first: Sequence[float], second: Sequence[float]) -> None:
    """Spearman's rank correlation of two draws that have nothing to do with each other."""
    p = stats.spearmanr(first, second).pvalue
    assert p > LEVEL, f"p = {p:.2g} for {len(first)} pairs"
