"""The library's floors: imports point downwards, and nothing in it knows Snakemake."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "scripts" / "phaseflow"
FLOORS = [
    {"errors", "seeds", "sources", "joblog"},
    {"expressions", "settings", "sweeps", "tables", "receipts", "data", "paths", "plugins"},
    {"dynamics", "engines", "measures", "certificates", "findings", "problems", "models", "figures", "views", "kinds", "catalogues"}
    | {"problem_sets", "rankings", "petab"},
    {"session", "plan", "estimates", "config", "outline", "reference", "ensemble", "assembly", "trials", "regression", "drawing", "page"}
    | {"recomputation", "comparison", "export", "provenance"},
]
FILES = sorted(path for path in LIBRARY.rglob("*.py") if path != LIBRARY / "__init__.py")


def find_room(path):
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def find_floor(room):
    floors = [number for number, rooms in enumerate(FLOORS) if room in rooms]
    assert floors, f"{room} stands on no floor: add it to this test and to CONTRIBUTING.md"
    return floors[0]


def find_imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_imports_point_downwards(path):
    here = find_floor(find_room(path))
    for module in find_imports(path):
        assert not module.startswith("snakemake")
        parts = module.split(".")
        if parts[0] == "phaseflow" and len(parts) > 1:
            assert find_floor(parts[1]) <= here, f"{path.name} imports {module} from above"


def test_modules_import_in_no_circle():
    graph = {}
    for path in FILES:
        name = ".".join(["phaseflow", *path.relative_to(LIBRARY).with_suffix("").parts]).removesuffix(".__init__")
        graph[name] = {module for module in find_imports(path) if module.startswith("phaseflow")}
    seen, open_ = set(), []

    def visit(name):
        assert name not in open_, " -> ".join([*open_, name])
        if name in seen or name not in graph:
            return
        open_.append(name)
        for other in sorted(graph[name] - {name}):
            visit(other)
        open_.pop()
        seen.add(name)

    for name in graph:
        visit(name)


def test_a_rule_script_is_short():
    for path in LIBRARY.parent.glob("*.py"):
        assert len(path.read_text().splitlines()) <= 40, f"{path.name} is longer than 40 lines"


def test_planning_loads_nothing_that_computes():
    """Every job plans anew, so what only a job needs would be paid for by each."""
    root = LIBRARY.parents[1]
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'scripts')\n"
        "from phaseflow.config import load_config\n"
        "from phaseflow.plan import Plan\n"
        "list(Plan(load_config(Path('config.yaml'))).targets())\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True)
    heavy = {"heyoka", "libsbml", "flint", "pandas", "scipy", "statsmodels", "optimagic", "sklearn", "matplotlib", "nlopt", "arch"}
    assert heavy & set(done.stdout.split()) == set()
