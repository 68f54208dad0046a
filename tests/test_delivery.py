"""What people install and read: notebooks run, the container and the release keep their rules."""

import json
import os
import re

import pytest
import yaml
from load_script import ROOT, load_script

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_runs_and_holds_no_output(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = json.loads(path.read_text("utf-8"))
    assert (data["nbformat"], data["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in data["cells"]}) == len(data["cells"])
    names = {}
    for cell in data["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)  # noqa: S102 - ours
    assert names["Picture"](names["memory"])._repr_svg_().startswith("<svg")


def test_the_container_runs_as_nobody_and_takes_what_is_there():
    text = (ROOT / "Containerfile").read_text("utf-8")
    images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(re.fullmatch(r"python:3\.\d+-slim", image) for image in images)
    assert re.search(r"^USER (\d+)", text, re.MULTILINE)[1] != "0"
    assert text.rstrip().endswith('ENTRYPOINT ["dsv3calc"]')
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored


def test_a_release_is_checked_before_it_is_published():
    found = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
    assert found[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads "on" so
    assert found["permissions"] == {"contents": "read"}
    build, publish = found["jobs"]["build"], found["jobs"]["publish"]
    run = [step.get("run", "") for step in build["steps"]]
    assert run.index(".ci/run") < run.index("python -m build")
    assert run.index("python -m build") < run.index("scripts/check_package.sh dist")
    assert os.access(ROOT / "scripts" / "check_package.sh", os.X_OK)
    assert publish["needs"] == "build"
    assert publish["permissions"] == {"id-token": "write"}
    for step in [*build["steps"], *publish["steps"]]:
        assert "${{" not in step.get("run", "")  # no text of a tag is a piece of a script


def test_the_site_leads_to_every_page():
    site = load_script("site_docs")
    pages = [path for section in site.navigation().values() for path in section.values()]
    assert len(pages) == len({*pages})
    every = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")}
    assert every <= {*pages}
    settings = yaml.load(site.settings(), _NoTags)  # noqa: S506 - a safe loader
    assert settings["plugins"] == ["search", "offline"]
    assert settings["theme"]["font"] is False


class _NoTags(yaml.SafeLoader):
    """Reads settings whose tags name functions."""


_NoTags.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def _anchors(path):
    """Return the places of a page that its headings make, as they are on GitHub and in the site."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^]]+)\]\([^)]*\)|`", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def test_links_lead_to_headings():
    anchors, missing = {}, []
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target, place in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text("utf-8")):
            path = (page.parent / target).resolve() if target else page
            if path.suffix == ".md":
                anchors.setdefault(path, None)
                anchors[path] = anchors[path] or _anchors(path)
                if place not in anchors[path]:
                    missing.append(f"{page.relative_to(ROOT)}: {target}#{place}")
    assert not missing
