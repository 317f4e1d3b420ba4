_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsrv3crops_and_hr_cpu.py",
    "../_base_/backbones/srvgg_compact.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
backbone = dict(num_features=24, num_convs=8)
degradation = dict(
    type="Compose",
    parts=[
        dict(checkpoint="work_dirs/dml_n8_realsrv3crops_x4_cpu/degradation.safetensors"),
        dict(type="AWGN", sigma=5),
    ],
)
