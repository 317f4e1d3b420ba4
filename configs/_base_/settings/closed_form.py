# A degradation learned from pairs by least squares: every pair once, whole.
_base_ = [
    "../default_runtime.py",
    "../tasks/degradation_learning.py",
    "../schedules/closed_form.py",
]
