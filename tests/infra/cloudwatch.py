"""How CloudWatch evaluates an alarm, as its user guide describes it: "Configuring how alarms treat missing data" and "Using metric math".

Time is counted in minutes. A metric is {minute: value}; what has not been measured, or has not arrived yet, is not in it.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

FURTHER_BACK = 2  # minutes that are read beyond the evaluation periods; CloudWatch says only that there are some
COMPARISONS = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}
OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Gt: lambda a, b: a > b,
    ast.Lt: lambda a, b: a < b,
}

Metric = Mapping[int, float]


@dataclass(frozen=True)
class Alarm:
    """An alarm as Terraform renders it."""

    values: Mapping[str, Any]

    @property
    def expression(self) -> str | None:
        """Its metric math, or None where it watches one metric."""
        return next((query["expression"] for query in self.values["metric_query"] if query["expression"]), None)

    @property
    def names(self) -> dict[str, str]:
        """{id in the expression: name of the metric}"""
        if self.expression is None:
            return {"value": self.values["metric_name"]}
        queries = self.values["metric_query"]
        return {query["id"]: query["metric"][0]["metric_name"] for query in queries if query["metric"]}

    def state(self, metrics: Mapping[str, Metric], now: int, before: str) -> str:
        """OK, ALARM or INSUFFICIENT_DATA, from the points that have arrived: {id: metric}."""
        periods = int(self.values["evaluation_periods"])
        minutes = range(now - periods - FURTHER_BACK, now)
        tree = _parsed(self.expression or "value")
        points = [value for minute in minutes if (value := _value(tree, metrics, minute, minutes)) is not None]
        return self._decide(points, periods, before)

    def _decide(self, points: list[float], periods: int, before: str) -> str:
        missing = self.values["treat_missing_data"]
        compare, threshold = COMPARISONS[self.values["comparison_operator"]], self.values["threshold"]
        breaching = [compare(point, threshold) for point in points[-periods:]]
        if not points and missing == "ignore":
            return before
        if not points and missing == "missing":
            return "INSUFFICIENT_DATA"
        needed = self.values["datapoints_to_alarm"] or periods
        if missing == "breaching":
            breaching += [True] * (periods - len(breaching))
        if missing == "ignore" and len(breaching) < periods and sum(breaching) < needed:
            return before if any(breaching) else "OK"
        return "ALARM" if sum(breaching) >= needed else "OK"


@cache
def _parsed(expression: str) -> ast.expr:
    return ast.parse(expression.replace(" AND ", " and "), mode="eval").body


def _value(node: ast.expr, metrics: Mapping[str, Metric], minute: int, minutes: range) -> float | None:
    """The value of an expression at a minute; None where one of its metrics has none."""
    match node:
        case ast.Constant():
            return float(str(node.value))
        case ast.Name():
            return metrics[node.id].get(minute)
        case ast.Call(func=ast.Name(id="FILL"), args=[ast.Name(id=name), filling]):
            return _filled(metrics[name], filling, minute, minutes)
        case ast.Call(func=ast.Name(id="IF"), args=arguments):
            condition, then, otherwise = (_value(one, metrics, minute, minutes) for one in arguments)
            return None if condition is None else then if condition else otherwise
        case ast.BoolOp(op=ast.And(), values=parts):
            values = [_value(part, metrics, minute, minutes) for part in parts]
            return None if None in values else float(all(values))
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _both(operator, left, right, metrics, minute, minutes)
        case ast.BinOp(left=left, op=operator, right=right):
            return _both(operator, left, right, metrics, minute, minutes)
    raise AssertionError(f"not metric math that is known here: {ast.unparse(node)}")


def _both(
    operator: ast.AST, left: ast.expr, right: ast.expr, metrics: Mapping[str, Metric], minute: int, minutes: range
) -> float | None:
    a, b = (_value(one, metrics, minute, minutes) for one in (left, right))
    return None if a is None or b is None else float(OPERATORS[type(operator)](a, b))


def _filled(metric: Metric, filling: ast.expr, minute: int, minutes: range) -> float | None:
    if minute in metric:
        return metric[minute]
    if isinstance(filling, ast.Constant):
        return float(str(filling.value))
    assert ast.unparse(filling) == "REPEAT"
    return next((metric[one] for one in range(minute, minutes.start - 1, -1) if one in metric), None)
