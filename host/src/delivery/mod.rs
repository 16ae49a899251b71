//! What is delivered and what is not: ledger, checkpoints, byte budgets.
