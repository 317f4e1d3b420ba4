"""The checks of one data set, one function each: facts in, findings out."""

from __future__ import annotations

from collections.abc import Callable

from realdeg.diagnosis.checks.alignment import check_alignment, check_regions
from realdeg.diagnosis.checks.brightness import check_cast, check_gain
from realdeg.diagnosis.checks.compression import check_compression
from realdeg.diagnosis.checks.detail import check_blurred, check_enlarged, check_swapped
from realdeg.diagnosis.checks.encoding import (
    check_alpha,
    check_depth,
    check_grey,
    check_profiles,
)
from realdeg.diagnosis.checks.exposure import check_exposure
from realdeg.diagnosis.checks.files import check_files, check_names
from realdeg.diagnosis.checks.sizes import check_sizes
from realdeg.diagnosis.facts import Examined
from realdeg.diagnosis.findings import Finding

CHECKS: tuple[Callable[[Examined], list[Finding]], ...] = (
    check_files,
    check_names,
    check_sizes,
    check_swapped,
    check_alignment,
    check_regions,
    check_gain,
    check_cast,
    check_enlarged,
    check_compression,
    check_blurred,
    check_exposure,
    check_depth,
    check_profiles,
    check_grey,
    check_alpha,
)
"""All checks of one data set, in the order of their findings."""
