"""What is asked of a limit, and what it answers."""

from typing import NamedTuple

from gateway.ratelimits.policies import LimitedRoute

Asked = tuple[LimitedRoute, str]  # with the client's name; a plain tuple, as one is made for every request


class Verdict(NamedTuple):
    """Attributes: admitted: how many of those asked for; wait_seconds: until one more would be, if some are not."""

    admitted: int
    wait_seconds: float
