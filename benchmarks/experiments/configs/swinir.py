# The last stage of SwinIR for real photos: as Real-ESRGAN, with HR itself as the target.
_base_ = "gan.py"
__layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_3": 1.0, "conv4_3": 1.0, "conv5_3": 0.05}
model = dict(
    loss=dict(
        terms=[
            dict(type="L1Loss"),
            dict(type="ContentLoss", trunk="vgg16_shift_tolerant", layers=__layers, criterion="l1"),
        ]
    ),
    gan_loss=dict(type="CrossEntropyGANLoss", weight=0.1),
)
