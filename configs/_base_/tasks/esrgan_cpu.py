# esrgan.py for two CPU cores: a narrow discriminator of patches of 64, and no weights that are not
# part of this project, so that a run goes everywhere: absolute error weighs 1 and the content term
# 0. With `pip install 'realdeg[perceptual]'` there is a stand-in for VGG19:
# model.loss.terms.0.weight=0.01 model.loss.terms.1.weight=1.
_base_ = "esrgan.py"
__standin = dict(type="ContentLoss", trunk="vgg16_shift_tolerant", weight=0.0)
model = dict(
    discriminator=dict(size=64, width=16),
    loss=dict(terms=[dict(type="L1Loss"), dict(__standin, layers={"conv5_3": 1.0})]),
)
