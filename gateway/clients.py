"""Who sends a request."""

from typing import NamedTuple

from gateway.http import Scope

ACCOUNT_HEADER = b"x-floodgate-account"  # from the gateway to Django


class Client(NamedTuple):
    """Attributes: address: IP address; account: name of its API key, empty without one."""

    address: str
    account: str = ""

    @property
    def name(self) -> str:
        """Whom limits count: the account, else the address."""
        return self.account or self.address


def identify(scope: Scope) -> Client:
    """The client of a request."""
    return Client((scope.get("client") or ("",))[0])
