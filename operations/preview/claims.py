"""The claim templates of what has volumes, before and after: what the claims that are there cannot become."""

import copy
from typing import Any

from components.settings.types import to_bytes

# Size, StorageClass, and everything else.
_Claim = tuple[float, str, Any]


def cannot_become(old: Any, new: Any, operated: bool, claims_fit: bool) -> bool:
    """Return whether claim templates cannot become others in place.

    Args:
        old: the templates, or None.
        new: the same, after the change.
        operated: whether Elastic's operator makes the StatefulSet: it lets claims grow, and looks at nothing else.
        claims_fit: whether size and class are known to be possible.
    """
    before, after = _claims(old), _claims(new)
    if len(before) != len(after):
        return True
    pairs = list(zip(before, after, strict=True))
    if not operated and any(one[2] != other[2] for one, other in pairs):
        return True
    if claims_fit:
        return False
    same_or_larger = all(one[1] == other[1] and one[0] <= other[0] for one, other in pairs)
    return not (operated and same_or_larger)


def _claims(templates: Any) -> list[_Claim]:
    found = []
    for template in copy.deepcopy(templates or []):
        spec = template.get("spec", {})
        size = spec.get("resources", {}).get("requests", {}).pop("storage", "0")
        found.append((to_bytes(str(size)), str(spec.pop("storageClassName", "")), template))
    return found
