"""Values get into scripts only as words: a real bash reads back what was put in, and nothing of it runs."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdo.cloud
from rdo.cloud.shell import both, here, lines, pattern, sh
from rdo.cloud.texts import Text

CLOUD = Path(rdo.cloud.__file__).parent
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=25)
HOSTILE = (
    "",
    "a b",
    "'",
    '"',
    "$(touch x)",
    "`id`",
    "; reboot",
    "\\",
    "$HOME",
    "*",
    "~",
    "a\nb",
    "-n",
    "#",
    "!!",
)


def said(script: str) -> str:
    done = subprocess.run(["bash", "-s"], input=script.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(WORDS, st.sampled_from(HOSTILE)), min_size=1, max_size=5), WORDS)
def test_bash_reads_back_each_word(words: list[str], secret: str) -> None:
    script = lines(
        [
            sh("printf '%s\\0' %(words)s", words=words),
            sh("printf '%s\\0' \"$(printf %s %(one)s; echo .)\"", one=words[0]),
            sh("printf '%s\\0' %(secret)s", secret=Text("x", Text.secret(secret))),
        ]
    )
    assert said(script.reveal()).split("\0")[:-1] == [*words, f"{words[0]}.", f"x{secret}"]


@settings(max_examples=40, deadline=None)
@given(st.one_of(WORDS, st.sampled_from(HOSTILE)))
def test_a_here_document_is_taken_as_it_is(content: str) -> None:
    text = content.replace("\r", "")
    found = said(both(sh("cat %(text)s", text=here(text))).reveal())
    assert found == text if text.endswith("\n") else f"{text}\n"


@pytest.mark.parametrize("folder", [word for word in HOSTILE if word not in ("", "*")])
def test_of_a_pattern_only_its_stars_are_the_shell_s(folder: str, tmp_path: Path) -> None:
    files = [tmp_path / folder / name for name in ("a b.db", "c.db", "d.conf")]
    for file in files:
        file.parent.mkdir(exist_ok=True, parents=True)
        file.touch()
    found = said(sh("printf '%s\\0' %(files)s", files=pattern(f"{tmp_path}/{folder}/*.db")).reveal())
    assert found.split("\0")[:-1] == [f"{tmp_path}/{folder}/{name}" for name in ("a b.db", "c.db")]


def test_what_else_can_be_a_value() -> None:
    script = sh(
        "a %(n)s %(ip)s %(more)s %(part)s", n=1, ip=ip_address("::1"), more=["x y", 2], part=sh("| b")
    )
    assert script.reveal() == "a 1 ::1 'x y' 2 | b"
    with pytest.raises(KeyError):
        sh("a %(lacking)s")
    with pytest.raises(ValueError, match="END_OF_TEXT"):
        here("x\nEND_OF_TEXT\ny")


# --- what the code itself says: no script is put together in another way ------------------------------------


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield where each call of a function, or of a method, is in the cloud's code."""
    for file in sorted(CLOUD.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                words = ast.unparse(node.func)
                if words == name or words.endswith(f".{name}"):
                    yield f"{file.relative_to(CLOUD)}:{node.lineno}", node


def test_each_template_of_a_script_is_a_constant() -> None:
    found = [*calls("sh")]
    assert len(found) > 100
    wrong = [
        where
        for where, call in found
        if not (call.args and isinstance(call.args[0], ast.Constant) and len(call.args) == 1)
    ]
    assert wrong == []


def test_no_place_of_a_template_is_in_quotes() -> None:
    wrong = [
        f"{where}: {place}"
        for where, call in calls("sh")
        for place in quoted_places(ast.literal_eval(call.args[0]))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("a %(x)s '%(y)s'", ["y"]),
        ('a "%(x)s"', ["x"]),
        ('a "$(b %(x)s)" %(y)s', []),
        ('a "$(b "%(x)s")"', ["x"]),
        ("a # don't\nb %(x)s", []),
        ("a ${x#@} '%' \\' %(x)s", []),
        ("case $a in x) b ;; esac; a '$(%(x)s)'", ["x"]),
        ('a "$((1 + %(x)s))"', []),
    ],
)
def test_places_in_quotes_are_found(template: str, wrong: list[str]) -> None:
    assert quoted_places(template) == wrong


def quoted_places(template: str) -> list[str]:
    """Return the places of a template that bash would see in quotes."""
    found, stack, at = [], ["("], 0
    while at < len(template):
        rest, state = template[at:], stack[-1]
        if rest.startswith("%("):
            name = rest[2 : rest.index(")")]
            if state != "(" and rest.startswith(f"%({name})s"):
                found.append(name)
            at += len(name) + 3
        elif state == "'":
            if rest[0] == "'":
                stack.pop()
        elif rest[0] == "\\":
            at += 1
        elif rest.startswith("$("):
            stack.append("(")
            at += 1
        elif rest[0] == '"':
            stack.pop() if state == '"' else stack.append('"')
        elif state == "(":
            if rest[0] == "#" and (at == 0 or template[at - 1].isspace()):
                at += rest.index("\n") - 1 if "\n" in rest else len(rest)
            elif rest[0] == "'":
                stack.append("'")
            elif rest[0] == "(":
                stack.append("(")
            # at the bottom it ends a pattern of `case`
            elif rest[0] == ")" and len(stack) > 1:
                stack.pop()
        at += 1
    return found


#: Who makes command lines of words for ssh and bash; all others have :func:`sh` for it.
QUOTING = {"shell.py", "ssh.py", "testhosts/ssh.py"}


def test_values_are_quoted_in_few_places() -> None:
    """Scripts that others quoted by hand had names in them that nobody had quoted."""
    found = [*calls("shlex.quote"), *calls("shlex.join")]
    assert {where.rpartition(":")[0] for where, _ in found} == QUOTING
    for file in sorted(CLOUD.rglob("*.py")):
        assert "from shlex import" not in file.read_text(), file


def test_what_a_shell_of_ours_is_given_is_a_constant_or_a_script() -> None:
    found = {f"{where}: {ast.unparse(given)}" for where, given in given_to_shells()}
    assert {one.partition(":")[0] for one in found} >= {"ssh.py", "trial.py"}
    wrong = [one for one in found if not one.endswith(("_LIMITED", "_VALIDATE", ".reveal()"))]
    # who it becomes, and what `limited` has quoted
    assert [one.partition(": ")[2] for one in wrong] == ["f'exec {sudo}{bounded}'"]


def given_to_shells() -> Iterator[tuple[str, ast.expr]]:
    """Yield what stands after the words ``sh -c`` in a command of the cloud's code."""
    for file in sorted(CLOUD.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.List | ast.Tuple):
                words = [one.value if isinstance(one, ast.Constant) else None for one in node.elts]
                for at, (shell, option) in enumerate(itertools.pairwise(words)):
                    if shell in ("sh", "bash") and re.fullmatch("-[a-z]*c", str(option)):
                        yield f"{file.relative_to(CLOUD)}", node.elts[at + 2]


#: Who takes a text for a script: the helper itself; our own programs in here-documents, and shell variables
#: that are made of units' names; what a platform's description says.
TRUSTING = {"operations.py", "roles/web.py", "shell.py"}
#: Code that sees secrets in clear: it sends scripts, looks at their form or makes identifiers of them.
REVEALING = {
    *("operations.py", "ssh.py", "tempest.py", "texts.py", "trial.py", "verify.py", "worker.py"),
    # of what locks data, only a hash is compared
    *("ownership.py", "shell.py", "roles/ceph.py", "roles/node.py", "roles/swift.py"),
}


def test_scripts_are_trusted_and_secrets_revealed_in_few_places() -> None:
    assert {where.rpartition(":")[0] for where, _ in calls("Shell.trusted")} == TRUSTING
    assert {where.rpartition(":")[0] for where, _ in calls("reveal")} <= REVEALING
