# A network at LR resolution, fast enough for 12-megapixel photos on a CPU.
_base_ = [
    "../_base_/settings/super_resolution.py",
    "../_base_/datasets/realsr_v3_and_hr.py",
    "../_base_/learned/dml_realsrv3.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
backbone = dict(type="SRVGGNetCompact")
