"""A database on a server that answers: the first thing that a set-up needs."""

import psycopg


def create_database(conninfo: str) -> None:
    """Create the database that ``conninfo`` names, unless it is there.

    Raises: psycopg.OperationalError: the server cannot be reached.
    """
    wanted = psycopg.conninfo.conninfo_to_dict(conninfo)
    server = psycopg.conninfo.make_conninfo(conninfo, dbname="postgres")
    with psycopg.connect(server, autocommit=True, connect_timeout=5) as connection:
        name = psycopg.sql.Identifier(str(wanted["dbname"]))
        try:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(name))
        except psycopg.errors.DuplicateDatabase:
            return
