"""A BI tool as far as the warehouse is concerned, run by the Python that has the driver: opens the file and keeps it open.

Arguments: the file; `read`, or `write`, which locks it and writes; `duckdb` or `sqlalchemy`. Each line on stdin names a time zone,
and views if not all are asked for, and is answered by a line of JSON: of every such view in `analytics` the columns, their types
and all rows. `reconnect` is no zone.
"""

import datetime
import json
import sys

PATH, HOW, DOOR = sys.argv[1:]
COLUMNS = """
select table_name, column_name, data_type from information_schema.columns
where table_schema = 'analytics' order by table_name, ordinal_position
"""


class Duckdb:
    """The driver itself."""

    def __init__(self):
        import duckdb

        self.version = duckdb.__version__
        self.con = duckdb.connect(PATH, read_only=HOW == "read")

    def ask(self, sql):
        return self.con.execute(sql).fetchall()

    def tell(self, sql):
        self.con.execute(sql)

    def view(self, name, columns):
        return self.ask(f"select {', '.join(columns)} from analytics.{name}")

    def close(self):
        self.con.close()


class Sqlalchemy:
    """duckdb-engine, with tables and views found as a tool finds them: by asking the database."""

    def __init__(self):
        import duckdb
        import sqlalchemy

        self.version = duckdb.__version__
        self.engine = sqlalchemy.create_engine(f"duckdb:///{PATH}?access_mode=read_only")
        self.con = self.engine.connect()
        self.found = sqlalchemy.MetaData()

    def ask(self, sql):
        return self.con.exec_driver_sql(sql).fetchall()

    def tell(self, sql):
        self.con.exec_driver_sql(sql)

    def view(self, name, columns):
        if not self.found.tables:
            self.found.reflect(self.con, schema="analytics", views=True)
        found = self.found.tables[f"analytics.{name}"]
        assert found.columns.keys() == columns, found.columns
        return self.con.execute(found.select()).fetchall()

    def close(self):
        """Given back to the pool, a connection keeps the file open; disposed of, it does not."""
        self.con.close()
        self.engine.dispose()


def plain(value):
    """As JSON has it: numbers and flags as they are, times with the offset that the driver gave them."""
    return value.isoformat() if isinstance(value, datetime.date) else value


def everything(door, names):
    found = {}
    for view, column, type_ in door.ask(COLUMNS):
        found.setdefault(view, []).append((column, type_))
    return {
        view: {
            "columns": columns,
            "rows": [
                [plain(value) for value in row]
                for row in (
                    door.ask(f"from analytics.{view}")
                    if names
                    else door.view(view, [name for name, _ in columns])
                )
            ],
        }
        for view, columns in found.items()
        if view in (names or found)
    }


def main():
    connect = {"duckdb": Duckdb, "sqlalchemy": Sqlalchemy}[DOOR]
    door = connect()
    print(door.version, flush=True)
    for line in sys.stdin:
        zone, *names = line.split()
        if zone == "reconnect":
            door.close()
            door = connect()
            continue
        door.tell(f"set timezone = '{zone}'")
        if HOW == "write":
            door.tell("create or replace table mine as select 42 as answer")
        print(json.dumps(everything(door, names)), flush=True)


main()
