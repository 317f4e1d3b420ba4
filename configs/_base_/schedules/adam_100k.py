# Adam with a fixed rate, as the DML paper trains everything; 100K iterations for degradations.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.999)))
train_cfg = dict(type="IterTrainLoop", max_iters=100_000, val_interval=5000)
