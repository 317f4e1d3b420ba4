# Carbajal et al., arXiv 2102.01026: 25 basis kernels of 33 x 33, as in the authors' program, on
# cameras whose blur follows content and position more or less. The rate, the batch and the length
# are ours: the authors' code of training is not published.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/df2k_reduced.py",
    "../_base_/degradations/sample_cameras.py",
    "../_base_/tasks/kernel_field_learning.py",
    "../_base_/schedules/adam_300k.py",
]
scale = 2
per_scale = {2: {}, 3: dict(patch_size=255), 4: {}}
