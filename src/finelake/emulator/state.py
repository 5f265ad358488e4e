"""SQLite behind the service: one file in the state folder, safe against SIGKILL at any moment."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Value = str | int | float | None

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, plane TEXT NOT NULL, filename TEXT NOT NULL,
  purpose TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, created_at REAL NOT NULL,
  verdict TEXT, details TEXT, examples INTEGER);
CREATE TABLE IF NOT EXISTS uploads (
  id TEXT PRIMARY KEY, plane TEXT NOT NULL, filename TEXT NOT NULL, purpose TEXT NOT NULL, bytes INTEGER NOT NULL,
  created_at REAL NOT NULL, status TEXT NOT NULL, file_id TEXT);
CREATE TABLE IF NOT EXISTS parts (id TEXT PRIMARY KEY, upload_id TEXT NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, plane TEXT NOT NULL, created_at REAL NOT NULL,
  status TEXT NOT NULL, spec TEXT NOT NULL, tuned_name TEXT NOT NULL, result_file TEXT NOT NULL,
  started_at REAL, finished_at REAL, examples INTEGER, epochs INTEGER, batch_size INTEGER, total_steps INTEGER,
  last_step INTEGER NOT NULL DEFAULT 0, billed_tokens INTEGER, error TEXT);
CREATE TABLE IF NOT EXISTS steps (
  job_id TEXT NOT NULL, step INTEGER NOT NULL, train_loss REAL, train_accuracy REAL, valid_loss REAL,
  valid_accuracy REAL, full_valid_loss REAL, full_valid_accuracy REAL, PRIMARY KEY (job_id, step));
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, job_id TEXT NOT NULL, key TEXT NOT NULL,
  created_at REAL NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL, data TEXT, UNIQUE (job_id, key));
CREATE TABLE IF NOT EXISTS checkpoints (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, job_id TEXT NOT NULL, step INTEGER NOT NULL,
  name TEXT UNIQUE NOT NULL, created_at REAL NOT NULL, metrics TEXT NOT NULL, UNIQUE (job_id, step));
CREATE TABLE IF NOT EXISTS deployments (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, name TEXT NOT NULL, sku TEXT NOT NULL,
  capacity INTEGER NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL, base_model TEXT NOT NULL,
  tuned INTEGER NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL, ready_at REAL NOT NULL,
  used_at REAL NOT NULL, deleting_at REAL, UNIQUE (account, name));
"""


class Store:
    """Run statements on one connection under one lock; a transaction is whole on disk or not there."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is written inside as one, or nothing of it; a nested transaction joins the outer one."""
        with self._lock:
            outermost = self._depth == 0
            if outermost:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                if outermost:
                    self._connection.execute("ROLLBACK")
                raise
            else:
                if outermost:
                    self._connection.execute("COMMIT")
            finally:
                self._depth -= 1

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(statement, values)
        return found[0] if found else None

    def write(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run a statement and return how many rows it changed."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def setting(self, name: str) -> str | None:
        """Return a value kept for the service itself."""
        found = self.row("SELECT value FROM settings WHERE name = ?", (name,))
        return None if found is None else str(found["value"])

    def set_setting(self, name: str, value: str) -> None:
        """Keep a value for the service itself."""
        self.write("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
