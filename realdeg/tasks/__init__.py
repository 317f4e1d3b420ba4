"""Tasks: how a batch becomes losses and predictions."""

from realdeg.tasks.adversarial_kernels import AdversarialKernels
from realdeg.tasks.adversarial_super_resolution import AdversarialSuperResolution
from realdeg.tasks.base import BatchToDevice, ImageTask
from realdeg.tasks.blind_super_resolution import BlindSuperResolution
from realdeg.tasks.cincgan import CinCGAN
from realdeg.tasks.degradation_learning import DegradationLearning
from realdeg.tasks.joint_training import JointTraining
from realdeg.tasks.kernel_correction import KernelCorrection
from realdeg.tasks.kernel_field_learning import KernelFieldLearning
from realdeg.tasks.kernel_likelihood import KernelLikelihood
from realdeg.tasks.latent_flow import LatentAutoencoding, LatentFlowMatching
from realdeg.tasks.noise_learning import NoiseLearning
from realdeg.tasks.super_resolution import SuperResolution
from realdeg.tasks.unpaired_degradation import UnpairedDegradation
from realdeg.tasks.unpaired_super_resolution import UnpairedSuperResolution

__all__ = [
    "AdversarialKernels",
    "AdversarialSuperResolution",
    "BatchToDevice",
    "BlindSuperResolution",
    "CinCGAN",
    "DegradationLearning",
    "ImageTask",
    "JointTraining",
    "KernelCorrection",
    "KernelFieldLearning",
    "KernelLikelihood",
    "LatentAutoencoding",
    "LatentFlowMatching",
    "NoiseLearning",
    "SuperResolution",
    "UnpairedDegradation",
    "UnpairedSuperResolution",
]
