"""The image with bench-first as its only file, in the form that each engine takes."""

import hashlib
import io
import json
import tarfile


def layer(program):
    """The root file system as a tar: one static program."""
    return archive([("first", program, 0o755)])


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content, mode in files:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def oci(program, architecture):
    """An OCI layout as a tar."""
    blobs = {}

    def blob(content, kind):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    root = layer(program)
    config = blob({
        "architecture": architecture, "os": "linux", "config": {"Entrypoint": ["/first"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(root).hexdigest()]},
    }, "config.v1+json")
    manifest = blob({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
        "layers": [blob(root, "layer.v1.tar")],
    }, "manifest.v1+json")
    index = json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode()
    files = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644), ("index.json", index, 0o644)]
    return archive(files + [(f"blobs/sha256/{digest}", content, 0o644) for digest, content in blobs.items()])
