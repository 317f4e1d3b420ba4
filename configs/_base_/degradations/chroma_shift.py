# Chroma beside luma, as analogue video has it.
degradation = dict(type="ChromaShift")
