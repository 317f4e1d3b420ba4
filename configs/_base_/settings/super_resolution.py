# Real photos, as the DML paper trains VDSR and RCAN.
_base_ = ["../default_runtime.py", "../tasks/super_resolution.py", "../schedules/adam_300k.py"]
