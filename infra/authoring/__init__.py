"""`smelt datasets infer`, `try` and `new`: write contracts from samples, and try files against contracts."""

from services.ops.cli.lazy_group import LazyCommand

COMMANDS = (
    LazyCommand("infer", "infra.authoring.commands:infer_contract", "Write a contract from a sample."),
    LazyCommand("try", "infra.authoring.commands:try_file", "Show what a file would become; nothing is stored."),
    LazyCommand("new", "infra.authoring.commands:new_contract", "Write the skeleton of a contract."),
)
