# Setting 1 in small: three stages, half the auxiliary maps.
_base_ = ["../_base_/settings/blind_t91_cpu.py", "../_base_/degradations/kxnet.py"]
scale = 2
backbone = dict(type="KXNet", stages=3, kernel_maps=12, image_maps=16, pairs=2)
model = dict(earlier_rounds=0.1)
