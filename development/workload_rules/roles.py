"""Rules over what Roles allow, and over who is given Roles that nobody looked at."""

from collections.abc import Collection, Iterator, Sequence

from .finding import Broken
from .templates import Object, name_of

_READ, _WRITE = {"get", "list", "watch"}, {"create", "update", "patch", "delete", "deletecollection"}
_RBAC = "rbac.authorization.k8s.io"
# What runs code in a pod, or on a node, of somebody's choice.
_CODE = {"pods", "pods/exec", "pods/attach", "pods/ephemeralcontainers", "replicationcontrollers"}
_CODE |= {"deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs"}
_CHANGE = {"create", "update", "patch"}
# Of no namespace, so that a Role gives no right to them.
_OF_THE_CLUSTER = {"namespaces", "nodes", "persistentvolumes", "ingressclasses", "storageclasses", "volumeattachments"}
_OF_THE_CLUSTER |= {"clusterroles", "clusterrolebindings", "customresourcedefinitions", "priorityclasses", "csinodes"}
_OF_THE_CLUSTER |= {"validatingwebhookconfigurations", "mutatingwebhookconfigurations"}


def broken_by(objects: Sequence[Object]) -> Iterator[Broken]:
    """Yield every rule that Roles, ClusterRoles and their bindings break; those of Kubernetes itself are left out."""
    objects = [one for one in objects if str(one.get("apiVersion")).startswith(f"{_RBAC}/") and not _is_builtin(one)]
    roles = [one for one in objects if one["kind"] in ("Role", "ClusterRole")]
    bindings = [one for one in objects if one["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    for role in roles:
        yield from _secrets(role)
        yield from _escalates(role)
        if role["kind"] == "Role":
            yield from _gives_nothing(role, roles, bindings)
        elif not _is_namespaced_by(bindings, role):
            yield from _creates_pods(role)
    known = {name_of(role) for role in roles}
    for binding in bindings:
        yield from _unseen(binding, known)


def _is_builtin(one: Object) -> bool:
    return "kubernetes.io/bootstrapping" in (one["metadata"].get("labels") or {})


def _rules(role: Object) -> list[Object]:
    return role.get("rules") or []


def _has(rule: Object, field: str, wanted: Collection[str]) -> bool:
    values = rule.get(field) or []
    return "*" in values or any(value in wanted for value in values)


def _said(rules: Sequence[Object]) -> str:
    """Return rules in a line: verbs and resources, each once."""
    parts = [
        f"{'/'.join(rule.get('verbs') or [])} {'/'.join(rule.get('resources') or rule.get('nonResourceURLs') or [])}"
        for rule in rules
    ]
    return "; ".join(dict.fromkeys(parts))


def _secrets(role: Object) -> Iterator[Broken]:
    reading = [
        rule
        for rule in _rules(role)
        if _has(rule, "apiGroups", [""]) and _has(rule, "resources", ["secrets"]) and _has(rule, "verbs", _READ)
    ]
    reading = [rule for rule in reading if not rule.get("resourceNames")]
    if reading:
        space = "of all namespaces" if role["kind"] == "ClusterRole" else "of its namespace"
        yield Broken(
            "reads-secrets",
            name_of(role),
            f"reads every Secret {space}: {_said(reading)}",
            "Name the Secrets in resourceNames, or take the right away",
        )


def _escalates(role: Object) -> Iterator[Broken]:
    rules = [rule for rule in _rules(role) if _is_escalation(rule)]
    if rules:
        yield Broken(
            "escalates",
            name_of(role),
            f"may give itself, or act with, rights that it was not given: {_said(rules)}",
            "Name verbs and resources one by one; take escalate, bind, impersonate and writing RBAC away",
        )


def _is_escalation(rule: Object) -> bool:
    verbs, resources = rule.get("verbs") or [], rule.get("resources") or []
    if "*" in verbs or "*" in resources or any(verb in ("escalate", "bind", "impersonate") for verb in verbs):
        return True
    if _RBAC in (rule.get("apiGroups") or []):
        return _has(rule, "verbs", _WRITE)
    return "serviceaccounts/token" in resources and "create" in verbs


def _creates_pods(role: Object) -> Iterator[Broken]:
    rules = [
        rule
        for rule in _rules(role)
        if (_has(rule, "resources", _CODE) and _has(rule, "verbs", _CHANGE))
        or (_has(rule, "resources", ["nodes/proxy"]) and _has(rule, "verbs", _READ | _CHANGE))
    ]
    if rules:
        yield Broken(
            "creates-pods-cluster-wide",
            name_of(role),
            f"runs code of its choice in any namespace: {_said(rules)}",
            "Make it a Role in the namespaces that need it",
        )


def _gives_nothing(role: Object, roles: Sequence[Object], bindings: Sequence[Object]) -> Iterator[Broken]:
    """Yield each resource of the cluster that a Role names in vain, for no ClusterRole gives it to the same account."""
    holders = _subjects(bindings, "RoleBinding", role)
    given = {
        resource
        for other in roles
        if other["kind"] == "ClusterRole" and _subjects(bindings, "ClusterRoleBinding", other) & holders
        for resource in _resources(other)
    }
    for resource in sorted(_resources(role) & _OF_THE_CLUSTER - given):
        yield Broken(
            "gives-nothing",
            f"{name_of(role)}/{resource}",
            f"{resource} are in no namespace, so a Role gives no right to them: whoever needs it is refused",
            "Give it by a ClusterRole, bound by a ClusterRoleBinding",
        )


def _resources(role: Object) -> set[str]:
    """Return the resources that a role names, without subresources."""
    return {resource.partition("/")[0] for rule in _rules(role) for resource in rule.get("resources") or []}


def _subjects(bindings: Sequence[Object], kind: str, role: Object) -> set[tuple[str, str, str]]:
    """Return who has a role by bindings of a kind."""
    return {
        (subject["kind"], subject.get("namespace", ""), subject["name"])
        for binding in bindings
        if binding["kind"] == kind and _given(binding) == name_of(role)
        for subject in binding.get("subjects") or []
    }


def _is_namespaced_by(bindings: Sequence[Object], role: Object) -> bool:
    """Return whether a ClusterRole is given by RoleBindings alone, which hold in their own namespace only."""
    kinds = {one["kind"] for one in bindings if _given(one) == name_of(role)}
    return kinds == {"RoleBinding"}


def _given(binding: Object) -> str:
    """Return the role that a binding gives, as `name_of` has it."""
    reference = binding["roleRef"]
    namespace = binding["metadata"].get("namespace")
    place = f"{namespace}/" if reference["kind"] == "Role" and namespace else ""
    return f"{reference['kind']} {place}{reference['name']}"


def _unseen(binding: Object, known: Collection[str]) -> Iterator[Broken]:
    if _given(binding) not in known:
        yield Broken(
            "gives-unseen-role",
            name_of(binding),
            f"gives {_given(binding)}, whose rules are not among what was looked at",
            "Give a Role of our own, or hand in the Role too",
        )
