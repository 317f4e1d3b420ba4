# The largest of the paper's baselines; 5, 7 and 13 are the others. Drawn as in the released solver;
# a short run goes further from init="identity".
backbone = dict(type="KPN", kernel_size=19, init="msra")
