"""The pytest plugin, in a pytest of its own as its users have it."""

import subprocess
import sys
from pathlib import Path

USED = """
import urllib.request

CONFIG = '''
backend: "python"
input [{name: "x" data_type: TYPE_FP32 dims: [1]}]
output [{name: "y" data_type: TYPE_FP32 dims: [1]}]
'''
CODE = '''
class TritonPythonModel:
    def execute(self, requests):
        return []
'''


def write(directory):
    (directory / "1").mkdir(parents=True)
    (directory / "config.pbtxt").write_text(CONFIG)
    (directory / "1" / "model.py").write_text(CODE)


def ready(url):
    try:
        with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


urls = []


def test_serves(model_repository, triton_server):
    assert list(model_repository.iterdir()) == []
    write(model_repository / "m")
    server = triton_server(model_repository, model_control_mode="explicit", load_models=["m"])
    assert ready(server.http_url)
    urls.append(server.http_url)


def test_stopped_after_the_test():
    assert not ready(urls[0])


def test_serves_for_the_session(tmp_path, triton_server_session):
    write(tmp_path / "m")
    urls.append(triton_server_session(tmp_path).http_url)


def test_still_serves():
    assert ready(urls[1])
"""


def test_fixtures_serve_and_stop(tmp_path: Path):
    (tmp_path / "test_used.py").write_text(USED)
    done = subprocess.run(
        # Another plugin of this environment warns of its own configuration.
        [*(sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio"), tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_costs_nothing_until_a_server_is_asked_for():
    """Every pytest run of every environment with tritonkit in it imports the plugin."""
    program = """
import sys
import tritonkit.server.testing
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.split())

    assert "tritonkit.server.testing" in modules
    assert not modules & {"numpy", "google.protobuf", "tritonclient", "tritonkit.server.embedded"}
