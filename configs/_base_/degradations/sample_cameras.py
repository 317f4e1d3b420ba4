# Simulated cameras, drawn for each image, whose blur follows content and position more or less.
degradation = dict(
    type="OneOf",
    parts=[
        dict(type="SampleCamera", content=content, position=position)
        for content in (0.0, 0.5, 1.0)
        for position in (0.0, 1.0)
    ],
)
