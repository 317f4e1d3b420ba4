# Adam with a fixed rate, as the DML paper trains everything; 300K iterations for VDSR and RCAN.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.999)))
train_cfg = dict(type="IterTrainLoop", max_iters=300_000, val_interval=10_000)
