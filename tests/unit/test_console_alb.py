"""The word of a load balancer about who is there: signed by its key, for us, just now; and what that one may do."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.ops.console import alb, settings
from services.ops.console.alb import Identity
from services.ops.console.settings import ConsoleSettings
from shared.errors import PermanentError

ARN = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/smelt/50dc6c495c0c9188"
KEY_ID = "0f4c5f7a-3d1b-4a53-9d7e-2f1f3b1c9a10"
KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
PUBLIC = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)
SETTINGS = ConsoleSettings(
    alb_arn=ARN, alb_client="smelt", operators=("Ann@example.org", "smelt operators"), _env_file=None
)


def word(claims: dict[str, Any] | None = None, key: Any = KEY, **head: Any) -> str:
    headers = {"kid": KEY_ID, "signer": ARN, "client": "smelt", "iss": "https://idp.test", "exp": time.time() + 60}
    told = {"sub": "1234", "email": "bob@example.org", "iss": "https://idp.test", **(claims or {})}
    return jwt.encode(told, key, "ES256", headers | head)


def who(told: str) -> Identity:
    return alb.identify(SETTINGS, told, lambda _: PUBLIC)


def test_whom_the_load_balancer_names_may_look() -> None:
    assert who(word()) == Identity("bob@example.org", "viewer")


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ann@example.org"},
        {"email": "ann@example.org", "email_verified": "true"},
        {"groups": ["others", "smelt operators"]},
        {"groups": "[others, smelt operators]"},
    ],
)
def test_an_address_or_a_group_on_the_list_may_operate(claims: dict[str, Any]) -> None:
    assert who(word(claims)).role == "operator"


@pytest.mark.parametrize("verified", ["false", False])
def test_an_address_that_nobody_verified_gives_no_rights(verified: object) -> None:
    assert who(word({"email": "ann@example.org", "email_verified": verified})).role == "viewer"


@pytest.mark.parametrize(
    "told",
    [
        "",
        "x.y.z",
        word(key=OTHER_KEY),
        word(signer=ARN.replace("/app/smelt/", "/app/another/")),
        word(client="another"),
        word(exp=time.time() - 1),
        word(exp=None),
        word({"exp": int(time.time()) - 1}),
        word(kid="../../another/key"),
        jwt.encode({"sub": "1"}, "a shared secret of thirty-two bytes", "HS256", {"kid": KEY_ID, "signer": ARN}),
        jwt.encode({"sub": "1"}, "", "none", {"kid": KEY_ID, "signer": ARN, "client": "smelt"}),
    ],
)
def test_any_other_word_counts_for_nothing(told: str) -> None:
    with pytest.raises(jwt.InvalidTokenError):
        who(told)


def test_the_padding_that_load_balancers_leave_in_is_read() -> None:
    """It is part of what they sign."""
    head, payload, _ = word().split(".")
    padded = ".".join(part + "=" * (-len(part) % 4) for part in (head, payload))
    signature = jwt.get_algorithm_by_name("ES256").sign(padded.encode(), KEY)
    assert who(f"{padded}.{jwt.utils.base64url_encode(signature).decode()}").name == "bob@example.org"


def test_keys_are_where_aws_keeps_them_for_a_region() -> None:
    assert alb.keys_url(ARN) == "https://public-keys.auth.elb.eu-central-1.amazonaws.com"
    government = "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:1:loadbalancer/app/smelt/5"
    assert alb.keys_url(government) == ("https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1")


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({}, "to configure authentication"),
        ({"TOKEN": "short"}, "SMELT_CONSOLE_TOKEN"),
        ({"TOKEN": "long enough", "READ_TOKEN": "long enough"}, "must differ from"),
        ({"TOKEN": "long enough", "ALB_ARN": ARN, "ALB_CLIENT": "smelt"}, "either"),
        ({"ALB_ARN": ARN}, "SMELT_CONSOLE_ALB_CLIENT"),
        ({"TOKEN": "long enough", "PORT": "http"}, "SMELT_CONSOLE_PORT"),
    ],
)
def test_settings_that_let_in_nobody_or_anybody_are_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], problem: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"SMELT_CONSOLE_{name}", value)
    with pytest.raises(PermanentError) as refused:
        settings.load()
    assert problem.lower() in str(refused.value).lower()
    assert "long enough" not in str(refused.value)
