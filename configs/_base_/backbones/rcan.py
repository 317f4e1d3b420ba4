# "RCAN with 100 convolutional layers" of the DML paper, trained on Y.
backbone = dict(type="RCAN", preset="rcan_100", colour="y")
