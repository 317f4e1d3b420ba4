# A degradation learned from pairs in about ten minutes on two CPU cores.
_base_ = [
    "../default_runtime.py",
    "../tasks/degradation_learning.py",
    "../schedules/adam_4k_cpu.py",
]
default_hooks = dict(checkpoint=dict(interval=1000))
