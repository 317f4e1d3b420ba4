# IKC's predictor and corrector, by the results of a frozen SFTMD: per iteration one step of the
# predictor and seven of the corrector, squared error of the code, 1e-4. The authors' file states
# 5000 iterations, as for a demonstration; the paper gives no number, and this one is ours.
# The SFTMD of the same scale is trained first: ikc/sftmd_df2k_x4.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/df2k_reduced.py",
    "../_base_/tasks/benchmark.py",
]
scale = 4
patch_size = 256
batch_size = 32
backbone = dict(
    type="IKC",
    start_from=dict(checkpoint="work_dirs/sftmd_df2k_x4/backbone.safetensors"),
)
model = dict(type="KernelCorrection")
degradation = dict(type="BlurDown", kind="IKC")
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.99)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", predictor_step=__adam, corrector_step=__adam
)
train_cfg = dict(type="IterTrainLoop", max_iters=100_000, val_interval=5_000)
