"""What a resolver is given besides its arguments."""

import datetime
from dataclasses import KW_ONLY, field

from auth.signatures import RequestSignature
from auth.tokens import Caller
from contributions.plain import record
from database.pool import InstitutionPool
from database.vault import Vault
from resolvers.lookups import Lookups


@record
class Call:
    """Who calls, on which business date, and the way to the database."""

    caller: Caller
    #: The connections of the caller's institution.
    pool: InstitutionPool
    vault: Vault
    business_date: datetime.date
    quote_ttl: datetime.timedelta
    _: KW_ONLY
    #: In the sandbox a callback may be on this machine.
    sandbox: bool = False
    #: Verified, of the request that the call came with.
    signature: RequestSignature | None = None
    lookups: Lookups = field(default_factory=Lookups)

    def opaque_id(self, kind: str, row_id: int) -> str:
        """Return the id under which the caller's institution knows a row."""
        return self.vault.opaque_id(kind, row_id, self.caller.institution_id)

    def row_id(self, kind: str, opaque_id: str) -> int | None:
        """Return the row of an id that was given to the caller's institution; None for any other text."""
        found = self.vault.read_opaque_id(opaque_id, self.caller.institution_id)
        return found[1] if found is not None and found[0] == kind else None
