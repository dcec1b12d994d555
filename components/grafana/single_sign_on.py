"""Single sign-on as Grafana's configuration has it.

Sources: https://grafana.com/docs/grafana/latest/setup-grafana/configure-access/configure-authentication/generic-oauth/
and …/github/.
"""

from typing import Any

from ..foundation.names import CLIENT_SECRET, GRAFANA_SINGLE_SIGN_ON
from ..settings.grafana import SingleSignOnSettings

_FOLDER = "/etc/grafana/single-sign-on"
_SECTIONS = {"genericOauth": "auth.generic_oauth", "github": "auth.github"}
_SCOPES = {"genericOauth": ["openid", "profile", "email"], "github": ["user:email", "read:org"]}
MOUNT = {
    "name": "single-sign-on",
    "secretName": GRAFANA_SINGLE_SIGN_ON,
    "mountPath": _FOLDER,
    "readOnly": True,
}


def sections(settings: SingleSignOnSettings) -> dict[str, dict[str, Any]]:
    """Return the sections of grafana.ini: the provider's, and who people are whom no group makes more."""
    options: dict[str, Any] = {
        "enabled": True,
        "name": settings.name,
        "client_id": settings.client_id,
        "client_secret": f"$__file{{{_FOLDER}/{CLIENT_SECRET}}}",
        "scopes": " ".join(settings.scopes or _SCOPES[settings.provider]),
        "auth_url": settings.auth_url,
        "token_url": settings.token_url,
        "api_url": settings.api_url,
        # Who logs in for the first time becomes a user of Grafana; the login form has no such way.
        "allow_sign_up": True,
        "use_pkce": True,
        "allowed_domains": " ".join(settings.domains),
        "allowed_organizations": " ".join(settings.organizations),
        "role_attribute_path": _role(settings),
        **_groups(settings),
    }
    known = {key: value for key, value in options.items() if value not in (None, "")}
    # Else the links of mails, and those from a line to its trace, lead a viewer nowhere: they are Explore's.
    users = {"allow_sign_up": False, "auto_assign_org_role": "Viewer", "viewers_can_edit": True}
    return {_SECTIONS[settings.provider]: known, "users": users}


def _every_group(settings: SingleSignOnSettings) -> str:
    """Return the JMESPath of a person's groups as a list, be they a list, one text, or none."""
    return f"[{settings.groups_attribute}][]"


def _role(settings: SingleSignOnSettings) -> str:
    """Return the JMESPath of a person's role.

    It finds none where no group says more: Grafana looks into the token, then at the API, and takes the first that it
    finds. A viewer in the token would stay one whatever the API says of groups.
    """
    groups = _every_group(settings)
    of_roles = [("Admin", settings.admins), ("Editor", settings.editors)]
    return " || ".join(f"contains({groups}, '{group}') && '{role}'" for role, of in of_roles for group in of)


def _groups(settings: SingleSignOnSettings) -> dict[str, str]:
    if not settings.viewers:
        return {}
    allowed = dict.fromkeys([*settings.admins, *settings.editors, *settings.viewers])
    return {"groups_attribute_path": _every_group(settings), "allowed_groups": " ".join(allowed)}
