"""Tasks: how a batch becomes losses and predictions."""

from realdeg.tasks.base import BatchToDevice, ImageTask
from realdeg.tasks.degradation_learning import DegradationLearning
from realdeg.tasks.super_resolution import SuperResolution

__all__ = ["BatchToDevice", "DegradationLearning", "ImageTask", "SuperResolution"]
