"""The logins of the stack `prod` on a live cluster."""

from components.foundation.names import WEB_USER
from tests.sandbox.conftest import CANARIES

WEB = (WEB_USER, CANARIES["webPassword"])
