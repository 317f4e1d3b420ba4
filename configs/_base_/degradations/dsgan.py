# Fritsche, Gu, Timofte, ICCVW 2019: bicubic reduction, then 8 residual blocks of 64 channels.
degradation = dict(type="DSGAN", width=64, num_blocks=8)
