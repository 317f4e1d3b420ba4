# DFSA. Neither code nor training settings are known to us: RCAN's recipe, in whose groups the two
# modules stand here. The network itself is our reading of the paper, too.
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_1m_half_200k.py"]
scale = 4
backbone = dict(type="DFSA")
