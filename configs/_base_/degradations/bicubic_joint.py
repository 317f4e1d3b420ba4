# Scales 2, 3 and 4, as often one as another, brought back to the HR grid (same_size = True).
degradation = dict(
    type="OneOf",
    parts=[
        dict(type="Bicubic", scale=2, same_size=True),
        dict(type="Bicubic", scale=3, same_size=True),
        dict(type="Bicubic", scale=4, same_size=True),
    ],
)
