"""PostgreSQL as qmtl starts it: a table, a paused server, and what was committed outlives kill -9."""

from __future__ import annotations

import psycopg
import pytest

from qmtl.runtime.servers import Postgres, ServerFailed

pytestmark = pytest.mark.server("postgres")


def test_a_table_is_written_and_read(postgres: Postgres) -> None:
    with psycopg.connect(postgres.address) as connection:
        connection.execute("create temporary table t (k int primary key, v text)")
        connection.execute("insert into t values (1, 'é')")
        assert connection.execute("select k, v from t").fetchall() == [(1, "é")]


def test_what_is_committed_outlives_kill_9_and_what_is_not_does_not() -> None:
    with Postgres() as postgres:
        with psycopg.connect(postgres.address) as connection:
            connection.execute("create table t (k int)")
            connection.execute("insert into t values (1)")
        open_one = psycopg.connect(postgres.address)
        open_one.execute("insert into t values (2)")
        postgres.kill()
        with pytest.raises(psycopg.OperationalError):
            open_one.commit()
        postgres.start()
        with psycopg.connect(postgres.address) as connection:
            assert connection.execute("select k from t").fetchall() == [(1,)]


def test_a_paused_server_answers_when_it_goes_on() -> None:
    with Postgres() as postgres:
        postgres.pause()
        assert postgres.alive()
        with pytest.raises(ServerFailed, match="gives no answer after 0 s"):
            postgres.wait(0.0)
        postgres.resume()
        postgres.wait()


def test_a_restart_keeps_the_data_and_the_port() -> None:
    with Postgres() as postgres:
        address = postgres.address
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("create table t (k int)")
        postgres.restart()
        with psycopg.connect(address) as connection:
            assert connection.execute("select count(*) from t").fetchone() == (0,)


def test_the_temporary_folder_goes_with_the_server() -> None:
    postgres = Postgres()
    postgres.start()
    assert postgres.folder.exists()
    postgres.stop()
    assert not postgres.folder.exists()
    assert not postgres.alive()
