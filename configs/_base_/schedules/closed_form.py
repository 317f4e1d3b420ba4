# Least squares over the whole training set, solved once: nothing is iterated.
train_cfg = dict(type="ClosedFormLoop")
