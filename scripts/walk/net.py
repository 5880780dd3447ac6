"""Three hosts and the operator's machine as network namespaces of this one. They reach each other and nothing else; the names
of docs/operations lead to them."""

import os
import pathlib
import shutil
import subprocess

# The networks set aside for documentation (RFC 5737), each on a wire of its own to the operator's machine, which passes on.
ADDRESSES = {"page": "198.51.100.10", "backend": "203.0.113.20", "models": "192.0.2.30"}
OPERATOR = "198.51.100.1"
NAMES = {
    "chat.example.org": ADDRESSES["page"],
    "goblin-backend-abcd.onrender.com": ADDRESSES["backend"],
    "models.example.org": ADDRESSES["models"],
}


def hosts_file() -> str:
    """The names, and this machine's own."""
    return "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in NAMES.items())


class Net:
    """The namespaces. `close` takes them away, with whatever still runs in them."""

    def __init__(self):
        self.made: list[str] = []

    def space(self, host: str) -> str:
        """The namespace of a host."""
        return f"gob{os.getpid()}-{host}"

    def etc(self, host: str) -> pathlib.Path:
        """What is laid over /etc for programs of this host."""
        return pathlib.Path("/etc/netns") / self.space(host)

    def enter(self, host: str, *command: str) -> list[str]:
        """The command, run there."""
        return ["ip", "netns", "exec", self.space(host), *map(str, command)]

    def open(self) -> None:
        """Makes the namespaces and wires."""
        for host in ("here", *ADDRESSES):
            ip("netns", "add", self.space(host))
            self.made.append(host)
            self.etc(host).mkdir(parents=True)
            (self.etc(host) / "hosts").write_text(hosts_file())
            # No name is looked up elsewhere.
            (self.etc(host) / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
            ip("-n", self.space(host), "link", "set", "lo", "up")
        here = self.space("here")
        for host, address in ADDRESSES.items():
            network = address.rsplit(".", 1)[0]
            there = self.space(host)
            ip("-n", here, "link", "add", f"to-{host}", "type", "veth", "peer", "name", "eth0", "netns", there)
            ip("-n", here, "address", "add", f"{network}.1/24", "dev", f"to-{host}")
            ip("-n", here, "link", "set", f"to-{host}", "up")
            ip("-n", there, "address", "add", f"{address}/24", "dev", "eth0")
            ip("-n", there, "link", "set", "eth0", "up")
            ip("-n", there, "route", "add", "default", "via", f"{network}.1")
        for host, address in ADDRESSES.items():
            # Everybody is spoken to from the one address of the operator's machine.
            network = address.rsplit(".", 1)[0]
            ip("-n", here, "route", "replace", f"{network}.0/24", "dev", f"to-{host}", "src", OPERATOR)
        subprocess.run(self.enter("here", "sysctl", "-qw", "net.ipv4.ip_forward=1"), check=True)

    def close(self) -> None:
        """Ends what runs in them, and takes them away."""
        for host in self.made:
            found = subprocess.run(["ip", "netns", "pids", self.space(host)], capture_output=True, text=True)
            for pid in found.stdout.split():
                subprocess.run(["kill", "-KILL", pid], capture_output=True)
            subprocess.run(["ip", "netns", "del", self.space(host)], capture_output=True)
            shutil.rmtree(self.etc(host), ignore_errors=True)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
