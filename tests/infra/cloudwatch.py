"""How CloudWatch evaluates an alarm, by its user guide: "How alarms treat missing data" and "Using metric math".

Time is counted in minutes. A metric is {minute: value}; what was not measured, or has not arrived yet, is not in it.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

FURTHER_BACK = 2  # minutes that are read beyond the evaluation periods; CloudWatch says only that there are some
COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}
OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
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
        window = Window(metrics, range(now - periods - FURTHER_BACK, now))
        values = (window.value(_parsed(self.expression or "value"), minute) for minute in window.minutes)
        points = [value for value in values if value is not None]
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


@dataclass(frozen=True)
class Window:
    """What CloudWatch reads for one evaluation."""

    metrics: Mapping[str, Metric]
    minutes: range

    def value(self, node: ast.expr, minute: int) -> float | None:
        """The value of an expression at a minute; None where a metric that it needs has none."""
        match node:
            case ast.Constant(value=value):
                return float(str(value))
            case ast.Name(id=name):
                return self.metrics[name].get(minute)
            case ast.Call(func=ast.Name(id="FILL"), args=[ast.Name(id=name), filling]):
                return self._filled(self.metrics[name], filling, minute)
            case ast.Call(func=ast.Name(id="IF"), args=parts):
                return _chosen(*(self.value(part, minute) for part in parts))
            case ast.BoolOp(op=ast.And(), values=parts):
                return _combined(min, [self.value(part, minute) for part in parts])
            case ast.Compare(left=left, ops=[symbol], comparators=[right]) | ast.BinOp(left, symbol, right):
                return _combined(OPERATORS[type(symbol)], [self.value(part, minute) for part in (left, right)])
            case _:
                raise NotImplementedError(ast.unparse(node))

    def _filled(self, metric: Metric, filling: ast.expr, minute: int) -> float | None:
        if minute in metric:
            return metric[minute]
        if isinstance(filling, ast.Constant):
            return float(str(filling.value))
        return next((metric[one] for one in range(minute, self.minutes.start - 1, -1) if one in metric), None)


def _chosen(condition: float | None, then: float | None, otherwise: float | None) -> float | None:
    return None if condition is None else then if condition else otherwise


def _combined(operation: Callable[..., float], values: list[float | None]) -> float | None:
    return None if None in values else float(operation(*values))
