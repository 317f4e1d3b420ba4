# IKC in small, after sftmd_t91_x2_cpu: minutes on two CPU cores.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_reduced_cpu.py",
    "../_base_/tasks/benchmark.py",
]
scale = 2
backbone = dict(
    type="IKC",
    num_features=24,
    num_blocks=4,
    corrections=3,
    estimator_features=24,
    start_from=dict(checkpoint="work_dirs/sftmd_t91_x2_cpu/backbone.safetensors"),
)
model = dict(type="KernelCorrection")
degradation = dict(type="BlurDown", kind="IKC")
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", predictor_step=__adam, corrector_step=__adam
)
train_cfg = dict(type="IterTrainLoop", max_iters=600, val_interval=600)
