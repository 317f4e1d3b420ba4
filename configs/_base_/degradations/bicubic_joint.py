# Scales 2, 3 and 4, as often one as another, brought back to the HR grid (same_size = True).
degradation = dict(
    type="OneOf",
    parts=[dict(type="Bicubic", scale=scale, same_size=True) for scale in (2, 3, 4)],
)
