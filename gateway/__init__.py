"""A gateway for returns: Loop's RMAs to a 3PL as files, the 3PL's receipts back to Loop, refunds into stock and credit."""
