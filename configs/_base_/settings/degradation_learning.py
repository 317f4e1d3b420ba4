# A degradation learned from pairs, as the DML paper trains its own.
_base_ = [
    "../default_runtime.py",
    "../tasks/degradation_learning.py",
    "../schedules/adam_100k.py",
]
