# DegFlow as its authors train it: present091/DegFlow, commit d3ee421.
degradation = dict(
    type="DegFlow",
    width=128,
    latent=4,
    flow_width=128,
    flow_multipliers=[1, 2, 2, 2],
    flow_blocks=4,
    dropout=0.1,
)
