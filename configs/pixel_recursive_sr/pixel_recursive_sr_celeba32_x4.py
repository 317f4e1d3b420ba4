# Pixel recursive super-resolution, 8 x 8 to 32 x 32 pixels: RMSProp, the rate halved every 500K
# steps. How long it trains is not known to us. Validation draws every pixel, one after the other.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/celeba32.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/pixel_recursive.py",
    "../_base_/schedules/adam_1m.py",
]
scale = 4
backbone = dict(type="PixelRecursiveSR")
optim_wrapper = dict(optimizer=dict(type="RMSprop", lr=4e-4, alpha=0.95, momentum=0.9, eps=1e-8))
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[500_000], gamma=0.5)
