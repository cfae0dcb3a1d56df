"""The manifest: is it what the API takes, and do its pods' commands make the sweep?

    kubernetes.py check                  against kubernetes.schema.json, and wrong ones against it
    kubernetes.py run IMAGE FOLDER SWEEP every pod's command, in IMAGE, with FOLDER for its volume
    kubernetes.py copies TREE IMAGE      what the last stage of the Containerfile copies, to IMAGE
"""
import copy
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import jsonschema
import yaml

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 120


def manifest():
    with open(HERE.parent / "kubernetes.yaml", encoding="utf-8") as file:
        return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(file)}


def pod(job):
    return job["spec"]["template"]["spec"]


def of(documents):
    return documents[("Job", "brownout-shards")], documents[("Job", "brownout-merge")]


def errors(documents):
    """What the schema says, and what no schema of one document can: that names and counts meet."""
    with open(HERE / "kubernetes.schema.json", encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    found = [
        f"{'/'.join(key)}: {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for key, one in documents.items()
        for error in validator.iter_errors(one)
    ]
    if found:
        return found
    shards, _ = of(documents)
    settings = documents[("ConfigMap", "brownout-sweep")]["data"]
    if int(settings["SHARDS"]) != shards["spec"]["completions"]:
        found.append("SHARDS is not what brownout-shards has as completions")
    if settings["JOBS"] != str(pod(shards)["containers"][0]["resources"]["limits"]["cpu"]):
        found.append("JOBS is not the cpu limit of a shard")
    for job in of(documents):
        volumes = {volume["name"]: volume for volume in pod(job)["volumes"]}
        for volume in volumes.values():
            claim = volume.get("persistentVolumeClaim")
            if claim and ("PersistentVolumeClaim", claim["claimName"]) not in documents:
                found.append(f"there is no claim {claim['claimName']}")
        for container in pod(job)["containers"]:
            for mount in container["volumeMounts"]:
                if mount["name"] not in volumes:
                    found.append(f"there is no volume {mount['name']}")
            for source in container["envFrom"]:
                if ("ConfigMap", source["configMapRef"]["name"]) not in documents:
                    found.append(f"there is no ConfigMap {source['configMapRef']['name']}")
            if not any(settings["INTO"].startswith(mount["mountPath"] + "/")
                       for mount in container["volumeMounts"]
                       if "persistentVolumeClaim" in volumes.get(mount["name"], {})):
                found.append("INTO is not on the volume that stays")
    return found


def wrongs():
    """Manifests that the API would refuse or that would not work, by what is wrong with them."""

    def put(path, value):
        def change(documents):
            at = documents
            for step in path[:-1]:
                at = at[step]
            if value is None:
                del at[path[-1]]
            else:
                at[path[-1]] = value
        return change

    shards = ("Job", "brownout-shards")
    spec = (shards, "spec")
    inside = (*spec, "template", "spec")
    container = (*inside, "containers", 0)
    return {
        "a misspelt mode": put((*spec, "completionMode"), "indexed"),
        "Indexed without completions": put((*spec, "completions"), None),
        "a number as text": put((*spec, "completions"), "16"),
        "a field that there is not": put((*spec, "completion"), 16),
        "no template": put((*spec, "template"), None),
        "another version": put((shards, "apiVersion"), "batch/v1beta1"),
        "a pod that starts for ever": put((*inside, "restartPolicy"), "Always"),
        "a failure policy without Never": put((*inside, "restartPolicy"), "OnFailure"),
        "an exit code as text": put((*spec, "podFailurePolicy", "rules", 0, "onExitCodes", "values"), ["2"]),
        "a condition without status": put(
            (*spec, "podFailurePolicy", "rules", 1, "onPodConditions", 0, "status"), None),
        "no containers": put((*inside, "containers"), []),
        "a container without image": put((*container, "image"), None),
        "a command that is no list": put((*container, "command"), "/bin/sh"),
        "no quantity": put((*container, "resources", "limits", "memory"), "2 GB"),
        "an environment that is a number": put((("ConfigMap", "brownout-sweep"), "data", "SHARDS"), 16),
        "a claim without storage": put(
            (("PersistentVolumeClaim", "brownout-runs"), "spec", "resources", "requests"), {}),
        "a mode of access that there is not": put(
            (("PersistentVolumeClaim", "brownout-runs"), "spec", "accessModes"), ["ReadWriteAll"]),
        "a volume of two kinds": put((*inside, "volumes", 0, "emptyDir"), {}),
        "fewer shards than indexes": put((("ConfigMap", "brownout-sweep"), "data", "SHARDS"), "8"),
        "a mount of no volume": put((*container, "volumeMounts", 0, "name"), "run"),
        "another claim": put((*inside, "volumes", 0, "persistentVolumeClaim", "claimName"), "runs"),
    }


def check():
    documents = manifest()
    found = errors(documents)
    for error in found:
        print(f"engines/kubernetes.yaml: {error}", file=sys.stderr)
    for what, change in wrongs().items():
        wrong = copy.deepcopy(documents)
        change(wrong)
        if not errors(wrong):
            found.append(what)
            print(f"not noticed: {what}", file=sys.stderr)
    if not found:
        print(f"ok {len(documents)} documents, {len(wrongs())} wrong ones are refused")
    return 1 if found else 0


def start(job, image, index, settings):
    """The first container's command, as the kubelet would start it, but on this host."""
    container = pod(job)["containers"][0]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": os.environ["TMPDIR"], **settings}
    if index is not None:
        environment["JOB_COMPLETION_INDEX"] = str(index)
    return subprocess.Popen(container["command"] + container["args"], env=environment,
                            cwd=str(image) + container["workingDir"])


def run(image, folder, sweep):
    """The merge starts first, as it may on a cluster, and waits. Returns its exit code."""
    documents = manifest()
    shards, merge = of(documents)
    settings = dict(documents[("ConfigMap", "brownout-sweep")]["data"])
    settings.update(SWEEP=sweep, INTO=settings["INTO"].replace("/runs/", f"{folder}/"), JOBS="1",
                    WAIT=str(TIMEOUT_S))
    waiting = start(merge, image, None, settings)
    try:
        at_once = 2
        indexes = list(range(shards["spec"]["completions"]))
        while indexes:
            pods = [start(shards, image, index, settings) for index in indexes[:at_once]]
            codes = [one.wait(TIMEOUT_S) for one in pods]
            if any(codes):
                print(f"shards {indexes[:at_once]}: exit codes {codes}", file=sys.stderr)
                return 4
            del indexes[:at_once]
        return waiting.wait(TIMEOUT_S)
    finally:
        waiting.kill()
        waiting.wait()


def copies(tree, image):
    lines = (HERE.parent / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    last = len(lines) - next(i for i, line in enumerate(reversed(lines)) if line.startswith("FROM "))
    folder = ""
    for words in map(shlex.split, lines[last:]):
        if words[:1] == ["WORKDIR"]:
            folder = words[1]
        if words[:1] != ["COPY"]:
            continue
        source, target = [word for word in words[1:] if not word.startswith("--from=")]
        source = pathlib.Path(tree, re.sub("^/brownout/", "", source))
        if "--from=build" in words:
            source = pathlib.Path(os.environ["BROWNOUT"]).with_name(source.name) # there it is a build of its own
        place = pathlib.Path(image + folder, target)
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, place / source.name)
    return 0


if __name__ == "__main__":
    sys.exit({"check": check, "run": run, "copies": copies}[sys.argv[1]](*sys.argv[2:]))
