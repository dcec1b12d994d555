"""Single sign-on: who may log in to Grafana and as what, by what Grafana's documentation says of its configuration."""

import re
from pathlib import Path
from typing import Any

import jmespath
import pytest
import yaml
from pydantic import ValidationError

from components.grafana import single_sign_on
from components.settings.grafana import GrafanaSettings, SingleSignOnSettings
from tests.offline import ROOT, Run, canary, run

PAGE = ROOT / "docs" / "single-sign-on.md"
# Of the table of options in docs/sources/setup-grafana/configure-access/configure-authentication/, generic-oauth/ and
# github/, at v13.2.0 of github.com/grafana/grafana.
DOCUMENTED = {
    "allow_sign_up",
    "allowed_domains",
    "allowed_groups",
    "allowed_organizations",
    "api_url",
    "auth_url",
    "client_id",
    "client_secret",
    "enabled",
    "groups_attribute_path",
    "name",
    "role_attribute_path",
    "scopes",
    "token_url",
    "use_pkce",
}
URLS = {f"{name}Url": f"https://login.example.com/{name}" for name in ("auth", "token", "api")}
KEYCLOAK: dict[str, Any] = {
    "clientId": "grafana",
    **URLS,
    "admins": ["/monitoring-admins"],
    "editors": ["/developers", "/support"],
    "viewers": ["/everybody"],
}
GOOGLE: dict[str, Any] = {
    "clientId": "grafana",
    **URLS,
    "domains": ["example.com"],
    "groupsAttribute": "email",
    "admins": ["a@example.com"],
}
GITHUB: dict[str, Any] = {
    "provider": "github",
    "clientId": "grafana",
    "organizations": ["mangakai"],
    "admins": ["@mangakai/monitoring"],
}


def section(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the section of the provider."""
    sections = single_sign_on.sections(SingleSignOnSettings.model_validate(settings))
    (found,) = (options for name, options in sections.items() if name.startswith("auth."))
    return found


def role(settings: dict[str, Any], *sources: dict[str, Any]) -> str:
    """Return who somebody is by the token and the API, as Grafana finds it: the first text, else that of new users.

    Source: extractRoleAndOrgs of pkg/login/social/connectors/generic_oauth.go, and auto_assign_org_role.
    """
    path = section(settings).get("role_attribute_path")
    found = [jmespath.search(path, source) for source in sources] if path else []
    new = single_sign_on.sections(SingleSignOnSettings.model_validate(settings))["users"]["auto_assign_org_role"]
    return next((text for text in found if isinstance(text, str)), new)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["/monitoring-admins"], "Admin"),
        (["/support", "/monitoring-admins"], "Admin"),
        (["/developers"], "Editor"),
        (["/everybody"], "Viewer"),
        (["/monitoring-admins/former"], "Viewer"),
        ([], "Viewer"),
        (None, "Viewer"),
        ("/monitoring-admins", "Admin"),
        # A part of a text is no group.
        ("/monitoring-admins-of-others", "Viewer"),
    ],
)
def test_groups_are_roles_and_everybody_else_is_a_viewer(groups: object, expected: str) -> None:
    assert role(KEYCLOAK, {"sub": "1", "groups": groups}) == expected


@pytest.mark.parametrize(
    ("attribute", "person"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["/support"]}}),
        ('"cognito:groups"', {"cognito:groups": ["/support"]}),
        ('"https://example.com/claims".groups', {"https://example.com/claims": {"groups": ["/support"]}}),
    ],
)
def test_groups_are_where_the_attribute_says(attribute: str, person: dict[str, Any]) -> None:
    assert role({**KEYCLOAK, "groupsAttribute": attribute}, person) == "Editor"


def test_groups_that_only_the_api_tells_count_too() -> None:
    assert role(KEYCLOAK, {"sub": "1"}, {"sub": "1", "groups": ["/monitoring-admins"]}) == "Admin"


def test_who_is_in_no_group_of_the_settings_is_not_let_in() -> None:
    options = section(KEYCLOAK)
    assert options["allowed_groups"].split() == ["/monitoring-admins", "/developers", "/support", "/everybody"]
    assert jmespath.search(options["groups_attribute_path"], {"groups": ["/everybody"]}) == ["/everybody"]


def test_at_google_a_person_is_a_group() -> None:
    assert [role(GOOGLE, {"email": email}) for email in ("a@example.com", "b@example.com")] == ["Admin", "Viewer"]
    assert section(GOOGLE)["allowed_domains"] == "example.com"
    assert "allowed_groups" not in section(GOOGLE), "the domain says who may log in"


def test_at_github_a_team_is_a_group() -> None:
    """Grafana reads a person, then `groups`, which it makes of the teams."""
    person = {"login": "octocat", "id": 1}
    assert role(GITHUB, person, {"groups": ["@mangakai/monitoring"]}) == "Admin"
    assert role(GITHUB, person, {"groups": ["@others/monitoring"]}) == "Viewer"
    options = section(GITHUB)
    assert (options["allowed_organizations"], options["scopes"]) == ("mangakai", "user:email read:org")
    assert not {"auth_url", "token_url", "api_url"} & options.keys(), "Grafana knows them"


def test_each_option_is_one_of_grafana() -> None:
    assert section(KEYCLOAK).keys() | section(GITHUB).keys() | section(GOOGLE).keys() == DOCUMENTED
    of_github = single_sign_on.sections(SingleSignOnSettings.model_validate(GITHUB))
    of_keycloak = single_sign_on.sections(SingleSignOnSettings.model_validate(KEYCLOAK))
    assert of_github.keys() | of_keycloak.keys() == {"auth.generic_oauth", "auth.github", "users"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"authUrl": None}, "provider genericOauth needs authUrl, as the provider documents them"),
        ({"viewers": []}, "domains or viewers is needed: without them anyone whom the provider knows may log in"),
        ({"organizations": ["a"]}, "organizations is for provider github"),
        ({"admins": ["it's"]}, "should match pattern"),
        ({"admins": ["a b"]}, "should match pattern"),
        ({"groupsAttribute": "a || 'Admin'"}, "should match pattern"),
        ({"groupsAttribute": "cognito:groups"}, "should match pattern"),
        ({"domains": ["*.com"]}, "should match pattern"),
        ({"authUrl": "http://login.example.com"}, "should match pattern"),
        ({**GITHUB, "viewers": [], "editors": [], "organizations": []}, "provider github needs organizations"),
        (GITHUB, "viewers is not asked for at github"),
    ],
)
def test_what_lets_in_everybody_or_nobody_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(problem)):
        SingleSignOnSettings.model_validate({**KEYCLOAK, **change})


def values(stack: Run) -> Any:
    (release,) = (one for one in stack.of_type("kubernetes:helm.sh/v3:Release") if one.name == "grafana")
    return release.inputs["values"]


def test_the_secret_is_a_file_and_the_administrator_stays(tmp_path: Path) -> None:
    stack = run("prod", tmp_path, {"grafana": {"singleSignOn": KEYCLOAK}})
    found = values(stack)
    ini = found["grafana.ini"]
    assert canary("grafanaClientSecret") not in str(found)
    (mount,) = (each for each in found["extraSecretMounts"] if each["secretName"] == "grafana-single-sign-on")
    assert ini["auth.generic_oauth"]["client_secret"] == f"$__file{{{mount['mountPath']}/client-secret}}"
    assert found["admin"] == {"existingSecret": "grafana-admin"}
    assert "disable_login_form" not in ini.get("auth", {})
    assert ini["users"] == {"allow_sign_up": False, "auto_assign_org_role": "Viewer", "viewers_can_edit": True}
    assert ini["auth.anonymous"] == {"enabled": False}


def test_without_it_nothing_of_grafana_changes(runs: dict[str, Run]) -> None:
    found = values(runs["prod"])
    assert not [name for name in found["grafana.ini"] if name.startswith("auth.") and name != "auth.anonymous"]
    assert [each["secretName"] for each in found["extraSecretMounts"]] == ["mangakai-logs-es-http-certs-public"]


def test_the_examples_of_the_documents_are_settings() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    examples = [yaml.safe_load(block)["mangakai-monitoring:grafana"] for block in blocks]
    assert len(examples) == 3, "Google, GitHub, Keycloak"
    for example in examples:
        settings = GrafanaSettings.model_validate(example).single_sign_on
        assert settings is not None
        assert settings.admins, settings
