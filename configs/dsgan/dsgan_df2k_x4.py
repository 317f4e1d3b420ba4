# The paper's recipe; the other RealSR recipes start from its weights.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_df2k.py",
    "../_base_/degradations/dsgan.py",
    "../_base_/tasks/unpaired_degradation.py",
    "../_base_/schedules/adam_gan_65k.py",
]
scale = 4
# Nobody knows the true LR of these photos.
val_dataloader = None
val_cfg = None
val_evaluator = None
test_dataloader = None
test_cfg = None
test_evaluator = None
