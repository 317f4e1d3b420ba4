_base_ = [
    "../_base_/settings/degradation_learning.py",
    "../_base_/datasets/lens_camera.py",
    "../_base_/degradations/dml.py",
]
scale = 2
same_size = False
# A lens blurs by place, and each colour differently.
degradation = dict(position=True, colour="weights")
# The camera reaches 8 LR pixels, DML 4.
model = dict(colour="rgb", border=8)
