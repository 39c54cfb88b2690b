"""What a request about vouchers or wallets may meet.

NotFound
├── VoucherUnavailable     cannot be redeemed; one same answer for every reason
├── VoucherNotFound
├── RedemptionNotFound
├── ProfileNotFound
└── GenerationNotFound
Conflict
├── GenerationRunning
├── GenerationEnded
├── AlreadyRedeemed        by this user; carries the first redemption
├── VoucherExists
├── LimitBelowRedeemed
├── RedemptionReversed     a second reversal
├── RedemptionSpent        a reversal would take the balance below zero
├── ProfileExists
└── WalletElsewhere        money is moved in the deployment that keeps the wallets
Unprocessable
└── BalanceTooLow
Unavailable
├── WalletUnavailable      that deployment did not answer
├── WalletIsBehind         for long: it has not credited a redemption
└── WalletOrdersStranded   orders wait, and WALLET_URL is not set
"""

from dataclasses import asdict
from decimal import Decimal
from typing import Any
from uuid import UUID

from common.errors import Conflict, NotFound, Unavailable, Unprocessable
from vouchers.types import Redeemed


class VoucherUnavailable(NotFound):
    """One sentence and nothing else, so that an answer says nothing about which codes exist.

    Attributes: revision, redeemed: of the voucher at its refusal, 0 for an unknown code; for admission control only.
    """

    code = "voucher-unavailable"
    default_detail = "This voucher cannot be redeemed."

    def __init__(self, revision: int = 0, redeemed: int = 0) -> None:
        super().__init__()
        self.revision = revision
        self.redeemed = redeemed


class VoucherNotFound(NotFound):
    code = "voucher-not-found"
    default_detail = "There is no such voucher."


class RedemptionNotFound(NotFound):
    code = "redemption-not-found"
    default_detail = "There is no such redemption."

    def __init__(self, redemption_id: UUID) -> None:
        super().__init__(f"There is no redemption {redemption_id}.")


class ProfileNotFound(NotFound):
    code = "profile-not-found"
    default_detail = "There is no such profile."

    def __init__(self, phone_number: str) -> None:
        super().__init__(f"{phone_number} has no profile.")


class GenerationNotFound(NotFound):
    code = "generation-not-found"
    default_detail = "There is no such generation of vouchers."

    def __init__(self, generation_id: int) -> None:
        super().__init__(f"There is no generation {generation_id}.")


class GenerationRunning(Conflict):
    code = "generation-running"
    default_detail = "These vouchers are still being made; ask again when the status is not running any more."


class GenerationEnded(Conflict):
    code = "generation-ended"

    def __init__(self, generation_id: int, status: str) -> None:
        super().__init__(f"Generation {generation_id} is {status}; there is nothing to cancel.")


class AlreadyRedeemed(Conflict):
    """Attributes: first: the redemption that this user has; revision: of the voucher, for admission control only."""

    code = "already-redeemed"
    default_detail = "This user has redeemed the voucher already."

    def __init__(self, first: Redeemed, revision: int) -> None:
        super().__init__()
        self.first = first
        self.revision = revision

    def members(self) -> dict[str, Any]:
        return {"redemption": asdict(self.first)}


class VoucherExists(Conflict):
    code = "voucher-exists"
    default_detail = "There is a voucher with this code."

    def __init__(self, code: str) -> None:
        super().__init__(f"There is a voucher with the code {code} already.")


class LimitBelowRedeemed(Conflict):
    code = "limit-below-redeemed"
    default_detail = "The limit cannot be lower than what is redeemed already."

    def __init__(self, redeemed: int) -> None:
        super().__init__(f"{redeemed:,} users have redeemed this voucher; the limit cannot be lower.")


class RedemptionReversed(Conflict):
    code = "redemption-reversed"
    default_detail = "This redemption was reversed already."


class RedemptionSpent(Conflict):
    code = "redemption-spent"
    default_detail = "The redeemer has spent the amount, and a balance never goes below zero; nothing was reversed."


class ProfileExists(Conflict):
    code = "profile-exists"
    default_detail = "There is a profile with this phone number."

    def __init__(self, phone_number: str) -> None:
        super().__init__(f"{phone_number} has a profile already.")


class BalanceTooLow(Unprocessable):
    code = "balance-too-low"
    default_detail = "The balance would go below zero; nothing was done."

    def __init__(self, balance: Decimal) -> None:
        super().__init__(f"The balance is {balance}, and would go below zero; nothing was done.")


class WalletElsewhere(Conflict):
    code = "wallet-elsewhere"
    default_detail = "Another deployment keeps the wallets, and moves their money; ask there. Nothing was done."


class WalletUnavailable(Unavailable):
    """Attributes: reason: what happened instead of an answer; for logs."""

    code = "wallet-unavailable"
    default_detail = "The deployment that keeps the wallets did not answer; try again."

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class WalletIsBehind(Unavailable):
    code = "wallet-behind"
    default_detail = "The wallet has not credited a redemption for a minute."


class WalletOrdersStranded(Unavailable):
    code = "wallet-orders-stranded"
    default_detail = "Orders wait for a wallet, and WALLET_URL is not set: nobody delivers them."
