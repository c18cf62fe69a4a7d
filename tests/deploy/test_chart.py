"""The Helm chart: its values fit its schema, and what it renders is what Kubernetes and Hortus understand."""

import copy
import json
import shutil
import subprocess
from typing import Any

import jsonschema
import pytest
import yaml
from tests.deploy.gotemplate import Chart
from tests.deploy.known import ROOT, is_read

FOLDER = ROOT / "deploy/helm/hortus"


def everything_on(values: dict[str, Any]) -> dict[str, Any]:
    on = copy.deepcopy(values)
    on["ingress"] |= {"enabled": True, "tlsSecretName": "tls"}
    on["worker"]["queues"] = "media=4,mail"
    on["storage"]["className"] = "efs"
    on["imagePullSecrets"] = [{"name": "pull"}]
    on["image"]["tag"] = "9.9.9"
    return on


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
    for section, name, wrong in (("api", "replicas", "2"), ("env", "public_url", "x"), ("image", "tga", "1")):
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


def test_helm_agrees(values, tmp_path):
    if shutil.which("helm") is None:
        pytest.skip("LOUD: no helm here, so the chart is proved by our own reading of its templates only")
    given = tmp_path / "values.yaml"
    given.write_text(yaml.safe_dump(values))
    subprocess.run(["helm", "lint", "--strict", FOLDER, "-f", given], check=True, timeout=60)
    told = subprocess.run(
        ["helm", "template", "shop", FOLDER, "-f", given], check=True, capture_output=True, text=True, timeout=60
    )
    ours = documents(Chart(FOLDER).render(values))
    theirs = [each for each in yaml.safe_load_all(told.stdout) if each]
    key = lambda each: (each["kind"], each["metadata"]["name"])  # noqa: E731 - one word for two sorts
    assert sorted(theirs, key=key) == sorted(ours, key=key)


def test_kubectl_knows_every_field(values, tmp_path):
    """It reads our objects by the types of Kubernetes; a field it does not know is missing from what it gives back."""
    if shutil.which("kubectl") is None:
        pytest.skip("LOUD: no kubectl here, so no types of Kubernetes were asked")
    for number, given in enumerate(documents(Chart(FOLDER).render(values))):
        if given["kind"] not in ("Deployment", "Job"):
            continue
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.safe_dump(given))
        told = subprocess.run(
            ["kubectl", "set", "env", "--local", "-f", path, "-o", "json", "PROBE=1"],
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
