# LDL for real photos, as in csjliang/LDL (options/train/LDL/train_Realworld_LDL.yml, commit
# 2d22ddd): Real-ESRGAN's with absolute error of weight 0.01 and the loss of artifacts of weight 1,
# which compares with HR itself; batches of 16 (4 on each of 4 GPUs).
_base_ = "../real_esrgan/real_esrgan_dfo_x4.py"
batch_size = 16
__layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
model = dict(
    loss=dict(
        terms=[
            dict(type="L1Loss", weight=1e-2, target="sharpened"),
            dict(
                type="ContentLoss",
                layers=__layers,
                before_relu=True,
                criterion="l1",
                target="sharpened",
            ),
            dict(type="LDLLoss"),
        ]
    )
)
