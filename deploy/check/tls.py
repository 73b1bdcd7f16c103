"""Scans TLS with sslyze: a node's own, and that of HAProxy and NGINX with the configurations of deploy/.

    python tls.py NODE_BINARY

Each has to comply with Mozilla's "intermediate" configuration, which excludes all weaknesses that
sslyze looks for.
"""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import balancer_config
from proxies import Address, is_ready, start_haproxy, start_nginx

import live

# All scans take a second or two.
SCAN_WITHIN = 120.0


def sslyze(port: int, authority: Path, directory: Path) -> str:
    """Scans a port. Returns the findings in a line, or raises an error that says what to fix."""
    found = directory / f"{port}.json"
    command = [str(Path(sys.executable).parent / "sslyze"), "--mozilla_config", "intermediate"]
    command += ["--certinfo_ca_file", str(authority), "--json_out", str(found)]
    scan = subprocess.run(
        [*command, f"localhost:{port}"], capture_output=True, text=True, timeout=SCAN_WITHIN
    )
    if scan.returncode != 0 or "OK - Compliant" not in scan.stdout:
        raise ValueError("not compliant:\n" + (scan.stdout + scan.stderr).partition("COMPLIANCE")[2])
    result = json.loads(found.read_text())["server_scan_results"][0]
    if result["scan_status"] != "COMPLETED":
        raise ValueError(f"not scanned: {result['scan_status']}")
    failed = [name for name, scan in result["scan_result"].items() if scan["status"] == "ERROR"]
    if failed:
        raise ValueError(f"not scanned for {', '.join(failed)}")
    suites = []
    for version in ["1.0", "1.1", "1.2", "1.3"]:
        of = result["scan_result"][f"tls_{version.replace('.', '_')}_cipher_suites"]["result"]
        suites.append(f"{len(of['accepted_cipher_suites'])} suites of TLS {version}")
    return "compliant; " + ", ".join(suites)


def check(binary: str) -> int:
    failed = 0
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports: dict[str, int] = {}
        pem = balancer_config.certificate(directory)
        own = {"TAPECAST_TLS__MODE": "on"}
        own |= {"TAPECAST_TLS__CERTIFICATE": str(pem), "TAPECAST_TLS__KEY": str(pem)}
        nodes: list[tuple[Address, str]] = [
            live.start_node(stack, binary, directory / "tls.log", own),
            live.start_node(stack, binary, directory / "plain.log", {}),
        ]
        for _, admin in nodes:
            live.wait_for("a ready node", live.START_WITHIN, partial(is_ready, admin))
        ports["tapecast"] = nodes[0][0][1]
        for name, start in {"haproxy": start_haproxy, "nginx": start_nginx}.items():
            own_directory = directory / name
            own_directory.mkdir()
            ports[name] = start(stack, own_directory, nodes[1:])
        for name, port in ports.items():
            authority = (directory if name == "tapecast" else directory / name) / "authority.pem"
            try:
                live.wait_for("a listener", live.START_WITHIN, partial(balancer_config.listens, port))
                print(f"{name}: {sslyze(port, authority, directory)}", flush=True)
            except (OSError, ValueError, RuntimeError) as error:
                failed += 1
                print(f"{name}: FAILED: {error}", flush=True)
    return 1 if failed else 0


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 64
    return check(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
