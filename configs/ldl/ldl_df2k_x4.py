# LDL on bicubic LR, as in csjliang/LDL (options/train/LDL/train_Synthetic_LDL.yml, commit 2d22ddd):
# ESRGAN's losses with five layers of VGG19, and the loss of artifacts of weight 1; batches of 64
# (16 on each of 4 GPUs), 1e-4 for 300K iterations.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/df2k.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/esrgan.py",
    "../_base_/schedules/adam_gan_400k.py",
    "../_base_/ema_999.py",
]
scale = 4
batch_size = 64
__stage1 = "work_dirs/rrdbnet_df2k_x4/backbone.safetensors"
backbone = dict(type="RRDBNet", start_from=dict(checkpoint=__stage1))
__layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
model = dict(
    loss=dict(
        terms=[
            dict(type="L1Loss", weight=1e-2),
            dict(type="ContentLoss", layers=__layers, before_relu=True, criterion="l1"),
            dict(type="LDLLoss"),
        ]
    )
)
train_cfg = dict(max_iters=300_000)
