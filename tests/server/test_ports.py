"""Ports, checked and chosen."""

import socket

import pytest

from tritonkit.errors import ConfigError
from tritonkit.server.ports import choose_ports


def test_free_ports_differ():
    ports = choose_ports("127.0.0.1", [0] * 20)

    assert len(set(ports)) == 20
    assert all(ports)


def test_a_given_port_stays():
    (port,) = choose_ports("127.0.0.1", [0])

    assert choose_ports("127.0.0.1", [0, port])[1] == port


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 is taken"):
            choose_ports("127.0.0.1", [0, port])


def test_a_port_in_use_by_a_reusing_socket_is_named():
    """gRPC servers may share a port, and then share its calls."""
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 is taken"):
            choose_ports("127.0.0.1", [port])


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1 cannot be bound"):
        choose_ports("192.0.2.1", [0])


def test_no_address_is_refused():
    with pytest.raises(ConfigError, match=r"host 'no.such.host.invalid' is not an address"):
        choose_ports("no.such.host.invalid", [0])
