_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v3_and_hr.py",
    "../_base_/backbones/rcan.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
batch_size = 2
degradation = dict(
    type="Compose",
    parts=[
        dict(checkpoint="work_dirs/dml_n8_realsrv3_x{scale}/degradation.safetensors"),
        dict(type="AWGN", sigma=5),
    ],
)
