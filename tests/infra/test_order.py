"""Nothing is made before what it needs to work: the rights of its role, and the values of its secrets."""

import pytest

from tests.infra.conftest import Deployment

pytestmark = pytest.mark.integration

RIGHTS = ("aws_iam_role_policy", "aws_iam_role_policy_attachment")


def kind(address: str) -> str:
    return next(part for part in address.split(".") if part.startswith("aws_"))


def name(address: str) -> str:
    """Module and name of a resource, without its kind."""
    return address.replace(f"{kind(address)}.", "")


def users(deployment: Deployment, of: str) -> list[str]:
    """What waits for a resource, without IAM itself and what does so only because another role names it."""
    needs = deployment.dependencies
    iam = {one for one in needs if kind(one).startswith("aws_iam_")}
    others = {one for one in iam if of in needs[one] and name(one) != name(of)}
    return [one for one in needs.keys() - iam if of in needs[one] and not others & needs[one]]


def test_who_works_with_a_role_waits_for_the_role_s_rights(deployment: Deployment) -> None:
    roles = [one for one in deployment.dependencies if kind(one) == "aws_iam_role"]
    rights = {
        role: [one for one in deployment.dependencies if kind(one) in RIGHTS and name(one) == name(role)]
        for role in roles
    }
    assert len(roles) >= 8
    assert [role for role in roles if not rights[role]] == []
    early = {
        (user, role)
        for role in roles
        for user in users(deployment, role)
        if not set(rights[role]) <= deployment.dependencies[user]
    }
    assert early == set()


def test_who_reads_a_secret_waits_for_its_value(deployment: Deployment) -> None:
    values = [one for one in deployment.dependencies if kind(one) == "aws_secretsmanager_secret_version"]
    assert "module.database.aws_secretsmanager_secret_version.cache_url" in values
    early = {
        (user, value)
        for value in values
        for user in users(deployment, value.replace("_secret_version.", "_secret."))
        if user != value and value not in deployment.dependencies[user]
    }
    assert early == set()
