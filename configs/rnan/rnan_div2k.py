# RNAN: patches of 48 LR pixels (96 at x2, 144 at x3), each scale from the beginning. The authors'
# code compares by absolute error, their text by squares; how long they train is not known to us.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
per_scale = {2: dict(patch_size=96), 4: {}}
backbone = dict(type="RNAN")
