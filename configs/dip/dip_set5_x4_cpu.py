# A narrower network and fewer iterations: some minutes for each image on a CPU.
_base_ = "dip_set5_x4.py"
backbone = dict(width=32, inputs=16, iterations=800, patience=200, seconds=900)
