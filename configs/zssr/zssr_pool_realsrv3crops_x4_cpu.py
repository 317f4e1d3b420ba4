# Less of everything, as zssr_set5_x2_cpu has it.
_base_ = "zssr_pool_realsrv3crops_x4.py"
backbone = dict(crop=64, iterations=600, width=32, seconds=300)
