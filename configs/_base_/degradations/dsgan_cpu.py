# For two CPU cores: a quarter of the width, half the blocks, and a generator that starts as the
# bicubic reduction, which the paper's has to learn first.
degradation = dict(type="DSGAN", width=24, num_blocks=4, residual=True)
