# Real photos in a few minutes on one CPU core.
_base_ = ["../default_runtime.py", "../tasks/super_resolution.py", "../schedules/adam_1200_cpu.py"]
default_hooks = dict(checkpoint=dict(interval=1200))
