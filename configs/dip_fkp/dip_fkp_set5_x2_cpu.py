# A narrower network and fewer iterations: some minutes for each image on a CPU. The flow is that of
# fkp/fkp_gaussians_x2_cpu.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/set5.py",
    "../_base_/tasks/benchmark_y.py",
]
scale = 2
backbone = dict(
    type="DIPFKP",
    flow="work_dirs/fkp_gaussians_x2_cpu/degradation.safetensors",
    width=32,
    iterations=500,
    seconds=900,
)
