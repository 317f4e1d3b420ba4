# Less of everything, for a look at the method: about a minute for each image on a CPU.
_base_ = "zssr_set5_x2.py"
backbone = dict(crop=64, iterations=600, width=32, seconds=300)
