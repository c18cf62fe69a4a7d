"""The Helm chart: its values fit its schema, and what it renders is what Kubernetes and Hortus understand."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.deploy.gotemplate import Chart
from tests.deploy.known import ROOT, is_read
from tests.helpers.programs import skip_without

FOLDER = ROOT / "deploy/helm/hortus"


def everything_on(values: dict[str, Any]) -> dict[str, Any]:
    on = copy.deepcopy(values)
    on["ingress"] |= {"enabled": True, "tlsSecretName": "tls"}
    on["worker"]["queues"] = "media=4,mail"
    on["storage"]["className"] = "efs"
    on["imagePullSecrets"] = [{"name": "pull"}]
    on["image"]["tag"] = "9.9.9"
    return on


def odd(values: dict[str, Any]) -> dict[str, Any]:
    """Strings that YAML takes for something else unless they are quoted, and what may be empty."""
    bent = copy.deepcopy(values)
    bent["image"] |= {"repository": "2", "tag": "1"}
    bent["secretName"] = "007"
    bent["storage"]["className"] = "3"
    bent["imagePullSecrets"] = [{"name": "42"}]
    bent["ingress"] |= {"enabled": True, "className": "", "host": "true", "tlsSecretName": "8"}
    bent["env"] |= {"LOG_LEVEL": "yes", "PUBLIC_URL": 'it\'s "x": {{ .y }} # é₹\n\ttab\\', "LOG_FORMAT": ""}
    bent["worker"]["queues"] = "null"
    return bent


def odd_claim(values: dict[str, Any]) -> dict[str, Any]:
    bent = odd(values)
    bent["storage"]["existingClaim"] = "12"
    return bent


def plain(values: dict[str, Any]) -> dict[str, Any]:
    return values


@pytest.fixture(params=[plain, everything_on])
def values(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param(Chart(FOLDER).values)


def documents(texts: dict[str, str]) -> list[dict[str, Any]]:
    return [each for name, text in texts.items() if name.endswith(".yaml") for each in yaml.safe_load_all(text) if each]


def pods(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each["spec"]["template"] for each in found if "template" in each["spec"]}


def test_values_fit_their_schema_and_wrong_ones_do_not(values):
    schema = json.loads((FOLDER / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    check = jsonschema.Draft7Validator(schema)
    check.validate(values)
    for section, name, wrong in (
        ("api", "replicas", "2"),
        ("env", "public_url", "x"),
        ("env", "HORTUS_DATA", "/x"),
        ("image", "tga", "1"),
    ):
        bent = copy.deepcopy(values)
        bent[section][name] = wrong
        assert not check.is_valid(bent), (section, name)


def test_the_set_is_whole(values):
    found = documents(Chart(FOLDER).render(values))
    kinds = sorted(each["kind"] for each in found)
    expected = ["Deployment"] * 3 + ["Job", "PersistentVolumeClaim", "PodDisruptionBudget", "Service"]
    assert kinds == sorted(expected + ["Ingress"] * values["ingress"]["enabled"])
    by_name = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(by_name) == len(found)
    for each in found:
        if each["kind"] == "Deployment":
            labels = each["spec"]["template"]["metadata"]["labels"]
            assert each["spec"]["selector"]["matchLabels"] == labels
    service = by_name["Service", "shop-api"]["spec"]
    api = pods(found)["shop-api"]
    assert service["selector"] == api["metadata"]["labels"]
    assert service["ports"][0]["targetPort"] == api["spec"]["containers"][0]["ports"][0]["name"]
    claims = [volume for volume in api["spec"]["volumes"] if "persistentVolumeClaim" in volume]
    assert ("PersistentVolumeClaim", claims[0]["persistentVolumeClaim"]["claimName"]) in by_name


def test_every_container_is_confined_and_told_what_hortus_reads(values):
    found = pods(documents(Chart(FOLDER).render(values)))
    assert set(found) == {"shop-api", "shop-worker", "shop-scheduler", "shop-migrate"}
    for name, pod in found.items():
        spec, container = pod["spec"], pod["spec"]["containers"][0]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["image"] == f"hortus:{values['image']['tag'] or '0.1.0'}"
        assert {mount["name"] for mount in container["volumeMounts"]} == {each["name"] for each in spec["volumes"]}
        told = {each["name"]: each["value"] for each in container["env"]}
        assert all(isinstance(value, str) for value in told.values()), name
        assert [each for each in told if not is_read(each)] == []


def test_a_worker_serves_the_queues_of_the_values():
    chart = Chart(FOLDER)
    command = pods(documents(chart.render(everything_on(chart.values))))["shop-worker"]["spec"]["containers"][0]
    assert command["command"] == ["hortus", "worker", "--queues", "media=4,mail"]


def test_a_claim_of_ones_own_is_used():
    chart = Chart(FOLDER)
    chart.values["storage"]["existingClaim"] = "mine"
    found = documents(chart.render(chart.values))
    assert "PersistentVolumeClaim" not in {each["kind"] for each in found}
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods(found).values()
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {"mine"}


@pytest.mark.parametrize("bend", [plain, everything_on, odd, odd_claim])
@pytest.mark.parametrize("release", ["shop", "2026"])
def test_helm_agrees(bend, release, tmp_path):
    chart = Chart(FOLDER)
    values = bend(chart.values)
    given = tmp_path / "values.yaml"
    given.write_text(yaml.safe_dump(values))
    helm("lint", "--strict", FOLDER, "-f", given)
    theirs = [each for each in yaml.safe_load_all(helm("template", release, FOLDER, "-f", given)) if each]
    ours = documents(chart.render(values, release))
    key = lambda each: (each["kind"], each["metadata"]["name"])  # noqa: E731 - one word for two sorts
    assert sorted(theirs, key=key) == sorted(ours, key=key)


def test_helm_installs_and_packs_it(tmp_path):
    told = helm("install", "shop", FOLDER, "--dry-run=client", "--namespace", "shop")
    assert "kubectl exec deploy/shop-api -- hortus doctor" in told
    helm("package", FOLDER, "--destination", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"hortus-{Chart(FOLDER).version}.tgz"]


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        ("api.replicsa=2", "additional properties 'replicsa' not allowed"),
        ("api.replicas=two", "got string, want integer"),
        ("env.HORTUS_DATA=/elsewhere", "invalid propertyName 'HORTUS_DATA'"),
        ("env.public_url=x", "invalid propertyName 'public_url'"),
    ],
)
def test_helm_refuses_wrong_values(wrong: str, because: str):
    assert because in helm("template", "shop", FOLDER, "--set", wrong, succeeds=False)


def helm(*arguments: str | Path, succeeds: bool = True) -> str:
    """What it says."""
    done = subprocess.run(
        [program("helm"), *arguments], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "KUBECONFIG": os.devnull},
    )  # fmt: skip
    assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
    return done.stdout if succeeds else done.stderr


def program(name: str) -> str:
    """Where it is; the pinned one of scripts/unpack_helm.py before the machine's."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return found or skip_without(name, "the chart as it reads it")


@pytest.mark.parametrize("bend", [plain, everything_on, odd, odd_claim])
@pytest.mark.parametrize("version", ["1.27", "1.37"], ids=["oldest", "newest"])
def test_the_schemas_of_kubernetes_hold(bend, version):
    """Those of the oldest version that Chart.yaml names, and of the newest known; no field that they do not know."""
    known = pytest.importorskip("kubernetes_validate")
    chart = Chart(FOLDER)
    for each in documents(chart.render(bend(chart.values), "2026")):
        known.validate(each, version, strict=True)


def test_kubectl_knows_every_field(values, tmp_path):
    """It reads our objects by the types of Kubernetes; a field it does not know is missing from what it gives back."""
    kubectl = program("kubectl")
    for number, given in enumerate(documents(Chart(FOLDER).render(values))):
        if given["kind"] not in ("Deployment", "Job"):
            continue
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.safe_dump(given))
        told = subprocess.run(
            [kubectl, "set", "env", "--local", "-f", path, "-o", "json", "PROBE=1"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        assert lost(given, json.loads(told.stdout)) == []


def lost(given: Any, kept: Any, path: str = "") -> list[str]:
    """What of `given` is not in `kept`."""
    if isinstance(given, dict):
        return [each for name in given for each in (
            lost(given[name], kept[name], f"{path}.{name}") if name in kept else [f"{path}.{name}"])]  # fmt: skip
    if isinstance(given, list):
        return [each for number, item in enumerate(given) for each in lost(item, kept[number], f"{path}[{number}]")]
    return [] if str(given) == str(kept) else [f"{path}: {given!r} became {kept!r}"]
