"""The balancers' configurations for tests: with other addresses and a certificate of our own.

    python balancer_config.py haproxy|nginx DIRECTORY PLAIN TLS STATS SESSIONS NODE...

writes one of them for that many sessions, with these ports and nodes, and prints its path.
"""

import re
import socket
import subprocess
import sys
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent
CERTIFICATE = "/etc/tapecast/tls/tapecast.pem"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def certificate(directory: Path) -> Path:
    """Writes a key and a certificate for localhost into one file, and its issuer into `authority.pem`."""
    path, key = directory / "tapecast.pem", directory / "key.pem"
    authority, its_key = directory / "authority.pem", directory / "authority-key.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    new += ["-nodes", "-days", "2"]
    extensions = ["keyUsage=critical,keyCertSign,cRLSign", "basicConstraints=critical,CA:TRUE"]
    openssl([*new, "-subj", "/CN=Authority of a test"], its_key, authority, extensions)
    extensions = ["subjectAltName=DNS:localhost,IP:127.0.0.1", "keyUsage=critical,digitalSignature"]
    extensions += ["extendedKeyUsage=serverAuth", "basicConstraints=critical,CA:FALSE"]
    signed = ["-CA", str(authority), "-CAkey", str(its_key), "-subj", "/CN=localhost"]
    openssl([*new, *signed], key, path, extensions)
    path.write_text(path.read_text() + key.read_text())
    return path


def openssl(command: list[str], key: Path, out: Path, extensions: list[str]) -> None:
    more = [word for extension in extensions for word in ("-addext", extension)]
    command = [*command, *more, "-keyout", str(key), "-out", str(out)]
    subprocess.run(command, check=True, capture_output=True)


def changed(text: str, *changes: tuple[str, str]) -> str:
    """Applies each change, which has to match: otherwise the check would test something else."""
    for pattern, new in changes:
        text, count = re.subn(pattern, lambda _, new=new: new, text)  # type: ignore[misc]
        if count == 0:
            raise ValueError(f"nothing matches {pattern}")
    return text


def haproxy(
    directory: Path, plain: int, tls: int, stats: int, nodes: list[str], sessions: int = 1000
) -> Path:
    """`nodes` are the arguments of `server`: a name, an address, options."""
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    servers = "\n".join(f"    server {node}" for node in nodes)
    text = changed(
        text,
        (re.escape(CERTIFICATE), str(certificate(directory))),
        # Within the file limit of a test machine.
        (r"maxconn 100000", f"maxconn {sessions}"),
        (r"bind :80\b", f"bind 127.0.0.1:{plain}"),
        (r"bind :443\b", f"bind 127.0.0.1:{tls}"),
        (r"bind 127\.0\.0\.1:8405", f"bind 127.0.0.1:{stats}"),
        (r"(?:    server \w+ 10\.0\.0\.\d+:8080\n)+", servers + "\n"),
    )
    path = directory / "haproxy.cfg"
    path.write_text(text)
    return path


def nginx(directory: Path, plain: int, tls: int, nodes: list[str]) -> Path:
    """`nodes` are addresses."""
    text = (DEPLOY / "nginx" / "nginx.conf").read_text()
    servers = "\n".join(f"        server {node} max_fails=0;" for node in nodes)
    text = changed(
        text,
        (re.escape(CERTIFICATE), str(certificate(directory))),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{tls} ssl;"),
        (r"/run/nginx\.pid", str(directory / "nginx.pid")),
        (r"/var/log/nginx/error\.log", str(directory / "error.log")),
        (r"user www-data;\n", ""),
        (r"(?:        server 10\.0\.0\.\d+:8080 max_fails=0;\n)+", servers + "\n"),
        # Required even without request bodies.
        (r"access_log off;", temporary(directory)),
    )
    path = directory / "nginx.conf"
    path.write_text(text)
    return path


def temporary(directory: Path) -> str:
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    return "access_log off; " + " ".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)


def main(arguments: list[str]) -> int:
    if len(arguments) < 7:
        print(__doc__, file=sys.stderr)
        return 64
    balancer, directory, nodes = arguments[0], Path(arguments[1]), arguments[6:]
    plain, tls, stats, sessions = map(int, arguments[2:6])
    if balancer == "haproxy":
        print(haproxy(directory, plain, tls, stats, nodes, sessions))
    else:
        print(nginx(directory, plain, tls, nodes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
