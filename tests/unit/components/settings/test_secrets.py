"""The secrets wait for what has to be registered before them."""

import asyncio
from dataclasses import fields
from typing import Any

import pulumi

from components.settings import Secrets


def test_they_are_known_once_a_resource_is_registered_and_stay_secret() -> None:
    async def program() -> None:
        urn: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        given: dict[str, Any] = {one.name: pulumi.Output.secret(one.name) for one in fields(Secrets)}
        secrets = Secrets(**given | {"backup_password": None}).known_after(pulumi.Output.from_input(urn))
        values = [asyncio.ensure_future(getattr(secrets, name).future()) for name in given if name != "backup_password"]
        await asyncio.sleep(0.1)
        assert not any(value.done() for value in values)
        urn.set_result("urn:pulumi:local::mangakai-monitoring::kubernetes:core/v1:Namespace::monitoring")
        assert await asyncio.gather(*values) == [name for name in given if name != "backup_password"]
        assert secrets.backup_password is None
        assert await secrets.internal_seed.is_secret()

    asyncio.run(program())
