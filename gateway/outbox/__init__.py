"""What follows a payment: messages to the tax ledger and to the banks, sent by a worker."""
