# ADRSR: 25 patches of 40 LR pixels (160 at x4), the rate times 0.96 every 60K samples. The exchange
# of colour channels among its augmentations has no transform yet. 120 epochs: how many iterations
# that is, we do not know.
_base_ = ["../_base_/settings/div2k_any_scale.py", "../_base_/schedules/adam_300k.py"]
scale = 8
patch_size = 320
batch_size = 25
backbone = dict(type="ADRSR")
optim_wrapper = dict(optimizer=dict(lr=4e-4))
param_scheduler = dict(type="StepLR", by_epoch=False, step_size=2400, gamma=0.96)
