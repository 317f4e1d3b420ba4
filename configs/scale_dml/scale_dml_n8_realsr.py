# Real pairs of one camera at x2 and x4, as DegFlow is trained; the scale says where it is tested.
_base_ = [
    "../_base_/settings/degradation_learning.py",
    "../_base_/datasets/realsr_v2_scales.py",
    "../_base_/degradations/scale_dml.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
patch_size = 192
batch_size = 16
model = dict(scales=[2, 4])
