"""Checks every file of deploy/ with the program that it is for."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

import balancer_config

DEPLOY = balancer_config.DEPLOY
KUBERNETES = "1.37.0"
# Maximum exposure by systemd-analyze, times ten; the service has 14 of 100.
EXPOSURE = 20
BIN = Path(sys.executable).parent


def ran(*command: str | Path) -> str | None:
    """Runs a program. Returns its output if it failed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stdout + done.stderr


def haproxy(directory: Path) -> str | None:
    # `-c` opens no port.
    nodes = ["node1 127.0.0.1:8080", "node2 127.0.0.2:8080"]
    return ran("haproxy", "-c", "-f", balancer_config.haproxy(directory, 8000, 8443, 8405, nodes))


def nginx(directory: Path) -> str | None:
    # `-t` opens the ports.
    plain, tls = balancer_config.free_port(), balancer_config.free_port()
    config = balancer_config.nginx(directory, plain, tls, ["127.0.0.1:8080", "127.0.0.2:8080"])
    return ran("nginx", "-t", "-e", directory / "error.log", "-c", config)


def systemd(directory: Path) -> str | None:
    unit = directory / "tapecast.service"
    text = (DEPLOY / "systemd" / "tapecast.service").read_text()
    # The binary is not installed on this machine.
    unit.write_text(balancer_config.changed(text, ("/usr/local/bin/tapecast", shutil.which("true") or "")))
    verify = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True
    )
    # It only warns about an unknown key, and succeeds.
    if verify.returncode != 0 or verify.stderr:
        return verify.stdout + verify.stderr
    return ran(
        "systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", unit
    )


def docker(_: Path) -> str | None:
    return ran(BIN / "hadolint", DEPLOY / "docker" / "Dockerfile")


def kubernetes(directory: Path) -> str | None:
    files = list((DEPLOY / "kubernetes").glob("*/*.yaml"))
    objects = [path for path in files if path.name != "kustomization.yaml"]
    kubectl, kustomize = shutil.which("kubectl"), shutil.which("kustomize")
    overlay = DEPLOY / "kubernetes" / "overlays" / "example"
    build = [kustomize, "build"] if kustomize else [kubectl, "kustomize"] if kubectl else None
    if build is None:
        print("  the overlay is NOT rendered: neither kustomize nor kubectl is installed")
    else:
        done = subprocess.run([*map(str, build), overlay], capture_output=True, text=True)
        if done.returncode != 0:
            return done.stderr
        rendered = directory / "rendered.yaml"
        rendered.write_text(done.stdout)
        kinds = [one["kind"] for one in yaml.safe_load_all(done.stdout)]
        if "Deployment" not in kinds or "ConfigMap" not in kinds:
            return f"the overlay renders only {', '.join(kinds)}"
        objects.append(rendered)
    return ran(BIN / "kubernetes-validate", "--strict", "--quiet", "-k", KUBERNETES, *objects)


def sysctl(_: Path) -> str | None:
    wrong = []
    for line in (DEPLOY / "sysctl" / "90-tapecast.conf").read_text().splitlines():
        name = line.split("=")[0].strip()
        # Containers hide the keys of net.core, which belong to the host.
        if not name or name.startswith(("#", "-", "net.core.")):
            continue
        if not Path("/proc/sys", *name.split(".")).exists():
            wrong.append(f"this kernel has no {name}")
    return "\n".join(wrong) or None


def shell(_: Path) -> str | None:
    return ran("sh", "-n", DEPLOY / "kafka" / "setup.sh")


CHECKS = [haproxy, nginx, systemd, docker, kubernetes, sysctl, shell]


def main() -> int:
    failed = 0
    for check in CHECKS:
        with tempfile.TemporaryDirectory() as directory:
            complaint = check(Path(directory))
        print(f"{check.__name__}: {'ok' if complaint is None else 'FAILED'}")
        if complaint is not None:
            failed += 1
            print(complaint)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
