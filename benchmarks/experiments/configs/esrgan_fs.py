# ESRGAN-FS (FSSR): absolute error of the coarse part, a discriminator of the fine part.
_base_ = "esrgan.py"
model = dict(
    discriminator=dict(
        type="FilteredDiscriminator",
        discriminator=dict(type="VGGDiscriminator", size=64, width=16),
        filter="average",
        filter_size=9,
    ),
    loss=dict(
        terms=[
            dict(
                type="FilteredLoss",
                loss=dict(type="L1Loss", weight=1e-2),
                filter="average",
                size=9,
                band="low",
            ),
            dict(
                type="ContentLoss",
                trunk="vgg16_shift_tolerant",
                layers={"conv5_3": 0.05},
                criterion="l1",
            ),
        ]
    ),
)
