# MSRGAN, BasicSR's recipe: ESRGAN's losses and schedule with a plain discriminator.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/esrgan.py",
    "../_base_/schedules/adam_gan_400k_half_50k.py",
    "../_base_/ema_999.py",
]
scale = 4
patch_size = 128
__stage1 = "work_dirs/msr_resnet_div2k_x4/backbone.safetensors"
backbone = dict(type="MSRResNet", start_from=dict(checkpoint=__stage1))
model = dict(gan_loss=dict(type="CrossEntropyGANLoss", weight=5e-3))
