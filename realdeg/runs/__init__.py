"""What runs wrote, read back as data: config, curves, tests; and runs compared."""

from realdeg.runs.comparison import Difference, ScoreTable, compare_groups
from realdeg.runs.find import find_runs
from realdeg.runs.groups import Group, group_runs
from realdeg.runs.read import is_run, read_run
from realdeg.runs.record import Curve, RunRecord, Session, TestedImage, TestReport
from realdeg.runs.scores import TestedOn
from realdeg.runs.tables import RunComparison

__all__ = [
    "Curve",
    "Difference",
    "Group",
    "RunComparison",
    "RunRecord",
    "ScoreTable",
    "Session",
    "TestReport",
    "TestedImage",
    "TestedOn",
    "compare_groups",
    "find_runs",
    "group_runs",
    "is_run",
    "read_run",
]
