"""What `smelt up` says while it stays: every object that was loaded, every message that died."""

import time
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.ops.cli.output import plain, say
from services.ops.connections import Connections
from services.ops.dlq import dead_letters

PAUSE = 1.0  # s between two looks
LOADED = text("""
    select id, key, read, inserted, updated, unchanged, stale, quarantined
    from ops.loaded_object where id > :after order by id
""")


@dataclass
class Narrator:
    """Remembers what it has said. Starts with what is new from now on."""

    connections: Connections
    last_object: int = -1
    letters: set[str] = field(default_factory=set)

    def stay(self) -> None:
        """Say what happens, for as long as the process lives; what cannot be looked at now is said later."""
        while True:
            try:
                self.say_loaded()
                self.say_dead()
            except (DBAPIError, BotoCoreError, ClientError):
                pass  # the supervisor says that a part is down
            time.sleep(PAUSE)

    def say_loaded(self) -> None:
        """A line for each object loaded since the last look."""
        with self.connections.database.connect() as connection:
            if self.last_object < 0:
                self.last_object = connection.scalar(text("select coalesce(max(id), 0) from ops.loaded_object")) or 0
            for row in connection.execute(LOADED, {"after": self.last_object}):
                self.last_object = row.id
                say(
                    f"loaded {plain(row.key)}: read {row.read} = inserted {row.inserted} + updated {row.updated}"
                    f" + unchanged {row.unchanged} + stale {row.stale} + quarantined {row.quarantined}"
                )

    def say_dead(self) -> None:
        """A line for each dead letter not said before."""
        for letter in dead_letters.look_if_any(self.connections):
            if letter.id not in self.letters:
                self.letters.add(letter.id)
                say(f"[red]dead letter[/red] on {plain(letter.line)}")
