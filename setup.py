"""What setup.cfg cannot say: the recipes of configs/ are installed as ``realdeg._configs``."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["realdeg", "realdeg.*"]), "realdeg._configs"],
    package_dir={"realdeg._configs": "configs"},
    package_data={
        "realdeg": ["py.typed", "*.pyi", "cameras/**/*"],
        "realdeg.apis": ["*.pyi"],
        "realdeg.backbones.pretrained": ["*.json"],
        "realdeg.datasets": ["sample_images/**/*"],
        "realdeg.reporting": ["assets/*"],
        "realdeg._configs": ["**/*.py", "**/*.md", "**/*.yml"],
    },
)
