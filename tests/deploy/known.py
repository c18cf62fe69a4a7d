"""What a deploy file may name: the variables that Hortus reads, found by walking its settings classes."""

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import hortus

ROOT = Path(__file__).parents[2]
BY_HAND = {"HORTUS_ADMIN_PASSWORD"}
"""Read by the command line without a settings class."""
BY_DRIVERS = {"PGPASSWORD"}
"""Read by what connects to the database, where the address has no password."""
OPEN_ENDED = re.compile(r"RATE_LIMIT_[A-Z_]+|OIDC_[A-Z0-9_]+")


def _names(prefix: str, name: str, field: FieldInfo) -> set[str]:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return {str(choice) for choice in alias.choices if str(choice).isupper()}
    return {str(alias)} if alias else {f"{prefix}{name}".upper()}


def variables() -> set[str]:
    """Every environment variable that some settings class reads."""
    for module in pkgutil.walk_packages(hortus.__path__, "hortus."):
        if not module.name.endswith("__main__") and "script" not in module.name:
            importlib.import_module(module.name)
    found, todo = BY_HAND | BY_DRIVERS, [BaseSettings]
    while todo:
        made = todo.pop()
        todo += made.__subclasses__()
        if made.__module__.startswith("hortus."):
            prefix = str(made.model_config.get("env_prefix", ""))
            for name, field in made.model_fields.items():
                found |= _names(prefix, name, field)
    return found


def is_read(name: str) -> bool:
    """Whether Hortus reads that variable."""
    return name in variables() or OPEN_ENDED.fullmatch(name) is not None


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref X` reads as {"Ref": "X"}."""


def _short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    return {tag: loader.construct_mapping(node, deep=True)}


_Template.add_multi_constructor("!", _short_form)


def stack() -> dict[str, Any]:
    """The CloudFormation template of deploy/ecs."""
    return yaml.load((ROOT / "deploy/ecs/stack.yaml").read_text(), _Template)  # a SafeLoader with tags of its own


def ecs_containers() -> dict[str, dict[str, Any]]:
    """The container of each task definition in it, by the name of the resource."""
    resources = stack()["Resources"].items()
    return {
        name: each["Properties"]["ContainerDefinitions"][0]
        for name, each in resources
        if each["Type"] == "AWS::ECS::TaskDefinition"
    }
