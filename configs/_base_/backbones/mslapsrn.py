# D5R8, the best of the paper.
backbone = dict(type="MSLapSRN", recursions=8)
