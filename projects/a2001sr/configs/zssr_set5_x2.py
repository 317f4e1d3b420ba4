# The second exercise: a network that is trained on the test image alone, on Set5 (bicubic x2).
# The network, the loss and the rate of HarukiYqM/pytorch-ZSSR.
_base_ = "realdeg::zssr/zssr_set5_x2.py"
backbone = dict(form="exercise")
