# The names of realdeg.apis and where they are defined, one line each.
from realdeg.apis.dataset_work import ImageWork as ImageWork
from realdeg.apis.degrader import Degrader as Degrader
from realdeg.apis.folder import Failure as Failure
from realdeg.apis.folder import Summary as Summary
from realdeg.apis.inputs import find_inputs as find_inputs
from realdeg.apis.manifest import read_manifest as read_manifest
from realdeg.apis.saving import Saving as Saving
from realdeg.apis.super_resolver import SuperResolver as SuperResolver
from realdeg.errors import MemoryShortageError as MemoryShortageError
