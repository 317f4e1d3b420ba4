_base_ = [
    "../_base_/settings/degradation_learning.py",
    "../_base_/datasets/sample_camera_scales.py",
    "../_base_/degradations/scale_dml.py",
]
# x3 and the scales between are left for it to work out.
model = dict(scales=[2, 4])
