# HAT-S: as HAT.
_base_ = "hat_df2k_x2.py"
backbone = dict(preset="hat_s")
