#!/usr/bin/env python3
"""Downloads by the program where they can go wrong for real: TLS with a certificate that is not trusted, a redirect from
https to http, a disk that is full in the middle of a download or of unpacking, a process that is killed while it unpacks,
a server that sends half a file as if it were whole. Nothing half is ever taken for whole, and what was in the way being
gone, the same command succeeds.
Exit: 0 good, 1 not, 77 something could not be tried here."""
import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(os.environ["KENNING_TEST_SOURCE_DIR"])
KENNING = os.environ["KENNING_TEST_PROGRAM"]
IMAGE = ROOT / "tests" / "unit" / "imaging" / "data" / "rgb.jpg"
# Their sizes decide when the disk is full; random bytes, since they are to take as much in an archive.
SMALL, LARGE = 3 << 20, 96 << 20


@contextlib.contextmanager
def server(directory, *certificate):
    with tempfile.TemporaryDirectory() as place:
        port = Path(place) / "port"
        with subprocess.Popen([sys.executable, ROOT / "tests" / "support" / "http_server.py", directory, port,
                               *certificate], stderr=subprocess.DEVNULL) as process:
            try:
                while not port.exists():
                    assert process.poll() is None, "the server does not start"
                    time.sleep(0.02)
                yield f"{'https' if certificate else 'http'}://127.0.0.1:{port.read_text()}"
            finally:
                process.terminate()


def make_set(directory, ballast):
    """A Pet set of ten images as its publisher has it, and something beside them that takes space."""
    directory.mkdir()
    lines = "".join(f"Cat_{i} 1 1 1\n" for i in range(5)) + "".join(f"dog_{i} 2 2 1\n" for i in range(5))
    with tarfile.open(directory / "annotations.tar.gz", "w:gz", compresslevel=1) as archive:
        add(archive, "annotations/list.txt", lines.encode())
    with tarfile.open(directory / "images.tar.gz", "w:gz", compresslevel=1) as archive:
        for line in lines.splitlines():
            add(archive, f"images/{line.split()[0]}.jpg", IMAGE.read_bytes())
        add(archive, "images/zzz", os.urandom(ballast))
    return directory


def add(archive, name, content):
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def command(root, uri, *flags):
    return [KENNING, "inference_tester", "NullModelWrapper", "PetDataset", root.parent / "out.json", "--runtime-cls",
            "NullRuntime", "--dataset-root", root, "--split", "all", "--download-dataset", "--archives-uri", uri, *flags]


def run(words, code, says="", **variables):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False,
                          env=os.environ | {name: str(value) for name, value in variables.items()})
    if done.returncode != code or says not in done.stderr:
        sys.exit(f"{words}: exit code {done.returncode}, not {code} with '{says}'\n{done.stdout}{done.stderr}")
    return done.stdout


def names(directory):
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


def certificates(place):
    """One of 127.0.0.1 and one of another host, each its own authority."""
    for name, host in (("right", "IP:127.0.0.1"), ("wrong", "DNS:example.org")):
        key, certificate = place / f"{name}.key", place / f"{name}.crt"
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
             f"subjectAltName={host}", "-keyout", key, "-out", certificate], 0)
        (place / f"{name}.pem").write_text(key.read_text() + certificate.read_text())
    return place / "right.pem", place / "wrong.pem"


def secure_connections(place):
    if not shutil.which("openssl"):
        return "TLS: there is no openssl"
    served, root = make_set(place / "tls-set", 1000), place / "tls" / "root"
    right, wrong = certificates(place)
    root.parent.mkdir()
    with server(served, right) as uri, server(served) as plain, server(served, wrong) as other:
        run(command(root, uri), 1, "certificate", KENNING_DOWNLOAD_TIMEOUT=5)
        run(command(root, other), 1, "certificate", SSL_CERT_FILE=wrong)
        assert not names(root), names(root)
        # Whoever asked for a secure connection does not get another one.
        model = f"{uri}/images.tar.gz?to={plain}/images.tar.gz"
        run(command(root, uri, "--model-path", model), 1, "images.tar.gz", SSL_CERT_FILE=right)
        assert (served / "requests.log").read_text().count("/images.tar.gz -") == 1, "a redirect to http was followed"
        assert not names(root), names(root)
        run(command(root, uri, "--model-path", f"{uri}/images.tar.gz?redirect=2"), 0, SSL_CERT_FILE=right)
        assert names(root) == ["annotations", "images"]
    return None


def mounts():
    return not subprocess.run(["unshare", "--mount", "--map-root-user", "true"], capture_output=True,
                              check=False).returncode if shutil.which("unshare") else False


def full_disk(place, what, served_directory):
    """`what` (root or cache) is a disk of its own, first too small, then large enough."""
    work = place / f"full-{what}"
    disk = work / what
    disk.mkdir(parents=True)
    root = work / "root" / "pets" if what == "root" else work / "pets"
    with server(served_directory) as uri:
        words = " ".join(f"'{word}'" for word in command(root, uri))
        script = f"""
mount -t tmpfs -o size=1m none '{disk}' || exit 9
{words} >'{work}/first' 2>&1; echo $? >'{work}/code'
ls -A '{root}' >'{work}/left' 2>/dev/null
mount -o remount,size=64m '{disk}'
exec {words}
"""
        run(["unshare", "--mount", "--map-root-user", "sh", "-c", script], 0, KENNING_CACHE_DIR=work / "cache")
    said = (work / "first").read_text()
    assert (work / "code").read_text() == "1\n" and "the disk is full" in said, said
    assert (work / "left").read_text() == "", "something was left"


def full_disks(place):
    if not mounts():
        return "a full disk: no file system may be mounted here (unshare)"
    served = make_set(place / "full-set", SMALL)
    full_disk(place, "root", served)
    full_disk(place, "cache", served)
    requests = (served / "requests.log").read_text()
    assert "/images.tar.gz bytes=" in requests, "what had arrived was not continued\n" + requests
    return None


def killed_while_unpacking(place):
    served, root = make_set(place / "killed-set", LARGE), place / "killed" / "root"
    root.parent.mkdir()
    with server(served) as uri:
        with subprocess.Popen([str(word) for word in command(root, uri)], stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if "unpacking images" in line:
                    break
            process.kill()
        assert process.returncode == -signal.SIGKILL, "it was too fast to be killed"
        assert "images" not in names(root) and "annotations" not in names(root), names(root)
        run(command(root, uri), 0)
    assert (root / "images" / "zzz").stat().st_size == LARGE
    (root / "images" / "zzz").unlink()
    return None


def half_a_file(place):
    """A length that is too short cannot be seen in the download, but in the archive; what is mended is fetched anew."""
    served, root = make_set(place / "half-set", 100000), place / "half" / "root"
    root.parent.mkdir()
    archive = served / "images.tar.gz"
    whole = archive.read_bytes()
    with server(served) as uri:
        for content in (whole[:len(whole) // 2], b"<html>Please log in</html>"):
            archive.write_bytes(content)
            run(command(root, uri), 2, "images.tar.gz")
            assert not names(root), names(root)
        archive.write_bytes(whole)
        run(command(root, uri), 0)
    return None


def main():
    with tempfile.TemporaryDirectory(prefix="kenning-downloads-") as directory:
        place = Path(directory)
        os.environ["KENNING_CACHE_DIR"] = str(place / "cache")
        left_out = [why for part in (half_a_file, killed_while_unpacking, full_disks, secure_connections)
                    if (why := part(place))]
    for why in left_out:
        print(f"not tried: {why}")
    sys.exit(77 if left_out else 0)


if __name__ == "__main__":
    main()
