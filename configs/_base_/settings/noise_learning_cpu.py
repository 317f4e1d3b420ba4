# A camera's noise in one to two minutes on one CPU core.
_base_ = [
    "../default_runtime.py",
    "../tasks/noise_learning.py",
    "../schedules/adam_noise_cpu.py",
]
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=300))
