# The largest of the paper's baselines; 5, 7 and 13 are the others.
backbone = dict(type="KPN", kernel_size=19)
