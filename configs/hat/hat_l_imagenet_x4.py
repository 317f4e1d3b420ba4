# HAT-L, first of two stages.
_base_ = "hat_imagenet_x4.py"
backbone = dict(preset="hat_l")
