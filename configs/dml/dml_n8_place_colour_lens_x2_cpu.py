_base_ = [
    "../_base_/settings/degradation_learning_cpu.py",
    "../_base_/datasets/lens_camera_cpu.py",
    "../_base_/degradations/dml_cpu.py",
]
scale = 2
same_size = False
degradation = dict(position=True, colour="weights")
model = dict(colour="rgb")
train_cfg = dict(max_iters=2000)
