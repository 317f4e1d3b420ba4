# LDL on ESRGAN: five layers, and the loss of artifacts, which compares with the moving average.
_base_ = ["esrgan.py", "../../../configs/_base_/ema_999.py"]
__layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_3": 1.0, "conv4_3": 1.0, "conv5_3": 0.05}
model = dict(
    loss=dict(
        terms=[
            dict(type="L1Loss", weight=1e-2),
            dict(type="ContentLoss", trunk="vgg16_shift_tolerant", layers=__layers, criterion="l1"),
            dict(type="LDLLoss"),
        ]
    )
)
