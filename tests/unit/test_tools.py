"""Where a stack goes, with which settings, and what is said when it can't."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import engine, paths, toolchain
from tools.errors import CommandError
from tools.target import target


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing installed and nobody logged in; its folder for programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in [name for name in os.environ if name.startswith("PULUMI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(paths, "KUBECONFIG", tmp_path / "local" / "kubeconfig")
    return programs


def program(folder: Path, name: str, says: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)


def kubeconfig(file: Path, current: str, *names: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "contexts": [
            {"name": name, "context": {"cluster": f"{name}-cluster", "user": "me"}}
            for name in names
        ],
        "clusters": [
            {"name": f"{name}-cluster", "cluster": {"server": "https://127.0.0.1:1"}}
            for name in names
        ],
        "users": [{"name": "me", "user": {}}],
    }
    file.write_text(yaml.safe_dump(content))


def stack_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **config: str) -> None:
    """A project with the stack `dev`, which configures this."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "stacks").mkdir()
    text = yaml.safe_dump({"config": {f"kubernetes:{key}": item for key, item in config.items()}})
    (tmp_path / "stacks" / "Pulumi.dev.yaml").write_text(text)


def test_state_is_kept_in_the_work_tree(machine: Path) -> None:
    variables = engine.environment("dev")
    assert variables["PULUMI_BACKEND_URL"] == f"file://{paths.LOCAL}/state"
    assert variables["PULUMI_CONFIG_PASSPHRASE"] == ""


def test_a_backend_that_is_set_is_respected(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://state")
    assert not {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"} & engine.environment("dev").keys()


def test_a_login_is_respected(machine: Path, tmp_path: Path) -> None:
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / ".pulumi" / "credentials.json").write_text('{"current": "https://example.org"}')
    assert "PULUMI_BACKEND_URL" not in engine.environment("dev")


def test_the_local_stacks_empty_passphrase_goes_with_any_backend(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://state")
    assert engine.environment("local")["PULUMI_CONFIG_PASSPHRASE"] == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {a: 1, b: 2, a: 3}", "a is there twice"),
        ("config:\n  day: 2027-13-30\n", "month must be in 1..12"),
        ("config: [", "can't be read"),
    ],
)
def test_a_file_that_the_cli_could_not_read_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    stack_files(tmp_path, monkeypatch)
    (tmp_path / "stacks" / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(CommandError, match=r"^stacks/Pulumi\.dev\.yaml can't be read: ") as error:
        engine.stack_config("dev")
    assert message in str(error.value)


def test_keys_of_no_package_are_the_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_files(tmp_path, monkeypatch)
    (tmp_path / "stacks" / "Pulumi.dev.yaml").write_text("config: {namespace: here, a:b: c}")
    assert engine.stack_config("dev") == {"sidecar-powers:namespace": "here", "a:b": "c"}


def test_a_passphrase_that_is_set_is_respected(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "/secret")
    assert "PULUMI_CONFIG_PASSPHRASE" not in engine.environment("dev")


def test_the_standin_serves_the_local_stack_where_the_plugin_cannot_be_had(machine: Path) -> None:
    assert engine.uses_standin("local")
    assert not engine.uses_standin("dev")


def test_a_published_plugin_on_path_is_used(machine: Path) -> None:
    program(machine, "pulumi-resource-kubernetes")
    assert not engine.uses_standin("local")


def test_an_installed_published_plugin_is_used(machine: Path, tmp_path: Path) -> None:
    from importlib.metadata import version

    folder = f"resource-kubernetes-v{version('pulumi-kubernetes')}"
    program(tmp_path / ".pulumi" / "plugins" / folder, "pulumi-resource-kubernetes")
    assert not engine.uses_standin("local")


def test_a_plugin_that_can_be_installed_is_used(machine: Path) -> None:
    program(machine, "pulumi", "v3.300.0")
    program(machine, "pulumi-language-python")
    assert not engine.uses_standin("local")


def test_an_official_cli_is_used_as_it_is(machine: Path) -> None:
    program(machine, "pulumi", "v3.225.0")
    program(machine, "pulumi-language-python")
    assert toolchain.pulumi_found()
    assert str(toolchain.LAUNCHERS) not in toolchain.path()


@pytest.mark.parametrize("version", ["v3.99.1", "v2.300.0", "none"])
def test_an_old_cli_is_not_used(machine: Path, version: str) -> None:
    program(machine, "pulumi", version)
    program(machine, "pulumi-language-python")
    assert not toolchain.pulumi_found()
    assert toolchain.path().startswith(str(paths.built("pulumi")))


def test_a_cli_without_its_companions_is_not_used(machine: Path) -> None:
    program(machine, "pulumi", "v3.300.0")
    assert not toolchain.pulumi_found()


def test_of_kubectl_the_machines_own_comes_first(machine: Path) -> None:
    folders = toolchain.path().split(os.pathsep)
    assert folders.index(str(machine)) < folders.index(str(paths.built("kubernetes")))


def test_a_new_version_of_a_tool_goes_to_another_folder_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "GO", shutil.copytree(paths.GO, tmp_path / "go"))
    modules = [folder.name for folder in paths.GO.iterdir()]
    before = {module: paths.built(module) for module in modules}
    for file in ("go.mod", "go.sum"):
        with (paths.GO / "d2" / file).open("a") as changed:
            changed.write("// another version\n")
        assert paths.built("d2") != before["d2"]
        before["d2"] = paths.built("d2")
        assert {module: paths.built(module) for module in modules} == before


@pytest.mark.parametrize("tool", ["pulumi", "actionlint", "kubectl"])
def test_without_go_one_sentence_says_what_to_install(machine: Path, tool: str) -> None:
    with pytest.raises(CommandError, match=rf"^Please install Go 1.25 or later: (?i:{tool}) "):
        getattr(toolchain, tool)()


def test_without_root_one_sentence_names_the_packages(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CommandError, match=r"^Please install none-such \(Debian's names\)"):
        toolchain.system_packages({"no-such-program": "none-such"})


def test_an_unknown_stack_is_told_which_there_are() -> None:
    with pytest.raises(CommandError, match=r"STACK: found 'nope', allowed is article, .*local"):
        engine.stack_file("nope")


@pytest.mark.parametrize(
    "text", ["config: [", "config: 5", "- a", "5", "config: {1: x}", "config: {a: {2020-01-01: x}}"]
)
def test_a_file_that_is_no_stack_file_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    stack_files(tmp_path, monkeypatch)
    (tmp_path / "stacks" / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(CommandError, match=r"^stacks/Pulumi.dev.yaml"):
        engine.stack_config("dev")


def test_the_local_stack_goes_to_no_context_but_its_own(machine: Path, tmp_path: Path) -> None:
    kubeconfig(tmp_path / "kubeconfig", "prod", "prod")
    kubeconfig(paths.KUBECONFIG, "sidecar-powers-local", "sidecar-powers-local")
    assert target("local", "").context == "sidecar-powers-local"
    assert target("local", "").kubeconfig == str(paths.KUBECONFIG)
    with pytest.raises(CommandError, match="goes only to the local cluster"):
        target("local", "prod")


def test_the_local_stack_without_its_cluster_is_told_how_to_start_it(machine: Path) -> None:
    with pytest.raises(CommandError, match="The local cluster does not run: `make up` starts it"):
        target("local", "")


def test_other_stacks_go_to_the_current_context(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_files(tmp_path, monkeypatch)
    kubeconfig(tmp_path / "kubeconfig", "one", "one", "two")
    assert target("dev", "").context == "one"
    assert target("dev", "").cluster == "one-cluster"


def test_a_given_context_becomes_the_current_one(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_files(tmp_path, monkeypatch)
    kubeconfig(tmp_path / "kubeconfig", "one", "one", "two")
    aim = target("dev", "two")
    assert aim.context == "two"
    # Given as the current one too, it is what kubectl and Pulumi would take.
    monkeypatch.setenv("KUBECONFIG", aim.kubeconfig)
    assert target("dev", "").context == "two"


def test_the_context_that_a_stack_names_cannot_be_overruled(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_files(tmp_path, monkeypatch, context="two")
    kubeconfig(tmp_path / "kubeconfig", "one", "one", "two")
    assert target("dev", "").context == "two"
    with pytest.raises(CommandError, match=r"found 'one', the file of stack dev names 'two'"):
        target("dev", "one")


def test_an_unknown_context_is_told_which_there_are(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_files(tmp_path, monkeypatch)
    kubeconfig(tmp_path / "kubeconfig", "one", "one", "two")
    with pytest.raises(CommandError, match=r"CONTEXT: found 'three', .* has one, two"):
        target("dev", "three")


def test_a_context_beside_a_kubeconfig_of_the_stacks_own_is_refused(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_files(tmp_path, monkeypatch, kubeconfig=str(tmp_path / "kubeconfig"))
    kubeconfig(tmp_path / "kubeconfig", "one", "one", "two")
    assert target("dev", "").context == "one"
    with pytest.raises(CommandError, match=r"names a kubeconfig; name the context there too"):
        target("dev", "two")


def test_a_kubeconfig_without_a_current_context_needs_one_given(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_files(tmp_path, monkeypatch)
    kubeconfig(tmp_path / "kubeconfig", "", "one", "two")
    assert target("dev", "two").context == "two"
    with pytest.raises(CommandError, match=r"CONTEXT: found '', .* has one, two"):
        target("dev", "")


@pytest.mark.parametrize("text", ["a: [", "5", "contexts: [{}]"])
def test_a_kubeconfig_that_is_none_is_one_message(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    stack_files(tmp_path, monkeypatch)
    (tmp_path / "kubeconfig").write_text(text)
    with pytest.raises(CommandError, match=r"^KUBECONFIG: .* can't be read"):
        target("dev", "")


def test_without_a_kubeconfig_one_sentence_says_so(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_files(tmp_path, monkeypatch)
    with pytest.raises(CommandError, match=r"^KUBECONFIG: "):
        target("dev", "")
