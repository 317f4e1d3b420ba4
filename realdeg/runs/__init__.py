"""What a run's folder holds, read as data: config, curves, test reports, environment."""

from realdeg.runs.read import is_run, read_run
from realdeg.runs.record import Curve, RunRecord, Session, TestedImage, TestReport

__all__ = [
    "Curve",
    "RunRecord",
    "Session",
    "TestReport",
    "TestedImage",
    "is_run",
    "read_run",
]
