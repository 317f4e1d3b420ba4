# A small USRNet for one scale, told kernels of IKC's range, minutes on two CPU cores.
_base_ = "../_base_/settings/t91_cpu.py"
scale = 4
backbone = dict(type="USRNet", preset="tiny", widths="8-16-16-16", iterations=3)
model = dict(quantise=False)
degradation = dict(type="BlurDown", kind="IKC")
