"""Which labels the result of a PromQL expression has, worked out from those of its metrics.

Prometheus does not mind a label that is not there: `by (pood)` sums everything up, and two sides with different labels
match nothing, so that an alert never fires (D-031, D-035). Here both are errors.
"""

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    LabelModifierType,
    MatchOp,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorMatchCardinality,
    VectorSelector,
)

from tests.catalogue.catalogue import ClosureError, Labels, reached

_KEEP = {"count_over_time", "deriv", "increase", "last_over_time", "max_over_time", "predict_linear", "rate", "sort"}


def labels_of(expr: Expr) -> Labels | None:
    """Return the labels of an expression's result; None for a number.

    Raises ClosureError where a label is used that is not there, where the two sides of an operator cannot match, and
    for functions and modifiers that no query here has needed yet.
    """
    match expr:
        case NumberLiteral() | StringLiteral():
            return None
        case ParenExpr() | SubqueryExpr() | UnaryExpr():
            return labels_of(expr.expr)
        case VectorSelector():
            return reached(expr).labels
        case MatrixSelector():
            return reached(expr.vector_selector).labels
        case Call():
            return _of_call(expr)
        case AggregateExpr():
            return _of_aggregation(expr)
        case BinaryExpr():
            return _of_operator(expr)
        case _:
            raise ClosureError(f"{expr.prettify()}: {type(expr).__name__} is not known here yet")


def _vector(expr: Expr) -> Labels:
    labels = labels_of(expr)
    if labels is None:
        raise ClosureError(f"{expr.prettify()}: a number, where series are needed")
    return labels


def _of_call(call: Call) -> Labels | None:
    name = call.func.name
    if name in _KEEP:
        return _vector(call.args[0])
    if name == "time":
        return None
    if name == "vector":
        return frozenset()
    if name == "histogram_quantile":
        buckets = _vector(call.args[1])
        _require({"le"}, buckets, call)
        return buckets - {"le"}
    if name == "absent":
        _vector(call.args[0])
        return frozenset(matcher.name for matcher in call.args[0].matchers.matchers if matcher.op == MatchOp.Equal)
    raise ClosureError(f"{call.prettify()}: {name}() is not known here yet")


def _of_aggregation(expr: AggregateExpr) -> Labels:
    inner = _vector(expr.expr)
    if str(expr.op) == "topk":
        return inner
    if expr.modifier is None:
        return frozenset()
    if expr.modifier.type != AggModifierType.By:
        raise ClosureError(f"{expr.prettify()}: without() keeps what nobody has looked at; name the labels by by()")
    _require(set(expr.modifier.labels), inner, expr)
    return frozenset(expr.modifier.labels)


def _of_operator(expr: BinaryExpr) -> Labels | None:
    left, right = labels_of(expr.lhs), labels_of(expr.rhs)
    if left is None or right is None:
        return right if left is None else left
    if str(expr.op) == "or":
        return left | right
    matching = expr.modifier.matching if expr.modifier else None
    if matching is None:
        if left != right:
            raise ClosureError(f"{expr.prettify()}: {sorted(left)} matches no {sorted(right)}")
        return left
    if matching.type != LabelModifierType.Include:
        raise ClosureError(f"{expr.prettify()}: ignoring() is not known here yet")
    on = set(matching.labels)
    _require(on, left & right, expr)
    many = expr.modifier is not None and expr.modifier.card == VectorMatchCardinality.ManyToOne
    return left if many or str(expr.op) in {"and", "unless"} else frozenset(on)


def _require(wanted: set[str], there: Labels, expr: Expr) -> None:
    if missing := wanted - there:
        raise ClosureError(f"{expr.prettify()}: there is no label {', '.join(sorted(missing))}")
