# A network at LR resolution, fast enough for 12-megapixel photos on a CPU.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v3_and_hr.py",
    "../_base_/backbones/srvgg_compact.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 4
degradation = dict(
    type="Compose",
    parts=[
        dict(checkpoint="work_dirs/dml_n8_realsrv3_x4/degradation.safetensors"),
        dict(type="AWGN", sigma=5),
    ],
)
