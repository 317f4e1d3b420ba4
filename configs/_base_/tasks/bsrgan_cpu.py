# bsrgan.py for two CPU cores: a narrow discriminator, and no weights that are not part of this
# project, so that a run goes everywhere: the content term weighs 0. With `pip install
# 'realdeg[perceptual]'` there is a stand-in for VGG19: model.loss.terms.1.weight=1.
_base_ = "bsrgan.py"
__layers = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_3": 1.0, "conv4_3": 1.0, "conv5_3": 1.0}
__standin = dict(type="ContentLoss", trunk="vgg16_shift_tolerant", weight=0.0)
model = dict(
    discriminator=dict(width=16),
    loss=dict(terms=[dict(type="L1Loss"), dict(__standin, layers=__layers)]),
)
