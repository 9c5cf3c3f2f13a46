"""The feature store: what is known of a customer before the payment, in one table of any database."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import sqlalchemy as sa

POOL = 8  # connections at most; who finds none free for a second gets no answer
PATIENCE = {  # of psycopg: what the server and the network may take; the service has a deadline of its own above it
    "connect_timeout": 2,
    "options": "-c statement_timeout=1000",
    "tcp_user_timeout": 2000,
    "keepalives_idle": 5,
    "prepare_threshold": None,
}
CHUNK = 500  # keys a query; SQLite took 999 variables for most of its life

metadata = sa.MetaData()
customers = sa.Table(
    "customers",
    metadata,
    sa.Column("customer_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("home_country", sa.String(2), nullable=False),
    sa.Column("opened_on", sa.Date, nullable=False),
    sa.Column("average_amount", sa.Float(53), nullable=False),
    sa.Column("payments_30d", sa.Integer, nullable=False),
    sa.Column("chargebacks", sa.Integer, nullable=False),
)
TYPES = {
    "customer_id": "Int64",
    "home_country": "string",
    "opened_on": "datetime64[us]",
    "average_amount": "float64",
    "payments_30d": "Int64",
    "chargebacks": "Int64",
}


class StoreUnavailable(Exception):
    """The store did not answer, or not with a table of customers."""


class NoStore:
    """The declared fallback: a store that knows nobody, so that its customers are scored as unknown."""

    def customers(self, _: pd.Series) -> pd.DataFrame:
        raise StoreUnavailable("There is no feature store.")


class FeatureStore:
    """Looks customers up by key, in one round trip for each 500, over ``POOL`` connections at most.

    Raises:
        StoreUnavailable: the database cannot be reached or was never filled.
    """

    def __init__(self, url: str) -> None:
        patience = {"timeout": 1} if url.startswith("sqlite") else PATIENCE
        self.engine = sa.create_engine(
            url, connect_args=patience, pool_size=POOL, max_overflow=0, pool_timeout=1, isolation_level="AUTOCOMMIT"
        )
        try:
            filled = sa.inspect(self.engine).has_table(customers.name)
        except sa.exc.SQLAlchemyError as error:
            self.engine.dispose()  # or each try leaves its connection to the garbage collector
            raise StoreUnavailable(f"The feature store did not answer ({type(error).__name__}).") from error
        if not filled:
            self.engine.dispose()
            raise StoreUnavailable("The feature store has no table 'customers'. Run: python examples/payments/train.py")

    def customers(self, ids: pd.Series) -> pd.DataFrame:
        """Return one row per known customer among ``ids``; unknown ones are absent. Amounts in EUR, 30 days."""
        keys = sorted({int(i) for i in ids})
        try:
            with self.engine.connect() as connection:
                rows = [
                    row
                    for start in range(0, len(keys), CHUNK)
                    for row in connection.execute(
                        sa.select(customers).where(customers.c.customer_id.in_(keys[start : start + CHUNK]))
                    )
                ]
        except sa.exc.SQLAlchemyError as error:
            raise StoreUnavailable(f"The feature store did not answer ({type(error).__name__}).") from error
        return pd.DataFrame(rows, columns=list(TYPES), dtype=object).astype(TYPES)


def fill_store(url: str, people: pd.DataFrame, payments: pd.DataFrame) -> None:
    """Materialise the table from the customers and their payments of the last 30 days (amounts in EUR).

    Customers who paid nothing yet are left out: to the store they are unknown.
    """
    if (file := sa.make_url(url).database) and url.startswith("sqlite"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    history = payments.groupby("customer_id")["amount_eur"].agg(average_amount="mean", payments_30d="size")
    table = people.merge(history, on="customer_id", validate="one_to_one")[list(TYPES)]
    table["opened_on"] = table["opened_on"].dt.date
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        rows = [dict(zip(TYPES, row, strict=True)) for row in table.astype(object).itertuples(index=False)]
        connection.execute(customers.insert(), rows)
    engine.dispose()
