# Real pairs, and HR degraded by DML with the camera's own noise instead of sigma 5.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsrv3crops_and_hr_cpu.py",
    "../_base_/learned/noise_dml_realsrv3crops_cpu.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
backbone = dict(type="SRVGGNetCompact", num_features=24, num_convs=8)
