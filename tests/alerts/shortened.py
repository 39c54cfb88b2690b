"""What deploy/monitoring says, with the addresses of one machine and minutes that are seconds."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from config.env import BASE_DIR

MONITORING = BASE_DIR / "deploy/monitoring"
SITE = "https://localhost:{port}/health/live"
Targets = Mapping[str, list[tuple[str, dict[str, str]]]]  # address and labels, by job
SCRAPE = "3s"
# At least three scrapes each, and in the order of the real ones.
WINDOWS = {"5m": "12s", "15m": "15s", "30m": "18s", "1h": "20s", "2h": "24s", "6h": "30s", "1d": "60s", "3d": "75s"}
WINDOWS |= {"30d": "10m"}
# Half an hour of age, a minute of silence, hours until a disk is full.
THRESHOLDS = {"> 30 * 60": "> 15", "> 60\n": "> 15\n", "4 * 3600": "40"}


def write_rules(folder: Path) -> None:
    """Raises KeyError: a window that has no short form here."""
    for path in (MONITORING / "rules").glob("*.yml"):
        text = re.sub(r"\[(\d+\w)\]", lambda found: f"[{WINDOWS[found[1]]}]", path.read_text(encoding="utf-8"))
        text = re.sub(r"for: \d+\w", f"for: {SCRAPE}", text)
        for long, short in THRESHOLDS.items():
            text = text.replace(long, short)
        (folder / path.name).write_text(text, encoding="utf-8")


def write_prometheus(folder: Path, targets: Targets, alertmanager: str, site_port: int) -> Path:
    """The configuration with fixed ``targets`` in place of names in a network."""
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": "1s"}
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager]}]}]
    for job in config["scrape_configs"]:
        _set_targets(job, targets[job["job_name"]], site_port)
    rules = folder / "rules"
    rules.mkdir()
    write_rules(rules)
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _set_targets(job: dict[str, Any], targets: list[tuple[str, dict[str, str]]], site_port: int) -> None:
    if "params" in job:
        job["params"]["target"] = [SITE.format(port=site_port)]
    for name in ("dns_sd_configs", "relabel_configs"):  # the labels come with the targets
        job.pop(name, None)
    job["static_configs"] = [{"targets": [address], "labels": labels} for address, labels in targets]
