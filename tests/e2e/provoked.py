"""A stack in which everything fails once: the source, the database, the cache, messages, the code itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from infra.embedded import applications, postgres, stack, state
from shared.config.topology import SILVER
from shared.database import migrate
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Deployment

POSTING = (
    b'{"SearchResult": {"SearchResultItems": [{"MatchedObjectId": "%d",'
    b' "MatchedObjectDescriptor": {"PositionTitle": "Smelter"}}]}}'
)
BAD_MESSAGES = ("not JSON", '{"version": 1, "type": "run", "dataset": "none", "params": {}}', '{"Records": [{}]}')
COMMANDS = (
    "status",
    "queues",
    "workers",
    "runs list",
    "reconcile",
    "check",
    "dlq list",
    "quarantine list",
    "drift",
    "top --once",
)


@dataclass
class Provoked:
    """The stack, and all that commands and processes said while things were wrong."""

    deployment: Deployment
    said: list[str] = field(default_factory=list)

    def everything(self) -> None:
        """One failure after the other, each seen before the next."""
        self.source_fails()
        self.database_refuses()
        self.messages_are_bad()
        self.environment_is_wrong()
        self.cache_is_away()
        self.code_fails()

    def source_fails(self) -> None:
        """A refused key, and a run that comes through after errors of the server."""
        self.deployment.simulator(faults={"401": 1})
        self.say("runs", "start", "usajobs_search", "--wait")
        self.deployment.simulator(faults={"500": 2})
        self.say("runs", "start", "usajobs_search", "--wait")

    def database_refuses(self) -> None:
        """Its password is another one for a while."""
        with self.another_password():
            self.deployment.upload("refused.json", POSTING % 1)
            self.logged("loader", "password authentication failed")
            self.ask_everything()
        self.deployment.ledger("uploads/usajobs_search/refused.json")

    def code_fails(self) -> None:
        """An error that nobody foresaw, at the last attempt: the log has its traceback. No loader works after it."""
        self.end("loader-1", signal.SIGTERM)
        self.as_owner("alter table ops.quarantine rename to gone")
        self.deployment.upload("unforeseen.json", POSTING % 2)
        self.deployment.eventually(self.one_attempt_is_left)
        self.process("services.loader.worker", until="Traceback")
        self.as_owner("alter table ops.gone rename to quarantine")

    def one_attempt_is_left(self) -> bool:
        """Of those that the loader has for a message, which this takes and lets go."""
        got = self.deployment.client("sqs").receive_message(
            QueueUrl=self.deployment.environment["SMELT_SILVER_QUEUE_URL"],
            VisibilityTimeout=0,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        counts = [int(one["Attributes"]["ApproximateReceiveCount"]) for one in got.get("Messages", [])]
        return SILVER.max_receives - 1 in counts

    def end(self, name: str, how: signal.Signals) -> None:
        """A part of the stack; nobody starts it again."""
        part = next(one for one in stack.status(self.deployment.home) if one.name == name)
        assert part.pid
        os.kill(part.pid, how)
        self.deployment.eventually(lambda: not Path(f"/proc/{part.pid}/cmdline").read_bytes())

    def messages_are_bad(self) -> None:
        """On every queue, and dead letters of them."""
        sqs = self.deployment.client("sqs")
        for name in self.deployment.environment:
            for body in BAD_MESSAGES if name.endswith("_QUEUE_URL") else ():
                sqs.send_message(QueueUrl=self.deployment.environment[name], MessageBody=body)
        self.deployment.eventually(lambda: BAD_MESSAGES[0] in self.say("dlq", "list", "--json"))

    def environment_is_wrong(self) -> None:
        """Passwords with characters that break an address, and TLS with a server that has none."""
        given = self.deployment.environment
        database, cache = given["SMELT_DATABASE_URL"], given["SMELT_REDIS_URL"]
        for wrong in (
            {"SMELT_DATABASE_URL": database.replace("@", "@@")},
            {"SMELT_DATABASE_URL": f"{database}#@"},
            {"SMELT_REDIS_URL": cache.replace("@", "/@")},
        ):
            for module in ("services.ops.main", "services.loader.worker", "services.serving"):
                self.process(module, **wrong)
        self.process("services.ops.main", SMELT_REDIS_URL=cache.replace("redis", "rediss"))
        self.process("services.ops.main", SMELT_DATABASE_URL=f"{database}?sslmode=verify-full&sslrootcert=system")

    def cache_is_away(self) -> None:
        """It is not there."""
        self.end("valkey", signal.SIGKILL)
        self.say("runs", "start", "usajobs_search", "--param", "keyword=nurse", "--wait")
        self.logged("transformer", "content_hashes.get_failed")
        self.ask_everything()

    def ask_everything(self) -> None:
        """What an operator would."""
        for command in COMMANDS:
            self.say(*command.split())

    def say(self, *arguments: str) -> str:
        """What a command says, however it ends."""
        result = self.deployment.smelt(*arguments)
        self.said += [result.stdout, result.stderr]
        return result.stdout

    def process(self, module: str, until: str = "", **environment: str) -> None:
        """A process that cannot work, until it ends, or until it has said this."""
        program = "from services.ops.main import main; import sys; sys.argv[1:] = ['top', '--once']; main()"
        command = ["-c", program] if module == "services.ops.main" else ["-m", module]
        output = self.deployment.home.parent / "process.log"
        with (
            output.open("w") as log,
            subprocess.Popen(
                [sys.executable, *command],
                cwd=REPOSITORY,
                env=os.environ | self.deployment.environment | environment,
                stdout=log,
                stderr=log,
            ) as started,
        ):
            try:
                self.deployment.eventually(
                    lambda: started.poll() is not None or (until and until in output.read_text())
                )
            finally:
                started.terminate()
        self.said.append(output.read_text())

    def logged(self, service: str, part: str) -> None:
        """Wait until the service has said so."""
        files = [*(self.deployment.home / "logs").glob(f"{service}*")]
        assert files
        self.deployment.eventually(lambda: any(part in file.read_text() for file in files))

    def as_owner(self, statement: str) -> None:
        """Change the schema under the services."""
        engine = migrate.engine_of(self.deployment.environment["SMELT_DATABASE_URL"])
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    @contextmanager
    def another_password(self) -> Iterator[None]:
        """The owner's password is not what the services were told, and connections are lost."""
        held = self.state()
        with postgres._administer(applications.database_server(held)) as connection:
            connection.execute(text("alter role smelt password 'something-else'"))
            connection.execute(text("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'smelt'"))
            try:
                yield
            finally:
                connection.execute(text(f"alter role smelt password '{held.secrets.database_owner}'"))

    def state(self) -> state.State:
        """What the stack knows, its secrets among it."""
        held = state.load(self.deployment.home)
        assert held
        return held
