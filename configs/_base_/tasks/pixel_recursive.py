# Cross entropy of both distributions: of the sum, and of the conditioning network alone.
_base_ = "benchmark.py"
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[dict(type="CrossEntropyLoss")],
        outputs={"logits": 1.0, "conditioning_logits": 1.0},
    )
)
