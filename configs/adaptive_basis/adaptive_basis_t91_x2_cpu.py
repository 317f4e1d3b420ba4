# Eight basis kernels of 17 x 17, on T91: a few minutes on one CPU core.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_reduced_cpu.py",
    "../_base_/degradations/sample_cameras.py",
    "../_base_/tasks/kernel_field_learning.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 2
patch_size = 64
model = dict(estimator=dict(basis=8, size=17, width=8), points=24)
train_cfg = dict(max_iters=1200, val_interval=600)
