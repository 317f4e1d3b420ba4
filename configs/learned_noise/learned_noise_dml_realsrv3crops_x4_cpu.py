# The noise that dml/dml_n8_realsrv3crops_x4_cpu leaves; the file holds both.
_base_ = [
    "../_base_/settings/noise_learning_cpu.py",
    "../_base_/datasets/realsr_v3_crops_noise.py",
]
scale = 4
degradation = dict(
    type="Compose",
    parts=[
        dict(checkpoint="work_dirs/dml_n8_realsrv3crops_x4_cpu/degradation.safetensors"),
        dict(type="LearnedNoise"),
    ],
)
