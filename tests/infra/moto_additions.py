"""What the AWS provider asks for and moto's server lacks or forgets.

Each addition answers as AWS documents it. None changes what moto checks, and what moto does not implement at all is
refused at once: the provider would repeat a request that is answered with 500 twenty-five times.
"""

import functools
import inspect
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, FakeApplicationAutoscalingPolicy
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.budgets.responses import BudgetsResponse
from moto.core.responses import ActionResult, BaseResponse, EmptyResult
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ecs.models import Service
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elasticache.models import CacheCluster, ElastiCacheBackend, ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse
from moto.rds.models import DBInstance, DBParameterGroup, RDSBackend
from moto.s3.responses import S3Response
from moto.sqs.models import Queue
from moto.stepfunctions.responses import StepFunctionResponse

LOG = logging.getLogger(__name__)
UNSUPPORTED = "moto does not implement"
MATCHED = ("NotificationType", "ComparisonOperator", "Threshold")  # what tells a budget's notifications apart


def around(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replaces a method by the decorated function, which gets the original first."""

    def decorate(addition: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, name)

        @functools.wraps(original)
        def method(*arguments: Any, **named: Any) -> Any:
            return addition(original, *arguments, **named)

        setattr(owner, name, method)
        return addition

    return decorate


@around(BaseResponse, "call_action")
def refuse_what_is_not_implemented(original: Callable[..., Any], self: BaseResponse) -> Any:
    try:
        return original(self)
    except NotImplementedError as error:
        said = f"{UNSUPPORTED}: {self.service_name}: {error}"
        LOG.warning(said)
        return 400, {"status": 400}, json.dumps({"__type": "ValidationException", "message": said})


def engine_version(engine: str) -> str | None:
    """The version that AWS has moved an engine on to by itself: from a JSON file that a test writes."""
    file = Path(os.environ["SMELT_MOTO_ENGINE_VERSIONS"])
    return dict(json.loads(file.read_text())).get(engine) if file.exists() else None


class Tags:
    """Tags of resources that moto knows without tags."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, str]] = {}

    def put(self, arn: str, given: Any) -> None:
        pairs = {one["Key"]: one["Value"] for one in given} if isinstance(given, list) else dict(given or {})
        self.of.setdefault(arn, {}).update(pairs)

    def remove(self, arn: str, keys: list[str]) -> None:
        for key in keys:
            self.of.get(arn, {}).pop(key, None)


TAGS = Tags()


# Application Auto Scaling


def _tag_target(self: BaseResponse) -> str:
    TAGS.put(self._get_param("ResourceARN"), self._get_param("Tags"))
    return "{}"


def _untag_target(self: BaseResponse) -> str:
    TAGS.remove(self._get_param("ResourceARN"), self._get_param("TagKeys"))
    return "{}"


def _tags_of_target(self: BaseResponse) -> str:
    return json.dumps({"Tags": TAGS.of.get(self._get_param("ResourceARN"), {})})


ApplicationAutoScalingResponse.tag_resource = _tag_target
ApplicationAutoScalingResponse.untag_resource = _untag_target
ApplicationAutoScalingResponse.list_tags_for_resource = _tags_of_target


@around(ApplicationAutoScalingResponse, "register_scalable_target")
def keep_tags_of_a_new_target(original: Callable[..., Any], self: BaseResponse) -> Any:
    answer = original(self)
    TAGS.put(json.loads(answer)["ScalableTargetARN"], self._get_param("Tags"))
    return answer


@around(ApplicationAutoscalingBackend, "put_scaling_policy")
def keep_the_arn_of_a_changed_policy(
    original: Callable[..., Any], self: ApplicationAutoscalingBackend, *arguments: Any, **named: Any
) -> Any:
    """Alarms name the policy by it."""
    before = dict(self.policies)
    policy: FakeApplicationAutoscalingPolicy = original(self, *arguments, **named)
    for key, known in before.items():
        if self.policies.get(key) is policy:
            policy.policy_arn = known.policy_arn
    return policy


# Budgets


def _budget_arn(self: BaseResponse) -> str:
    name = (self._get_param("Budget") or {}).get("BudgetName")
    return f"arn:aws:budgets::{self._get_param('AccountId')}:budget/{name}"


@around(BudgetsResponse, "create_budget")
def keep_tags_of_a_new_budget(original: Callable[..., Any], self: BaseResponse) -> Any:
    answer = original(self)
    TAGS.put(_budget_arn(self), self._get_param("ResourceTags"))
    return answer


def _tags_of_budget(self: BaseResponse) -> str:
    tags = TAGS.of.get(self._get_param("ResourceARN"), {})
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]})


def _subscribers(self: BudgetsResponse) -> str:
    budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("BudgetName")]
    wanted = [self._get_param("Notification")[key] for key in MATCHED]
    matching = [one for one in budget.notifications if [one.details[key] for key in MATCHED] == wanted]
    return json.dumps({"Subscribers": matching[0].subscribers if matching else []})


BudgetsResponse.list_tags_for_resource = _tags_of_budget
BudgetsResponse.describe_subscribers_for_notification = _subscribers


# Step Functions: the provider has a definition validated while it plans.


def _validate_definition(self: BaseResponse) -> ActionResult:
    definition = json.loads(self._get_param("definition"))
    states = definition["States"]
    reached = {definition["StartAt"], *(state["Next"] for state in states.values() if "Next" in state)}
    return ActionResult({"result": "OK" if reached == states.keys() else "FAIL", "diagnostics": [], "truncated": False})


StepFunctionResponse.validate_state_machine_definition = _validate_definition
StepFunctionResponse.list_state_machine_versions = lambda _: ActionResult({"stateMachineVersions": []})


# SQS


@around(Queue, "_set_attributes")
def keep_the_policies_of_a_queue(
    original: Callable[..., Any], self: Queue, attributes: dict[str, Any], now: float | None = None
) -> None:
    policy = getattr(self, "policy", None)
    original(self, attributes, now)
    if "Policy" not in attributes:
        self.policy = policy  # moto drops it whenever another attribute is set
    self.redrive_allow_policy = attributes.get("RedriveAllowPolicy", getattr(self, "redrive_allow_policy", None))


_queue_attributes: Any = Queue.attributes


def _with_redrive(self: Queue) -> dict[str, Any]:
    attributes = dict(_queue_attributes.fget(self))
    if self.redrive_allow_policy:
        attributes["RedriveAllowPolicy"] = self.redrive_allow_policy
    if self.redrive_policy:
        attributes["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
    return attributes


Queue.attributes = property(_with_redrive)


# S3: a lifecycle is returned as it was put; moto drops ObjectSizeGreaterThan.

LIFECYCLES: dict[str, str] = {}


@around(S3Response, "_bucket_response_put")
def keep_a_lifecycle(original: Callable[..., Any], self: S3Response, request: Any, bucket: str, query: Any) -> Any:
    if "lifecycle" in query:
        LIFECYCLES[bucket] = self.body.decode() if isinstance(self.body, bytes) else self.body
    return original(self, request, bucket, query)


@around(S3Response, "get_bucket_lifecycle")
def return_the_lifecycle(original: Callable[..., Any], self: S3Response) -> Any:
    status, headers, body = original(self)
    headers["x-amz-transition-default-minimum-object-size"] = "all_storage_classes_128K"
    return status, headers, LIFECYCLES.get(self.bucket_name, body)


# EC2: the description of a rule between two groups, or to a prefix list; moto keeps those of addresses only.


def _authorize(original: Callable[..., Any], self: SecurityGroups) -> Any:
    answer = original(self)
    given = [one.get("Description") for rule in self._get_param("IpPermissions", []) for one in _ends(rule)]
    for rule, description in zip(answer.result["SecurityGroupRules"], given, strict=True):
        rule.described = description
    return answer


def _ends(permission: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for kind in ("IpRanges", "UserIdGroupPairs", "PrefixListIds") for one in permission.get(kind, [])]


around(SecurityGroups, "authorize_security_group_ingress")(_authorize)
around(SecurityGroups, "authorize_security_group_egress")(_authorize)
SecurityGroupRule.description = property(lambda self: getattr(self, "described", None))


# ECS: a service has what it was given, and at once as many tasks as it wants, of the version that it wants.

GIVEN = {
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
    "capacityProviderStrategy": "capacity_provider_strategy",
    "deploymentConfiguration": "deployment_configuration",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "enableExecuteCommand": "enable_execute_command",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
}


def _deploy(original: Callable[..., Any], self: EC2ContainerServiceResponse) -> Any:
    given = {attribute: self._get_param(name) for name, attribute in GIVEN.items()}
    answer = original(self)
    service: Service = answer.result["service"]
    for attribute, value in given.items():
        if value is not None:
            setattr(service, attribute, value)
    service.running_count, service.pending_count = service.desired_count, 0
    service.deployments[0] |= {
        "taskDefinition": service.task_definition,
        "desiredCount": service.desired_count,
        "runningCount": service.running_count,
        "pendingCount": 0,
        "rolloutState": "COMPLETED",
    }
    return answer


around(EC2ContainerServiceResponse, "create_service")(_deploy)
around(EC2ContainerServiceResponse, "update_service")(_deploy)


# ElastiCache: a replication group has its nodes, which can be described, and goes when it is deleted.

OF_GROUPS = ("engine_version", "cache_parameter_group_name", "cache_subnet_group_name", "security_group_ids")


@around(ReplicationGroup, "__init__")
def keep_what_a_group_was_made_with(
    original: Callable[..., Any], self: ReplicationGroup, *arguments: Any, **named: Any
) -> None:
    nodes = named.get("num_cache_clusters") or 1
    original(
        self, *arguments, **{**named, "replicas_per_node_group": named.get("replicas_per_node_group") or nodes - 1}
    )
    self.given = named


@around(ElastiCacheBackend, "describe_cache_clusters")
def describe_nodes_of_groups(
    original: Callable[..., Any], self: ElastiCacheBackend, cache_cluster_id: str | None = None
) -> Any:
    for group in self.replication_groups.values():
        if cache_cluster_id in group.member_clusters:
            return [_node(self, group, str(cache_cluster_id))]
    return original(self, cache_cluster_id)


def _node(backend: ElastiCacheBackend, group: ReplicationGroup, name: str) -> CacheCluster:
    parameters = list(inspect.signature(CacheCluster.__init__).parameters)[1:]
    node = CacheCluster(
        **dict.fromkeys(parameters)
        | {key: group.given.get(key) for key in parameters}
        | {
            "account_id": backend.account_id,
            "region_name": backend.region_name,
            "cache_cluster_id": name,
            "tags": [],
        }
    )
    node.engine, node.num_cache_nodes, node.replication_group_id = group.engine, 1, group.replication_group_id
    node.cache_node_type = group.cache_node_type
    node.at_rest_encryption_enabled = group.at_rest_encryption_enabled
    node.transit_encryption_mode = group.transit_encryption_mode
    node.engine_version = engine_version("valkey") or f"{node.engine_version}.1"
    node.security_groups = [{"SecurityGroupId": one, "Status": "active"} for one in group.given["security_group_ids"]]
    return node


@around(ElastiCacheBackend, "delete_replication_group")
def remove_a_deleted_group(original: Callable[..., Any], self: ElastiCacheBackend, **named: Any) -> ReplicationGroup:
    group: ReplicationGroup = original(self, **named)
    del self.replication_groups[group.replication_group_id]
    return group


def _delete_subnet_group(self: ElastiCacheResponse) -> EmptyResult:
    self.elasticache_backend.cache_subnet_groups.pop(self._get_param("CacheSubnetGroupName"))
    return EmptyResult()


ElastiCacheResponse.delete_cache_subnet_group = _delete_subnet_group


# RDS: where a parameter comes from, what Performance Insights was given, and minor versions.

OF_INSIGHTS = {
    "enable_performance_insights": "performance_insights_enabled",
    "performance_insights_kms_key_id": "performance_insights_kms_key_id",
    "performance_insights_retention_period": "performance_insights_retention_period",
}


def _insights(original: Callable[..., Any], self: RDSBackend, *arguments: Any) -> DBInstance:
    instance: DBInstance = original(self, *arguments)
    for name, attribute in OF_INSIGHTS.items():
        if name in arguments[-1]:
            setattr(instance, attribute, arguments[-1][name])
    return instance


around(RDSBackend, "create_db_instance")(_insights)
around(RDSBackend, "modify_db_instance")(_insights)


@around(DBParameterGroup, "update_parameters")
def say_that_parameters_were_given(original: Callable[..., Any], self: DBParameterGroup, parameters: Any) -> None:
    original(self, [{**parameter, "Source": "user"} for parameter in parameters])


@around(RDSBackend, "describe_db_instances")
def move_an_instance_on(original: Callable[..., Any], self: RDSBackend, *arguments: Any, **named: Any) -> Any:
    instances = original(self, *arguments, **named)
    for instance in instances:
        instance.engine_version = engine_version(instance.engine) or instance.engine_version
    return instances
