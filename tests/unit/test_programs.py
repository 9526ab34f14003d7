"""What all programs of containers have in common."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from components.parts import program
from components.programs.basics import Report
from tools.paths import ROOT

PROGRAMS = sorted((ROOT / "components" / "programs").glob("[!_]*.py"))
MAINS = [path for path in PROGRAMS if "__main__" in path.read_text()]


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


@pytest.mark.parametrize("name", names(PROGRAMS))
def test_an_image_with_python_has_all_that_a_program_needs(name: str) -> None:
    tree = ast.parse((ROOT / "components" / "programs" / f"{name}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imported = [str(node.module).partition(".")[0]]
        else:
            continue
        assert {*imported} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", names(MAINS))
def test_the_text_of_a_program_is_whole(name: str) -> None:
    """All that it imports from its folder stands before it, once, and no two of them share a name:
    the text has one namespace."""
    text = program(name, "container")[4]
    tree = ast.parse(text)
    assert ast.get_docstring(tree) == ast.get_docstring(
        ast.parse((ROOT / "components" / "programs" / f"{name}.py").read_text())
    )
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    defined = [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ] + [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for part in node.targets
        for target in ast.walk(part)
        if isinstance(target, ast.Name)
    ]
    assert sorted(defined) == sorted({*defined})
    assert text.count('__name__ == "__main__"') == 1


def test_a_program_is_told_to_end_also_while_it_still_imports() -> None:
    """Without a handler, the kernel would drop TERM for a container's first process."""
    early = program("keep-token", "container")[4].split('"""')[2]
    imports = f"import sys; sys.path.insert(0, {str(ROOT)!r}); print('begun', flush=True); input()"
    late = "from components.programs.basics import end_when_told; end_when_told(); input()"
    command = [sys.executable, "-I", "-S", "-c", f"{early}\n{imports}\n{late}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "begun\n"
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
        process.stdin.write("imported\n")
        process.stdin.flush()
        assert process.wait(timeout=5) == 0


def test_a_report_that_could_not_be_written_is_written_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "folder" / "status"
    report = Report(file)
    report("well")
    file.parent.mkdir()
    report("well")
    assert file.read_text() == "well\n"
    assert capsys.readouterr().out == "well\n"


@pytest.mark.parametrize("name", names(PROGRAMS))
def test_kubernetes_leaves_a_program_as_it_is(name: str) -> None:
    """It makes one dollar sign of two in a container's command.

    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    assert "$$" not in (ROOT / "components" / "programs" / f"{name}.py").read_text()
