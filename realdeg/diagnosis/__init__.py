"""Examine data sets before anything is trained on them: measurements, checks and findings.

One function per check turns facts into findings; the facts are measured once, image by image.
"""

from realdeg.diagnosis.findings import Diagnosis, Finding, SetSummary, Severity
from realdeg.diagnosis.running import diagnose
from realdeg.diagnosis.sets import ImageSet, distinct, image_sets

__all__ = [
    "Diagnosis",
    "Finding",
    "ImageSet",
    "SetSummary",
    "Severity",
    "diagnose",
    "distinct",
    "image_sets",
]
