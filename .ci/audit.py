"""Ask for known vulnerabilities of all packages of constraints.txt. Exit codes: 0 none is known, 1 some are, 3 nobody
could say of all of them: without a network, or with an index that has no advisories.

pip-audit is installed on demand beside the virtualenv's own packages, as nothing else needs it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOOL = "pip-audit==2.10.1"
SOME, UNKNOWN = 1, 3
INSTALL_SECONDS, AUDIT_SECONDS, SOCKET_SECONDS = 180, 300, 10


class NobodyKnows(Exception):
    """There are no advisories to be had; the message says why."""


def main() -> int:
    try:
        packages = ask()
    except NobodyKnows as error:
        print(f"not audited, nothing is known: {error}")
        return UNKNOWN
    for package in packages:
        for found in package.get("vulns", ()):
            print(f"{package['name']} {package['version']}: {found['id']}, fixed in {found['fix_versions'] or 'none'}")
    skipped = [package for package in packages if "skip_reason" in package]
    print(f"{len(packages) - len(skipped)} of {len(packages)} packages were audited")
    if skipped:
        names = " ".join(package["name"] for package in skipped)
        print(f"nothing is known of {names}\nas of the first: {skipped[0]['skip_reason']}")
    if any(package.get("vulns") for package in packages):
        return SOME
    return UNKNOWN if skipped or not packages else 0


def ask() -> list[Any]:
    """What pip-audit says of each package. Raises NobodyKnows."""
    tool = Path(sys.prefix) / "audit"
    if not (tool / "pip_audit").exists():
        run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tool), TOOL], INSTALL_SECONDS)
    options = ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    command = [sys.executable, "-m", "pip_audit", "-r", str(ROOT / "constraints.txt"), *options]
    told = run([*command, "--timeout", str(SOCKET_SECONDS)], AUDIT_SECONDS, {"PYTHONPATH": str(tool)})
    try:
        packages: list[Any] = json.loads(told)["dependencies"]
    except (ValueError, KeyError) as error:
        raise NobodyKnows(f"pip-audit said {told[:200]!r}") from error
    return packages


def run(command: list[str], seconds: int, variables: dict[str, str] | None = None) -> str:
    """Its output. pip-audit ends with 1 for all that is wrong, but prints only what it knows. Raises NobodyKnows."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_RETRIES": "1", **(variables or {})}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise NobodyKnows(f"no answer within {seconds} s") from error
    if done.returncode and not done.stdout.strip():
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise NobodyKnows(lines[-1][:300])
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
