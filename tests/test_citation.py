import re
import tomllib

from tests.support import ROOT


def test_the_citation_has_the_version_and_the_licence_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = (ROOT / "CITATION.cff").read_text()
    for field in ("version", "license"):
        (value,) = re.findall(rf"^{field}: (.+)$", citation, re.MULTILINE)
        assert value == project[field]
    assert "1312.6114" in citation
