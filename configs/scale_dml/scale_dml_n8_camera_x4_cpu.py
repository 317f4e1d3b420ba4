_base_ = [
    "../_base_/settings/degradation_learning_cpu.py",
    "../_base_/datasets/sample_camera_scales_cpu.py",
    "../_base_/degradations/scale_dml.py",
]
degradation = dict(width=16, levels=2)
model = dict(scales=[2, 4])
