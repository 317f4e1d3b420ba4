# A small DegFlow for CPUs: LR begins as HR, and the flow is integrated in equal steps.
degradation = dict(
    type="DegFlow",
    width=8,
    latent=4,
    flow_width=32,
    flow_multipliers=[1, 2],
    flow_blocks=1,
    dropout=0.0,
    residual=True,
    solver="rk4",
    steps=6,
)
