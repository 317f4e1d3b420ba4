# DIP-FKP (Liang et al., CVPR 2021) on Set5. Its own tests have LR of unknown Gaussian blur; bicubic
# LR is a blur like any other to it. The flow is that of fkp/fkp_gaussians, or the authors'.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/set5.py",
    "../_base_/tasks/benchmark_y.py",
]
scale = 2
per_scale = {
    2: dict(backbone=dict(flow="work_dirs/fkp_gaussians_x2/degradation.safetensors")),
    3: dict(backbone=dict(flow="work_dirs/fkp_gaussians_x3/degradation.safetensors")),
    4: dict(backbone=dict(flow="work_dirs/fkp_gaussians_x4/degradation.safetensors")),
}
backbone = dict(type="DIPFKP")
