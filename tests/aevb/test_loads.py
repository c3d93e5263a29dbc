"""Nothing in the project unpickles a file without restriction."""

import ast

import pytest

from tests.support import ROOT

ROOMS = ("aevb", "baselines", "benchmarks", "harness", "tests")
SOURCES = [ROOT / "reproduce.py", *sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
# A call, the keyword that makes it safe, and what it is where left out (NumPy's is safe since 1.16).
GUARDED: dict[str, tuple[str, bool, bool]] = {
    "torch.load": ("weights_only", True, False),
    **dict.fromkeys(("np.load", "numpy.load"), ("allow_pickle", False, False)),
}
FORBIDDEN = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.jit", "joblib.load", "pd.read_pickle", "shelve.open"),
    *("marshal.load", "marshal.loads", "yaml.load", "dill.load", "cloudpickle.load", "cloudpickle.loads"),
}
# The restricted reader itself, and tests that read back what they have just written.
EXCEPTIONS = {
    ("aevb/data/pickled_array.py", "pickle.Unpickler"),
    ("tests/aevb/data/test_data_pickled_array.py", "pickle.loads"),
    ("tests/aevb/test_errors.py", "pickle.loads"),
}


def unsafe(source: str) -> list[str]:
    """Calls, and uses of names, that can run what a file says."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in FORBIDDEN:
            found.append(name)
        if isinstance(node, ast.ImportFrom):
            found += [name for a in node.names if (name := f"{node.module}.{a.name}") in FORBIDDEN | {*GUARDED}]
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in GUARDED:
            keyword, safe, default = GUARDED[name]
            given = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
            found += [] if given.get(keyword, default) is safe else [name]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_unpickled_without_restriction(path):
    name = str(path.relative_to(ROOT))
    assert {call for call in unsafe(path.read_text()) if (name, call) not in EXCEPTIONS} == set()


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(f)", "torch.load(f, weights_only=False)", "np.load(f, allow_pickle=flag)",
        "np.load(f, allow_pickle=True)",
        "pickle.loads(b)", "from pickle import loads", "from torch import load", "pd.read_pickle(f)",
        "class U(pickle.Unpickler): pass", "torch.load(f, weights_only=flag)",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_is_for(source):
    assert unsafe(source)
