# SRGAN (VGG22): as srgan_imagenet50k_x4.py with conv2_2 instead, and total variation of 2e-8.
_base_ = "srgan_imagenet50k_x4.py"
__content = dict(type="ContentLoss", before_relu=False, criterion="mse", divisor=12.75)
model = dict(
    loss=dict(
        terms=[
            dict(__content, layers={"conv2_2": 1.0}),
            dict(type="TVLoss", weight=2e-8),
        ]
    )
)
