"""The commands of `smelt` for the stack on this machine, an entry point of the group `smelt.commands`."""

from services.ops.cli.lazy_group import LazyCommand

COMMANDS = (
    LazyCommand(
        "up",
        "infra.embedded.cli.commands:up",
        "Start everything on this machine: Postgres, Valkey, an AWS emulator, workers, console, search page.",
    ),
    LazyCommand("down", "infra.embedded.cli.commands:down", "Stop the embedded stack; its data stays."),
    LazyCommand(
        "status",
        "infra.embedded.cli.commands:status",
        "Show the parts of the embedded stack. Exit 0 only if all of them run.",
    ),
    LazyCommand(
        "restart",
        "infra.embedded.cli.commands:restart",
        "Stop a part of the embedded stack and start it again; what it works on is given back first.",
    ),
    LazyCommand(
        "logs",
        "infra.embedded.cli.logs:logs",
        "Print the logs of a part of the embedded stack, or of all workers of a service.",
    ),
    LazyCommand(
        "env",
        "infra.embedded.cli.commands:env",
        "Print the environment of the running stack as `export` lines, for psql, aws, boto3 and the workers.",
    ),
)
