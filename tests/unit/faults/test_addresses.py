"""Where a dependency listens is read from its address, and written back in the same form."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seatrial import Dependency
from seatrial.errors import PipelineError, UsageError
from seatrial.faults.addresses import Address, addresses_of, with_addresses, without_tls

FORMS = {
    "redis://db/0": (["db:6379"], "redis://p:4000/0"),
    "redis://[::1]:7/0": (["[::1]:7"], "redis://p:4000/0"),
    "postgresql+psycopg://me:se@cret@db/x?a=1": (["db:5432"], "postgresql+psycopg://me:se@cret@p:4000/x?a=1"),
    "mongodb://me:s,t@h1:1,h2/db?replicaSet=rs0": (
        ["h1:1", "h2:27017"], "mongodb://me:s,t@p:4000,p:4001/db?replicaSet=rs0",
    ),
    "h1:9092,h2:9093": (["h1:9092", "h2:9093"], "p:4000,p:4001"),
    "http://a:1/v1,http://b/v2": (["a:1", "b:80"], "http://p:4000/v1,http://p:4001/v2"),
    "postgresql://u:p@h1:1,h2:2/db": (["h1:1", "h2:2"], "postgresql://u:p@p:4000,p:4001/db"),
    "postgresql://u@/db?host=a,b&port=1,2": (["a:1", "b:2"], "postgresql://u@/db?host=p,p&port=4000,4001"),
    "postgresql://u@/db?host=a:1&x=y&host=b:2": (["a:1", "b:2"], "postgresql://u@/db?host=p:4000&x=y&host=p:4001"),
    "postgresql://u@/db?host=a": (["a:5432"], "postgresql://u@/db?host=p&port=4000"),
    "postgresql:///db?host=/run/pg": (["/run/pg/.s.PGSQL.5432"], "postgresql:///db?host=/q0"),
    "postgresql:///db?host=/run/pg&port=7": (["/run/pg/.s.PGSQL.7"], "postgresql:///db?host=/q0&port=7"),
    "postgresql://%2Frun%2Fpg:7/db": (["/run/pg/.s.PGSQL.7"], "postgresql://%2Fq0:7/db"),
    "mysql+pymysql://u:p@localhost/db?unix_socket=/run/my.sock": (
        ["/run/my.sock"], "mysql+pymysql://u:p@localhost/db?unix_socket=/q0/my.sock",
    ),
    "unix:///run/r.sock?db=1": (["/run/r.sock"], "unix:///q0/r.sock?db=1"),
    "unix://u:p@/run/r.sock": (["/run/r.sock"], "unix://u:p@/q0/r.sock"),
    "redis+unix:///run/r.sock": (["/run/r.sock"], "redis+unix:///q0/r.sock"),
    "http+unix://%2Frun%2Fa.sock/v1": (["/run/a.sock"], "http+unix://%2Fq0%2Fa.sock/v1"),
    "mongodb://%2Frun%2Fm.sock,h2/db": (["/run/m.sock", "h2:27017"], "mongodb://%2Fq0%2Fm.sock,p:4001/db"),
}  # fmt: skip


@pytest.mark.parametrize(("url", "places", "through"), [(url, *rest) for url, rest in FORMS.items()])
def test_each_form_is_read_and_written_back(url, places, through):
    found = addresses_of(url)
    assert [str(each) for each in found] == places
    to = [
        Address(path=f"/q{n}/{each.path.rpartition('/')[2]}") if each.path else Address("p", 4000 + n)
        for n, each in enumerate(found)
    ]
    assert with_addresses(url, to) == through


@pytest.mark.parametrize(
    "url",
    ["sqlite:///f.db", "ftp://me:secret@db/x", "kafka://b", "postgresql:///db", "h1", "h1:1,h2", "redis://h:99999",
     "redis://me:secret@/0", "unix://", "mongodb+srv://me:secret@x/y", "http://[::1", "/run/x.sock", ""],
)  # fmt: skip
def test_an_address_without_a_place_is_refused_without_its_password(url):
    with pytest.raises(UsageError) as error:
        addresses_of(url)
    assert "secret" not in str(error.value)


@given(st.text(max_size=40) | st.from_regex(r"[a-z+]{0,9}(://)?[a-z%2F:,@\[\]/?=&.0-9]{0,40}", fullmatch=True))
@example("://")
def test_any_text_is_read_or_refused(url):
    """And what is read is written back with its own places as an address of the same places."""
    try:
        found = addresses_of(url)
    except UsageError:
        return
    assert addresses_of(with_addresses(url, found)) == found


def test_tls_is_taken_from_a_scheme_that_stands_for_it():
    assert without_tls("https://a/x,https://b/y") == "http://a/x,http://b/y"
    assert without_tls("rediss://:pw@h/0") == "redis://:pw@h/0"
    with pytest.raises(UsageError, match="https, rediss, amqps"):
        without_tls("postgresql://h/x")


def test_several_addresses_of_a_dependency_are_joined():
    assert Dependency("bus", ["h1:9092", "h2:9092"], str).url == "h1:9092,h2:9092"
    with pytest.raises(PipelineError, match="'bus'"):
        Dependency("bus", [], str)
