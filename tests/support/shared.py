"""An account, and a database in a real PostgreSQL server that it is synced into; it is empty at first."""

import hashlib
from typing import Any

from support import details_reader
from support.engines import PostgreSql
from support.harness import FIELDS, TIMES, Account, Ran, Record, assembled, assert_same
from support.killing import KILL_POINTS
from support.processes import Started

# Also what an earlier test has left under a name like ours.
_DROP_EVERYTHING = """
    do $$
    declare named text;
    begin
        for named in select quote_ident(nspname) from pg_namespace where nspname ~ '^(cekura|analytics)' loop
            execute 'drop schema ' || named || ' cascade';
        end loop;
    end $$
"""


class Shared:
    def __init__(self, account: Account, server: str) -> None:
        self.account = account
        self.world = account.world
        self.address = server
        self.env = {"CEKURA_DESTINATION": "postgres", "DESTINATION__POSTGRES__CREDENTIALS": self.address}
        self.execute(_DROP_EVERYTHING)

    def begin_synced(self, *options: str) -> None:
        """As after a first sync with these options. It is made once for all accounts like this one; copying its database takes a tenth of the time."""
        listed = hashlib.md5(repr((options, self.account.api())).encode(), usedforsecurity=False)
        copy = f"synced_{listed.hexdigest()}"
        with PostgreSql(self.address.replace("/warehouse", "/postgres")) as engine:
            if engine.query(f"select 1 from pg_database where datname = '{copy}'"):
                engine.execute("drop database warehouse with (force)")
                engine.execute(f"create database warehouse template {copy}")
            else:
                assert self.sync(*options).code == 0
                self.disconnect()
                engine.execute(f"create database {copy} template warehouse")
            self.account.sandbox.reset_requests()

    def run(self, *arguments: str, **env: str) -> Ran:
        return self.account.run(*arguments, **self.env | env)

    def sync(self, *options: str, **env: str) -> Ran:
        return self.account.sync(*options, **self.env | env)

    def spawn(self, *options: str, **env: str) -> Started:
        return self.account.spawn(*options, **self.env | env)

    def spawn_until(self, point: str, *options: str, **env: str) -> Started:
        return self.spawn(*options, CEKURA_TEST_POINT=point, **KILL_POINTS, **env)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with PostgreSql(self.address) as engine:
            engine.execute("set timezone = 'UTC'")
            return engine.query(sql)

    def execute(self, sql: str) -> None:
        with PostgreSql(self.address) as engine:
            engine.execute(sql)

    def disconnect(self) -> None:
        """End every session of the database's, as a server that restarts would."""
        self.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )

    def stored(self) -> dict[int, Record]:
        columns = ", ".join(
            f"(extract(epoch from {name}) * 1000000)::bigint" if name in TIMES else name for name in FIELDS
        )
        if self.query("select to_regclass('cekura.result_scenarios')") == [(None,)]:
            return {}
        return assembled(
            self.query(f"select {columns} from cekura.results where deleted_at is null"),
            self.query("select result_id, id, status, success, scenario, scenario_name from cekura.runs"),
            self.query("select result_id, scenario_id, scenario_name from cekura.result_scenarios"),
        )

    def details(self) -> list[list[tuple[Any, ...]]]:
        """Of live and finished results: of others, the last good ones stay."""
        live = (
            f"select id from cekura.results where deleted_at is null and status in {details_reader.TERMINAL}"
        )
        return [
            sorted(self.query(f"select {columns} from cekura.{table} where result_id in ({live})"), key=repr)
            for table, columns in details_reader.COLUMNS.items()
        ]

    def details_of_the_api(self) -> list[list[tuple[Any, ...]]]:
        return [details_reader.rows(self.world, table) for table in details_reader.COLUMNS]

    def log(self) -> list[tuple[Any, ...]]:
        if self.query("select to_regclass('cekura.sync_log')") == [(None,)]:
            return []
        return self.query("select mode, generation from cekura.sync_log order by generation")

    def assert_equals_api(self) -> None:
        assert_same(self.stored(), self.account.api())

    def assert_nothing_is_left_over(self) -> None:
        assert self.query("select nspname from pg_namespace where starts_with(nspname, 'cekura_')") == []
