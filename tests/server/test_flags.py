"""The command line of a tritonserver."""

import pytest

from tritonkit.errors import ConfigError
from tritonkit.server.flags import Flags


def test_binds_this_machine_alone_by_default():
    arguments = Flags(repository="/models").arguments()

    assert [a for a in arguments if "-address=" in a] == [
        "--http-address=127.0.0.1",
        "--grpc-address=127.0.0.1",
        "--metrics-address=127.0.0.1",
    ]


def test_names_everything_that_was_asked_for():
    flags = Flags(
        repository="/a folder",
        host="::1",
        http_port=1,
        grpc_port=2,
        metrics_port=3,
        model_control_mode="explicit",
        load_models=("a", "b"),
        cache_size=64_000_000,
        log_verbose=2,
        exit_timeout=7,
        extra=("--backend-config=python,x=y", "--pinned-memory-pool-byte-size=0"),
    )

    assert flags.arguments() == [
        "--model-repository=/a folder",
        "--http-address=::1",
        "--http-port=1",
        "--grpc-address=::1",
        "--grpc-port=2",
        "--metrics-address=::1",
        "--metrics-port=3",
        "--model-control-mode=explicit",
        "--load-model=a",
        "--load-model=b",
        "--exit-on-error=false",
        "--strict-readiness=true",
        "--exit-timeout-secs=7",
        "--cache-config=local,size=64000000",
        "--log-verbose=2",
        "--backend-config=python,x=y",
        "--pinned-memory-pool-byte-size=0",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model_control_mode": "manual"}, "model_control_mode must be out of .*'manual'"),
        ({"load_models": ["m"]}, "load_models needs model_control_mode 'explicit', but got 'none'"),
        ({"cache_size": 0}, "cache_size must be positive, but got 0"),
        ({"log_verbose": -1}, "log_verbose must not be negative, but got -1"),
        ({"http_port": 65536}, "http_port must be 0 to 65535, but got 65536"),
        ({"grpc_port": 8000}, "ports must differ, but got .*'grpc_port': 8000"),
        ({"extra": ["--http-port=9"]}, "tritonkit sets tritonserver's --http-port itself"),
        ({"extra": ["--log-file", "x"]}, "tritonkit sets tritonserver's --log-file itself"),
    ],
)
def test_refuses_what_contradicts(options, said):
    with pytest.raises(ConfigError, match=said):
        Flags(repository="/models", **options)


def test_free_ports_may_be_alike():
    flags = Flags(repository="/models", http_port=0, grpc_port=0, metrics_port=0)

    assert "--http-port=0" in flags.arguments()


@pytest.mark.parametrize(
    ("host", "reachable"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3")],
)
def test_a_server_on_every_address_is_reached_on_the_loopback(host, reachable):
    assert Flags(repository="/models", host=host).reachable_host == reachable
