_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/ntire19_and_hr_cpu.py",
    "../_base_/backbones/vdsr_cpu.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
default_hooks = dict(checkpoint=dict(interval=1200))
degradation = dict(
    type="Compose",
    parts=[
        dict(checkpoint="work_dirs/dml_n8_ntire19_x4_cpu/degradation.safetensors"),
        dict(type="AWGN", sigma=5),
    ],
)
