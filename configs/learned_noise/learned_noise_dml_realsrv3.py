# The noise that dml/dml_n8_realsrv3 leaves; the file holds both.
_base_ = [
    "../_base_/settings/noise_learning.py",
    "../_base_/datasets/realsr_v3_noise.py",
]
degradation = dict(
    type="Compose",
    parts=[
        dict(checkpoint="work_dirs/dml_n8_realsrv3_x{scale}/degradation.safetensors"),
        dict(type="LearnedNoise"),
    ],
)
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
