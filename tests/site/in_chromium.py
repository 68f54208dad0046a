"""The page in a real browser: its answers are the command line's, and it stays on its host."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import json
import os
import random
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import Browser, find_chromium
from load_script import load_script
from served import serve_files

from dsv3calc import page as native

ROOT = Path(__file__).resolve().parents[2]
WIDTHS = (390, 768, 1024, 1920)
BUDGET = 8_600_000
"""Bytes of a first visit, compressed as a host does."""

ONE_FILE = 11_500_000
SLOWEST_START = 2.2
"""Start with the package over that of Pyodide alone."""

FIRST = (
    "1.model=deepseek-v3&1.hardware=h800&1.train.layout=v3-pretrain&1.serve.layout=v3-decode-ep320"
    "&2.model=llama-3.1-405b&2.hardware=h100&2.train.layout=llama-3.1-405b-pretrain&2.serve.tp=16"
)
PARTS = [
    ("cost", "train", "compare"), ("fit", "train", "memory"), ("fit", "serve", "memory"),
    ("fit", "serve", "pool"), ("fit", "serve", "memories"), ("fast", "train", "train"),
    ("fast", "train", "time"), ("fast", "serve", "time"), ("fast", "serve", "serve"),
    ("fast", "serve", "curve"), ("fast", "train", "speeds"), ("wires", "train", "traffic"),
    ("wires", "serve", "traffic"),
]  # fmt: skip


@pytest.fixture(scope="session")
def site():
    """The folder of the built page."""
    return Path(os.environ["DSV3CALC_SITE"]) / "try"


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    found = Browser(find_chromium(), tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def page(browser, site):
    """The page, its package loaded: once for all tests that do not need a new one."""
    found = browser.page()
    found.base, server = serve_files(site)
    found.go(found.base)
    found.wait(DONE, 120)
    yield found
    server.shutdown()
    server.server_close()


DONE = 'document.querySelector("#panels")?.dataset.done === location.hash'


@pytest.fixture
def at(page):
    """Go to a state of the page and wait for its answers."""

    def go(fragment):
        page.run(f"location.hash = {fragment!r}")
        page.wait(DONE)
        return page

    return go


def ask(page, files=None, **message):
    """Ask the package inside the page."""
    module = "./engine.js" if page.base.startswith("http") else None
    assert module, "one file has no modules to import"
    text = (
        f"import({module!r}).then((e) => e.ask({json.dumps(message)}, {json.dumps(files or {})}))"
    )
    return page.run(text)


def commands(page):
    """Return the command lines that the panels show."""
    found = "[...document.querySelectorAll('.panel .command code')].map((each) => each.textContent)"
    return [shlex.split(text)[1:] for text in page.run(found)]


def same(ours, theirs):
    """Compare JSON: whole numbers and texts exactly, others to the last digits of a float."""
    if isinstance(ours, float) and isinstance(theirs, float | int):
        return theirs == pytest.approx(ours, rel=1e-12)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs


def random_states():
    draw = random.Random(18)  # noqa: S311 - the same states each time
    models = [each["name"] for each in native.pickers()["presets"]["model"]]
    devices = ["h100", "h200", "h800", "b200", "mi300x"]
    for number in range(20):
        view, use, part = PARTS[number % len(PARTS)]
        text = f"#view={view}&use={use}&part={part}&1.model={draw.choice(models)}"
        text += f"&1.hardware={draw.choice(devices)}&1.{use}.tp={draw.choice([1, 2, 4, 8])}"
        if use == "serve":
            text += f"&context={draw.choice(['4096', '32Ki', '128Ki'])}&batch={draw.choice([1, 8])}"
        else:
            text += f"&seq=4096&global-batch={draw.choice([8, 64])}"
        yield text


@pytest.mark.parametrize("state", list(random_states()))
def test_answers_equal_those_of_the_command_line(state, at):
    page = at(state)
    (words,) = commands(page)
    ours, theirs = native.run([*words, "--json"]), ask(page, ask="run", words=[*words, "--json"])
    assert theirs["status"] == ours["status"]
    assert theirs["error"] == ours["error"]
    if ours["status"] == 0:
        assert same(json.loads(ours["output"]), json.loads(theirs["output"]))
    shown = page.run("document.querySelector('.panel').innerText")
    told = native.show(words)
    told = json.loads(native.json_document(told))
    if told["status"]:
        assert told["error"].split("\n")[0] in shown
        return
    cells = [cell for table in told["tables"] for row in table["rows"] for cell in row]
    numbers = {cell["text"] for cell in cells if isinstance(cell, dict)}
    text = " ".join(shown.split())
    assert not [each for each in numbers if " ".join(each.split()) not in text]


UNSUITABLE = {
    "validate", "calibrate", "reproduce", "check", "snapshot", "diff", "sweep",  # other files
    "derive", "search",  # SymPy, NumPy
    "sensitivity", "hardware-aware-codesign-serving",  # ten seconds and more
}  # fmt: skip
"""Words in command lines that the page does not carry all for, or that take long."""


def documentation_examples():
    examples = load_script("update_examples")
    for path in examples.pages():
        files = {}
        for step in examples.session(path):
            if isinstance(step, examples.File):
                files[step.name] = step.text
                continue
            words = shlex.split(step.text) if not examples.SHELL.search(step.text) else [""]
            if words[0] != "dsv3calc" or UNSUITABLE & set(words) or "-o" in words:
                continue
            if not any("/" in name for name in files):
                yield step.place, words[1:], dict(files)


def test_documentation_examples_print_the_same(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    faults, count = [], 0
    for place, words, files in documentation_examples():
        for name, text in files.items():
            Path(name).write_text(text, encoding="utf-8")
        ours, theirs = native.run(words), ask(page, files, ask="run", words=words)
        count += 1
        if ours != theirs:
            faults.append((place, words, ours["error"][:200], theirs["error"][:600]))
    assert not faults
    assert count > 40


BROKEN = '{"model_type": "llama",\n "hidden_size": 4096,\n "num_hidden_layers": }'
HOSTILE = json.dumps(
    {
        "model_type": "<img src=x onerror='window.hit=1'>",
        "architectures": ["</script><script>window.hit=1</script>", "\u202egnp.exe"],
    }
)


def paste(page, text):
    """Give a config to the first design as a person does."""
    page.run(
        "document.querySelector('#beside').open = true;"
        "[...document.querySelectorAll('#pickers .card button')]"
        ".find((each) => each.textContent.startsWith('Paste')).click()"
    )
    page.run(f"document.querySelector('#paste textarea').value = {json.dumps(text)}")
    page.run("document.querySelector('#paste .primary').click()")
    page.wait("/config|json/.test(location.hash)")
    page.wait(DONE)


@pytest.mark.parametrize("text", [BROKEN, HOSTILE, "huge"])
def test_a_bad_config_is_told_as_on_the_command_line(text, at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if text == "huge":
        text = json.dumps({"a": random.Random(1).randbytes(2_500_000).hex()})  # noqa: S311
    page = at("#view=cost&1.model=deepseek-v3")
    paste(page, text)
    shown = page.run("document.querySelector('.panel .error').textContent")
    (words,) = commands(page)
    Path(words[1]).write_text(text, encoding="utf-8")
    assert shown == native.run(words)["error"].rstrip()
    assert f"{words[1]}:" in shown or "config" in shown
    assert page.run("window.hit === undefined && !document.querySelector('#panels img')")
    if text == BROKEN:
        assert "^" in shown
    if len(text) > 1_000_000:
        assert "too long for a link" in page.run("document.querySelector('#messages').innerText")


def test_back_forward_and_reload_keep_the_state(at):
    page = at(f"#view=cost&use=train&{FIRST}")
    config = ROOT / "docs" / "examples" / "qwen2.5-7b" / "config.json"
    paste(page, config.read_text(encoding="utf-8"))
    first = page.run("document.querySelector('.panel').innerText")
    assert "7.6156 B" in first
    page.run("document.querySelectorAll('.view')[1].click()")
    page.wait(f"location.hash.includes('view=fit') && {DONE}")
    second = page.run("location.hash")
    page.run("history.back()")
    page.wait(f"location.hash.includes('view=cost') && {DONE}")
    assert page.run("document.querySelector('.panel').innerText") == first
    page.run("history.forward()")
    page.wait(f"location.hash.includes('view=fit') && {DONE}")
    assert page.run("document.querySelectorAll('.panel').length") == 2
    page.run("history.back()")
    page.wait(f"location.hash.includes('view=cost') && {DONE}")
    page.run("window.kept = true")
    page.call("Page.reload")
    page.wait(f"!window.kept && {DONE}", 90)
    assert page.run("document.querySelector('.panel').innerText") == first
    page.run("history.forward()")
    page.wait(f"location.hash.includes('view=fit') && {DONE}")
    assert page.run("location.hash") == second
    assert page.run("document.querySelector('[data-field=layout]').value") == "v3-pretrain"


def test_nothing_overflows(at):
    four = f"{FIRST}&3.model=mixtral-8x7b&3.hardware=b200&4.model=gpt-oss-120b&4.hardware=mi300x"
    for view, use, part in PARTS:
        page = at(f"#view={view}&use={use}&part={part}&{four if view == 'cost' else FIRST}")
        for width in WIDTHS:
            page.size(width)
            over = page.run(
                "[document.documentElement.scrollWidth, innerWidth, ...Array.from("
                "document.querySelectorAll('.panel'), (e) => e.scrollWidth - e.clientWidth)]"
            )
            assert over[0] <= over[1], (view, part, width)
            assert max(over[2:]) <= 0, (view, part, width)
            # a label with its value is seen whole on a phone; wider tables scroll
            assert page.run(
                "[...document.querySelectorAll('.scroll > table')].filter((e) => e.rows[0].cells"
                ".length === 2).every((e) => e.offsetWidth <= e.parentElement.clientWidth)"
            ), (view, part, width)
    page.size(1280)


def test_a_number_opens_its_derivation_by_keyboard(at):
    page = at("#view=fit&use=serve&part=kv&1.model=deepseek-v3")
    page.run("document.querySelector('.number[tabindex=\"0\"]').focus()")
    for key in ("ArrowDown", "Enter"):
        for kind in ("rawKeyDown", "char", "keyUp"):
            text = {"text": "\r"} if (key, kind) == ("Enter", "char") else {}
            if kind != "char" or text:
                page.call("Input.dispatchKeyEvent", type=kind, key=key, **text,
                          windowsVirtualKeyCode={"ArrowDown": 40, "Enter": 13}[key])  # fmt: skip
    page.wait("document.querySelector('#why[open] .equation, #why[open] .origin')")
    shown = page.run("document.querySelector('#why').innerText")
    assert "--explain --line kv_cache." in shown
    # down to a value that was read, with the address of its source
    script = """(async () => {
      for (let turn = 0; turn < 40; turn += 1) {
        if (document.querySelector('#why a[href^="https://"]')) return true;
        document.querySelectorAll('#why details:not([open]) > summary').forEach((each, at) => {
          if (at < 3) each.click();
        });
        await new Promise((done) => setTimeout(done, 100));
      }
      return false;
    })()"""
    assert page.run(script)
    page.run("document.querySelector('#why').close()")
    assert page.run("document.activeElement.className") == "number"


def test_controls_have_names_and_keep_the_focus(at):
    page = at("#view=fit&use=serve&part=memory&1.model=deepseek-v3&1.hardware=h200&1.serve.tp=8")
    named = {"button", "textbox", "combobox", "radio", "columnheader", "rowheader", "article"}
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    spoken = [(each["role"]["value"], each["name"]["value"].strip()) for each in nodes
              if not each["ignored"] and each["role"]["value"] in named]  # fmt: skip
    assert {role for role, _ in spoken} == named
    assert not [role for role, name in spoken if not name]
    assert ("combobox", "Model") in spoken
    said = page.run("document.querySelector('#announced').textContent")
    assert said.startswith("Answered: DeepSeek-V3")
    assert said.endswith("fits: yes")
    page.run("document.querySelector('[data-field=context]').focus()")
    page.call("Input.insertText", text="32Ki")
    page.call("Input.dispatchKeyEvent", type="rawKeyDown", key="Tab", windowsVirtualKeyCode=9)
    page.wait(f"location.hash.includes('context=32Ki') && {DONE}")
    assert page.run("document.activeElement.dataset.field") == "batch"


def test_further_options_and_the_asked_context_reach_the_command_line(at):
    state = "use=serve&context=32Ki&more=--exact&1.model=deepseek-v3&1.hardware=h200&1.serve.tp=8"
    state += "&1.serve.more=--page-size%3D64%20--set%20'moe=1'"
    words = commands(at(f"#view=wires&{state}"))[0]
    assert words[-2:] == ["--set", "moe=1"]
    assert "--page-size" in at(f"#view=wires&{state}").run(
        "document.querySelector('#panels').innerText"
    )
    words = commands(at(f"#view=fit&part=pool&{state}"))[0]
    assert [each.rpartition("=")[2] for each in words[1:5]] == ["16Ki", "32Ki", "64Ki", "128Ki"]
    assert words[-1] == "--exact"
    page = at(f"#view=fit&part=pool&{state}")
    others = page.run("[...document.querySelectorAll('#others code')].map((e) => e.textContent)")
    for text in others:
        if text.startswith("dsv3calc"):
            assert native.parse_request(shlex.split(text)[1:]) is not None


def test_a_state_that_no_longer_exists_is_told(at):
    page = at(
        "#view=cost&part=old&colour=red\u202e&1.model=../x.py&1.config=AwA&2.model=llama-3.1-8b"
    )
    told = page.run("document.querySelector('#messages').innerText")
    assert "colour=red\\u{202e}" in told
    assert "part=old" in told
    assert "a config by the name ../x.py" in told
    page = at("#view=cost&colour=red&1.model=no-such-model&1.hardware=h800")
    assert "colour=red" in page.run("document.querySelector('#messages').innerText")
    assert "no-such-model" in page.run("document.querySelector('.panel .error').textContent")
    chosen = "document.querySelector('[data-field=model]').selectedOptions[0].textContent"
    assert page.run(chosen) == "no-such-model (not in this version)"


def test_without_webassembly_the_page_says_what_to_do(browser, page):
    bare = browser.page()
    bare.before("delete globalThis.WebAssembly")
    bare.go(page.base)
    bare.wait("document.querySelector('#messages p')")
    assert "pip install dsv3calc" in bare.run("document.querySelector('#messages').innerText")
    bare.close()


def test_it_works_offline_after_the_first_load(browser, site):
    base, server = serve_files(site)
    found = browser.page()
    found.go(f"{base}#view=cost&1.model=deepseek-v3")
    found.wait(DONE, 120)
    found.wait("navigator.serviceWorker.ready.then(() => true)", 60)
    server.shutdown()
    server.server_close()
    found.run("window.kept = true")
    found.call("Page.reload")
    found.wait(f"!window.kept && {DONE}", 120)
    assert "671.03 B" in found.run("document.querySelector('.panel').innerText")
    found.close()


def test_it_works_as_one_file_from_disk(browser, site):
    found = browser.page()
    found.go(f"{(site / 'dsv3calc.html').as_uri()}#view=cost&1.model=deepseek-v3")
    found.wait(DONE, 120)
    assert "671.03 B" in found.run("document.querySelector('.panel').innerText")
    found.close()


def test_it_stays_within_its_bytes(site):
    visit = [path for path in site.rglob("*") if path.is_file() and path.name != "dsv3calc.html"]
    size = sum(len(gzip.compress(path.read_bytes(), 6)) for path in visit)
    assert size < BUDGET
    assert (site / "dsv3calc.html").stat().st_size < ONE_FILE


def test_the_start_is_a_small_multiple_of_python_alone(browser, page):
    def seconds(options):
        found = browser.page()
        found.go(f"{page.base}worker.js")  # nothing else runs there
        taken = found.run(
            f"import('{page.base}engine.js').then(async (e) => {{ const t = performance.now();"
            f"await e.start({options}); return performance.now() - t; }})"
        )
        found.close()
        return taken

    alone, whole = seconds("{bare: true}"), seconds("{}")
    if whole / alone > SLOWEST_START:  # something else took the processors: once more
        alone, whole = max(alone, seconds("{bare: true}")), min(whole, seconds("{}"))
    assert whole / alone < SLOWEST_START


def test_no_request_left_the_host(browser):
    """The last of the file: what the pages and workers of all tests before it asked for."""
    asked = {address for address in browser.requested if not address.startswith("data:")}
    assert any(address.endswith("/app.zip") for address in asked)  # which a worker asks for
    assert any(address.endswith("/sw.js") for address in asked)
    hosts = {urlsplit(address).netloc.partition(":")[0] for address in asked}
    assert hosts <= {"127.0.0.1", ""}
    assert {urlsplit(address).scheme for address in asked} <= {"http", "file", "blob"}
