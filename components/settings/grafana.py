"""Settings of Grafana."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .types import AS_TEXT, Https, Model, Resources, Text, Volume, sized

Group = Annotated[
    str,
    Field(
        pattern=r"^[\w@/.:=+-]+$",
        json_schema_extra={"allowed": "a name without spaces and quotes, such as monitoring-admins"},
    ),
    AS_TEXT,
]
Domain = Annotated[
    str,
    Field(
        pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$",
        json_schema_extra={"allowed": "a domain of e-mail addresses such as example.com"},
    ),
    AS_TEXT,
]
Attribute = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z_]\w*|\"[\w:./-]+\")(\.([A-Za-z_]\w*|\"[\w:./-]+\"))*$",
        json_schema_extra={"allowed": 'a JMESPath of names such as groups, realm_access.roles or "cognito:groups"'},
    ),
    AS_TEXT,
]


class SingleSignOnSettings(Model):
    """Where people log in to Grafana, and as what: whoever may log in is a viewer, unless a group says more.

    Args:
        provider: `genericOauth` for whatever speaks OpenID Connect. GitHub does not: it has Grafana's own connector.
        name: on the button of the login page.
        client_id: of the client that the provider knows; its secret is `grafanaClientSecret`.
        auth_url: where the provider asks who somebody is.
        token_url: where Grafana takes the token.
        api_url: where Grafana reads who it is; all three are known of GitHub.
        scopes: what Grafana asks for.
        groups_attribute: which attribute of a person has the groups.
        domains: of the e-mail addresses of those who may log in.
        organizations: at GitHub, whose members may log in.
        admins: the groups whose members are administrators.
        editors: the groups whose members change dashboards.
        viewers: the groups whose members may log in besides those two. Without, membership is not asked for.
    """

    provider: Literal["genericOauth", "github"] = "genericOauth"
    name: Text = "Single sign-on"
    client_id: Text
    auth_url: Https | None = None
    token_url: Https | None = None
    api_url: Https | None = None
    scopes: list[Group] = []
    groups_attribute: Attribute = "groups"
    domains: list[Domain] = []
    organizations: list[Group] = []
    admins: list[Group] = []
    editors: list[Group] = []
    viewers: list[Group] = []

    @model_validator(mode="after")
    def _somebody_may_log_in_and_not_everybody(self) -> "SingleSignOnSettings":
        if self.provider == "github":
            if self.viewers:
                raise ValueError("viewers is not asked for at github: organizations says who may log in")
            if not self.organizations:
                raise ValueError("provider github needs organizations: without them anyone with an account may log in")
            return self
        urls = {"authUrl": self.auth_url, "tokenUrl": self.token_url, "apiUrl": self.api_url}
        if missing := [key for key, url in urls.items() if url is None]:
            raise ValueError(f"provider genericOauth needs {', '.join(missing)}, as the provider documents them")
        if self.organizations:
            raise ValueError("organizations is for provider github: here domains or viewers say who may log in")
        if not self.domains and not self.viewers:
            raise ValueError("domains or viewers is needed: without them anyone whom the provider knows may log in")
        return self


class GrafanaSettings(Model):
    """Grafana. One replica: dashboards and datasources come from the program, its volume holds users."""

    storage: Volume = "10Gi"
    resources: Resources = sized("100m", "256Mi", "500m", "512Mi")
    single_sign_on: SingleSignOnSettings | None = None
