"""Imports go one way, files stay small, and starting up stays cheap.

The layers are those of docs/design.md. A new module is held to them by lying in a folder.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "realdeg"
MODULES = sorted(PACKAGE.rglob("*.py"))

FOUNDATION = {"errors", "version", "utils"}
COMPONENT = FOUNDATION | {"registry", "ops", "degradations.primitives"}

# The contracts and builders that whoever composes components may name. A component itself is
# reached through its registry, so that a stranger's stands equal to ours.
CONTRACTS = {
    "degradations",  # the package's door: create_degradation and the contract
    "degradations.base",
    "degradations.back_projection",
    "degradations.build",
    "degradations.estimation.base",
    "degradations.estimation.field_estimator",
    "degradations.pool",  # a file of kernels, which a data set reads as well
    "degradations.trace",
    "backbones",
    "backbones.base",
    "backbones.build",
    "backbones.refinement",
    "backbones.running",
    "backbones.weights",  # reads files of weights of any format, a discriminator's too
    "losses.build",
    "discriminators.base",
}

# Who may import what, beside itself. The longest matching layer holds.
LAYERS = {
    "errors": set(),
    "version": set(),
    "utils": FOUNDATION,
    "registry": FOUNDATION,
    "ops": FOUNDATION,
    "degradations.primitives": FOUNDATION,
    "degradations": COMPONENT,
    # The estimator that runs a backbone, and the one that reads weights as backbones do.
    **dict.fromkeys(
        ("degradations.estimation.network_kernel", "degradations.estimation.adaptive_basis"),
        COMPONENT | CONTRACTS | {"degradations.estimation"},
    ),
    # ``plot`` draws with the figures of the package, imported when it is called.
    "degradations.display": COMPONENT | {"visualization.degradations", "visualization.learned"},
    "backbones": COMPONENT,
    # Networks that train on the image itself; estimators and files give them its kernel.
    "zero_shot": COMPONENT | CONTRACTS | {"degradations.estimation", "backbones.formats"},
    "losses": COMPONENT,
    "discriminators": COMPONENT,
    "tasks": COMPONENT | CONTRACTS,
    # Images of any format, and where a path or address leads.
    "datasets": COMPONENT | CONTRACTS | {"synthesis.stored", "synthesis.stores"},
    "evaluation": COMPONENT,
    # Photos on top of each other, found and measured as pairs of data sets are.
    "registration": COMPONENT | {"evaluation.alignment", "evaluation.degradation.spectra"},
    "engine": COMPONENT | CONTRACTS,
    # The one hook that measures the data before anything is trained.
    "engine.hooks.alignment": COMPONENT
    | CONTRACTS
    | {"engine", "evaluation.alignment", "evaluation.alignment_limits"},
    # Where images come from and where pairs go to; `apis` degrades between the two.
    "synthesis": FOUNDATION,
    "visualization": COMPONENT | CONTRACTS,
    # Measures pairs as that hook does.
    "diagnosis": COMPONENT
    | CONTRACTS
    | {"datasets", "evaluation.alignment", "evaluation.alignment_limits"},
    "config": COMPONENT | CONTRACTS | {"datasets"},
    "export": COMPONENT | CONTRACTS | {"config", "evaluation"},
    # What a run wrote, read back as data.
    "runs": FOUNDATION | {"evaluation"},
    "reporting": FOUNDATION
    | {"degradations.primitives", "runs", "evaluation.report", "visualization"},
    # Tests of every kind of component, for whoever writes one.
    "testing": COMPONENT
    | CONTRACTS
    | {"degradations.containers", "losses", "discriminators", "datasets", "evaluation"}
    | {"zero_shot", "degradations.estimation"},
    "apis": None,
    "data": None,
    "studio": None,
    "cli": None,
    "demo": None,
}
# Even the top has an order: the command line calls the apis, never the other way round.
TOP = {
    "apis": {"cli", "demo", "data"},
    "data": {"cli", "demo", "studio"},
    "studio": {"cli", "demo"},
    "demo": {"cli"},
}


def dotted(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    fitting = [name for name in LAYERS if module == name or module.startswith(f"{name}.")]
    return max(fitting, key=len, default="")


def within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")


def is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def for_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(tree: ast.AST) -> list[str]:
    """Every realdeg module that is imported at any depth, but for those of TYPE_CHECKING."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if for_typing(node):
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and within(node.module or "", "realdeg"):
            base = node.module
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.append(inner if is_module(inner.removeprefix("realdeg.")) else base)
        found += imports(node)
    return [name for name in found if within(name, "realdeg")]


def allowed(importer: str, target: str) -> bool:
    layer = layer_of(importer)
    if layer == "" or within(target, layer):
        return True
    permitted = LAYERS[layer]
    if permitted is None:
        # The top may also go through the front door, "from realdeg import ...".
        return not any(within(target, above) for above in TOP.get(layer, ()))
    if target in permitted:
        return True
    # A whole layer may be named by its folder; of a contract, only the module itself.
    return any(within(target, name) for name in permitted - CONTRACTS)


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_imports_go_one_way(file):
    importer = dotted(file)
    targets = [name.removeprefix("realdeg").lstrip(".") for name in imports(parse(file))]
    wrong = [name or "realdeg" for name in targets if not allowed(importer, name)]
    assert not wrong, f"realdeg.{importer} may not import {wrong}: see docs/design.md"


def test_every_folder_is_in_a_layer():
    folders = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    assert folders <= set(LAYERS)


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_no_relative_imports_and_no_device_names(file):
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr != "cuda", f".cuda() in line {node.lineno}"


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_a_file_is_one_thing(file):
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines < 400, f"{lines} lines: this file is two things"


def test_the_rule_itself_refuses():
    assert allowed("degradations.dml", "ops")
    assert allowed("degradations.dml", "degradations.primitives.resize")
    assert not allowed("degradations.dml", "backbones.vdsr")
    assert not allowed("degradations.primitives.resize", "registry")
    assert not allowed("tasks.super_resolution", "backbones.vdsr")
    assert not allowed("engine.hooks", "datasets.paired")
    assert not allowed("evaluation.metrics", "engine.hooks")
    assert not allowed("apis.degrader", "cli.main")


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


@pytest.mark.parametrize(
    "code",
    [
        "import realdeg",
        "import realdeg.registry",
        "from realdeg.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass",
    ],
    ids=["import realdeg", "import realdeg.registry", "realdeg --help"],
)
def test_starting_up_costs_no_torch(code):
    probe = f"{code}\nimport sys; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr or "torch was imported"
