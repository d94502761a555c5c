"""Image archives for the tests, made here from Debian's static busybox; nothing is fetched."""

import hashlib
import io
import json
import pathlib
import subprocess
import tarfile

BUSYBOX = pathlib.Path("/bin/busybox")
PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n"
GROUP = b"root:x:0:\napp:x:1000:\nextra:x:1001:app\n"


def busybox(path, **config):
    """Writes a `docker save` archive of the image that the tests run; `config` adds settings such as User or Volumes."""
    config = {"Env": ["PATH=/bin", "FROM_IMAGE=yes"], "Cmd": ["sh"], **config}
    return write_tar(path, docker_archive([busybox_layer()], config))


def busybox_layer():
    """busybox under all its names, two users, a group, and a few files and folders to test with."""
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return [
        *(folder(name) for name in ("bin", "etc", "root", "home", "data")),
        folder("home/app", uid=1000, gid=1000),
        folder("tmp", 0o1777),
        file("bin/busybox", BUSYBOX.read_bytes(), 0o755),
        *(link(f"bin/{applet}", "busybox") for applet in applets if applet != "busybox"),
        file("etc/passwd", PASSWD),
        file("etc/group", GROUP),
        file("etc/not-executable", b"#!/bin/sh\n"),
        file("data/from-image", b"from the image\n"),
    ]


# One file of an archive: its header and its content.


def folder(name, mode=0o755, uid=0, gid=0):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, uid, gid
    return info, b""


def file(name, content, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def link(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
    return info, b""


# Archives: each function gives the files of one.


def docker_archive(layers, config):
    """What `docker save` writes."""
    blobs = [tar(layer) for layer in layers]
    text = described(blobs, config)
    name = f"{digest(text)}.json"
    manifest = [{"Config": name, "RepoTags": [], "Layers": [f"{digest(blob)}/layer.tar" for blob in blobs]}]
    files = [file(f"{digest(blob)}/layer.tar", blob) for blob in blobs]
    return [file(name, text), *files, file("manifest.json", json.dumps(manifest).encode())]


def oci(layers, config):
    """An OCI image layout."""
    blobs = [tar(layer) for layer in layers]
    text = described(blobs, config)
    kind = "application/vnd.oci.image"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": descriptor(f"{kind}.config.v1+json", text),
            "layers": [descriptor(f"{kind}.layer.v1.tar", blob) for blob in blobs],
        }
    ).encode()
    index = {"schemaVersion": 2, "manifests": [descriptor(f"{kind}.manifest.v1+json", manifest)]}
    return [
        file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        *(file(f"blobs/sha256/{digest(blob)}", blob) for blob in [*blobs, text, manifest]),
        file("index.json", json.dumps(index).encode()),
    ]


def write_tar(path, files):
    path.write_bytes(tar(files))
    return path


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, content in files:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def described(blobs, config):
    diff_ids = [f"sha256:{digest(blob)}" for blob in blobs]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    return json.dumps({"architecture": "amd64", "os": "linux", "config": config, "rootfs": rootfs}).encode()


def descriptor(kind, blob):
    return {"mediaType": kind, "digest": f"sha256:{digest(blob)}", "size": len(blob)}


def digest(blob):
    return hashlib.sha256(blob).hexdigest()
