"""A SLURM of one's own for a test: munged, slurmctld and slurmd of this machine alone, on loopback, without a database.

One node that claims 16 CPUs, 64 GB and one GPU (File=/dev/null), in the partitions cpu and gpu. Needs root and Debian's
slurm-wlm and munge; the configuration has to lie in /etc/slurm, since Snakemake's job step drops SLURM_CONF.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "scontrol")
ETC = Path("/etc/slurm")
NAMES = ("slurm.conf", "gres.conf")

CONFIGURATION = """\
ClusterName=siiltest
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={port_of_node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
PlugStackConfig=/dev/null
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=10000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=7200
KillWait=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 NodeHostname={host} CPUs=16 RealMemory=64000 Gres=gpu:fake:1 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=UNLIMITED State=UP
PartitionName=gpu Nodes={host} MaxTime=UNLIMITED State=UP
"""


def why_not() -> str:
    """Why this machine cannot run one; empty when it can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"no SLURM here ({', '.join(missing)}): apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "a private SLURM needs root"
    theirs = [name for name in NAMES if (ETC / name).exists() and not (ETC / name).is_symlink()]
    return f"this machine has a SLURM of its own ({ETC / theirs[0]})" if theirs else ""


def output(*words: str) -> str:
    """What a command of SLURM says; asked again for a while, since a busy controller may not answer at once."""
    for _ in range(10):
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode == 0:
            return done.stdout
        time.sleep(1)
    raise RuntimeError(f"{words}: {done.stderr}")


class PrivateSlurm:
    """Runs from `start` to `stop`; its state lies in `folder`, whose parents only root may write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().split(".")[0]

    def start(self) -> None:
        """Bring it up; raises RuntimeError with the logs when the node is not idle after 30 s."""
        for name in ("state", "spool", "run", "key"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        (self.folder / "key").chmod(0o700)
        values = {"host": self.host, "folder": self.folder, "port": 16917, "port_of_node": 16918}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(**values))
        gpu = f"AutoDetect=off\nNodeName={self.host} Name=gpu Type=fake File=/dev/null\n"
        (self.folder / "gres.conf").write_text(gpu)
        ETC.mkdir(exist_ok=True)
        for name in NAMES:
            (ETC / name).unlink(missing_ok=True)
            (ETC / name).symlink_to(self.folder / name)
        self._munge()
        for words in (["slurmctld", "-c"], ["slurmd", "-N", self.host]):
            subprocess.run(words, check=True, timeout=30, stdin=subprocess.DEVNULL)
        for _ in range(60):
            time.sleep(0.5)
            state = subprocess.run(
                ["sinfo", "-h", "-p", "cpu", "-o", "%t"], capture_output=True, text=True, check=False
            )
            if state.stdout.strip() == "idle":
                return
        raise RuntimeError("\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.log")))

    def _munge(self) -> None:
        key = self.folder / "key" / "munge.key"
        key.touch(mode=0o400)
        key.write_bytes(os.urandom(1024))
        options = {
            "key-file": key,
            "socket": self.folder / "run" / "munge.socket",
            "pid-file": self.folder / "munged.pid",
            "log-file": self.folder / "munged.log",
            "seed-file": self.folder / "key" / "seed",
        }
        words = ["munged", "--force", *(f"--{name}={path}" for name, path in options.items())]
        subprocess.run(words, check=True, timeout=30, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        """End all jobs and the three programs that it started, whatever state they are in."""
        with suppress(RuntimeError, subprocess.TimeoutExpired):
            subprocess.run(["scancel", f"--user={os.getuid()}"], timeout=30, check=False, capture_output=True)
            self.wait_until_empty(20)
        for name in ("slurmd", "slurmctld", "munged"):
            path = self.folder / f"{name}.pid"
            with suppress(OSError, ValueError):  # not started, or dead
                os.kill(int(path.read_text()), signal.SIGTERM)
        time.sleep(1)
        for name in NAMES:
            if (ETC / name).is_symlink() and (ETC / name).readlink() == self.folder / name:
                (ETC / name).unlink()

    def wait_until_empty(self, seconds: float) -> bool:
        """Whether the queue is empty before so many seconds are gone."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not output("squeue", "-h").strip():
                return True
            time.sleep(0.5)
        return False

    def jobs(self) -> list[dict[str, str]]:
        """SLURM's own record of every job, oldest first: JobState, Comment, Partition, TimeLimit, TRES and so on."""
        text = output("scontrol", "show", "job", "--oneliner")
        found = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in text.splitlines() if line.startswith("JobId=")]
        return sorted(found, key=lambda job: int(job["JobId"]))
