#!/usr/bin/env python3
"""Checks what deploys airgate, without a cluster and without a container engine: usage `deploy.py AIRGATE_BINARY`.

The Helm chart is linted and rendered by Helm's own library, with several sets of values; the manifests are held against the schemas
of Kubernetes and against the promises of docs/operations.md; compose.yaml is held against the Compose specification. The
configuration that a container would see (mounted file, environment, mounted secrets) is then given to `airgate check --offline`.
Prints a line per check and, at the end, how many there were.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import compose_spec
import helm_python as helm
import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHART = ROOT / "deploy" / "helm" / "airgate"
# The oldest that Chart.yaml allows and that has schemas, and the newest.
KUBERNETES = ["1.25", kubernetes_validate.latest_version().rsplit(".", 1)[0]]
BUCKET = """
[feishu]
mode = "webhook"
app_id = "cli_1"
admins = ["ou_1"]
[store]
backup_url = "s3://ops-backups/airgate?endpoint=https://tos-s3-cn-beijing.volces.com&region=cn-beijing"
"""
ALL_SECRETS = {
    "feishu.app_secret": "app-secret",
    "security.master_key": "master-key",
    "feishu.encrypt_key": "encrypt-key",
    "feishu.verification_token": "verification-token",
    "store.backup_access_key_id": "backup-access-key-id",
    "store.backup_secret_access_key": "backup-secret-access-key",
}
VALUES = {
    "as it comes": {},
    "everything on": {
        "config": BUCKET,
        "secretKeys": ALL_SECRETS,
        "backupDir": "",
        "extraEnv": [{"name": "RUST_LOG", "value": "airgate=debug"}],
        "imagePullSecrets": [{"name": "registry"}],
        "persistence": {"storageClass": "ssd", "size": "20Gi", "annotations": {"a/b": "c"}},
        "serviceAccount": {"name": "bot", "annotations": {"a/b": "c"}},
        "podAnnotations": {"a/b": "c"},
        "podLabels": {"team": "ops"},
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a/b": "c"}},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "networkPolicy": {
            "enabled": True,
            "ingressFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "egressPorts": [443, 9000],
        },
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "x", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
    },
    "any user id (OpenShift)": {
        "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
        "persistence": {"existingClaim": "mine"},
        "serviceAccount": {"create": False},
    },
    "no volume": {"persistence": {"enabled": False}},
}
REFUSED = {
    "an unknown name": {"replicaCount": 2},
    "no secret": {"existingSecret": ""},
    "no master key": {"secretKeys": {"security.master_key": None}},
    "a secret in the wrong place": {"secretKeys": {"master_key": "x"}},
    "a folder that is relative": {"backupDir": "backups"},
    "a port that is none": {"service": {"port": 0}},
    "a misspelt probe": {"livenessProbe": {"periodSecond": 3}},
}
count = 0


def passed(what):
    global count
    count += 1
    print(f"  ok: {what}")


def must(condition, why):
    if not condition:
        sys.exit(f"deploy.py: {why}")


def airgate(binary, config, environment, secrets, what):
    """Runs `airgate check --offline` on what a container would see, below a folder in place of its root."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in {**secrets, "/etc/airgate/config.toml": config}.items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o600)
        (root / "data").mkdir()
        local = {
            name: str(root / value.lstrip("/")) if value.startswith("/") else value
            for name, value in environment.items()
        }
        done = subprocess.run(
            [binary, "check", "--offline"], cwd=root, capture_output=True, text=True, env={"PATH": os.environ["PATH"], **local}
        )
        must(done.returncode == 0, f"{what}: airgate check exits with {done.returncode}:\n{done.stdout}{done.stderr}")
        must("backup" in done.stdout or "备份" in done.stdout, f"{what}: {done.stdout}")
    passed(f"{what}: airgate check --offline")


def secret_text(name):
    return "11" * 32 + "\n" if "master" in name else f"value-of-{name}\n"


def manifests(chart, values):
    rendered = chart.render(values, name="airgate", namespace="ops")
    documents = []
    for path, text in rendered.items():
        if path.endswith(".yaml"):
            documents += [document for document in yaml.safe_load_all(text) if document]
    return documents


def check_chart(binary):
    report = helm.lint(CHART, strict=True)
    # 2 is a warning, 3 an error.
    faults = [message for message in report["messages"] if message["severity"] >= 2] + report["errors"]
    must(report["total_charts_linted"] == 1 and not faults, f"helm lint: {faults}")
    passed("helm lint")
    with helm.Chart.load(CHART) as chart:
        for what, values in REFUSED.items():
            try:
                chart.validate_schema(values)
            except helm.HelmError:
                passed(f"values refused: {what}")
            else:
                sys.exit(f"deploy.py: values.schema.json accepts {what}: {values}")
        for what, values in VALUES.items():
            chart.validate_schema(values)
            documents = manifests(chart, values)
            for document in documents:
                # A ServiceMonitor is a custom resource: Kubernetes has no schema for it.
                if document["apiVersion"].startswith("monitoring.coreos.com/"):
                    continue
                for version in KUBERNETES:
                    kubernetes_validate.validate(document, version, strict=True)
            kinds = sorted(document["kind"] for document in documents)
            passed(f"manifests, {what}: {', '.join(kinds)}")
            check_promises(binary, what, documents)


def check_promises(binary, what, documents):
    of = lambda kind: [document for document in documents if document["kind"] == kind]
    must(not of("Secret"), f"{what}: the chart must not make secrets")
    [deployment], [config] = of("Deployment"), of("ConfigMap")
    spec = deployment["spec"]
    must(spec["replicas"] == 1 and spec["strategy"]["type"] == "Recreate", f"{what}: one process owns the store")
    pod = spec["template"]["spec"]
    must(pod["automountServiceAccountToken"] is False, f"{what}: airgate needs no token")
    must(pod["securityContext"]["runAsNonRoot"] is True, f"{what}: not as root")
    [container] = pod["containers"]
    context = container["securityContext"]
    must(context["readOnlyRootFilesystem"] is True, f"{what}: the root file system is read-only")
    must(context["allowPrivilegeEscalation"] is False, f"{what}: no more privileges")
    must(context["capabilities"] == {"drop": ["ALL"]}, f"{what}: no capabilities")
    probes = (container["livenessProbe"], container["readinessProbe"])
    paths = [probe["httpGet"]["path"] for probe in probes]
    must(paths == ["/healthz", "/readyz"], f"{what}: probes {paths}")
    for claim in of("PersistentVolumeClaim"):
        must(claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", f"{what}: the claim is kept")
    [secret] = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    [mount] = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "secrets"]
    secrets = {f"{mount}/{item['path']}": secret_text(item["key"]) for item in secret["items"]}
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    given = {value for name, value in environment.items() if name.endswith("_FILE")}
    must(given == set(secrets), f"{what}: {given} and {set(secrets)}")
    airgate(binary, config["data"]["config.toml"], environment, secrets, what)


def check_compose(binary):
    text = (ROOT / "compose.yaml").read_text()
    parsed = compose_spec.PyCompose.from_yaml(text)
    parsed.validate()
    passed("compose.yaml: the Compose specification")
    whole = yaml.safe_load(text)
    service = whole["services"]["airgate"]
    must(service["read_only"] is True and service["cap_drop"] == ["ALL"], "compose.yaml: read-only, no capabilities")
    must(service["user"] != "0" and not service.get("privileged"), "compose.yaml: not as root")
    must(all(port.startswith("127.0.0.1:") for port in service["ports"]), "compose.yaml: ports on this machine only")
    secrets = {f"/run/secrets/{name}": secret_text(name) for name in service["secrets"]}
    must(set(service["secrets"]) == set(whole["secrets"]), "compose.yaml: secrets")
    image = dockerfile_environment()
    config = 'locale = "zh_cn"\n[feishu]\nmode = "websocket"\napp_id = "cli_1"\nadmins = ["ou_1"]\n'
    airgate(binary, config, {**image, **service["environment"]}, secrets, "compose.yaml")


def dockerfile_environment():
    """The variables that the Dockerfile's last stage sets. Also holds the file to its promises."""
    text = (ROOT / "Dockerfile").read_text()
    stage = text.rsplit("\nFROM ", 1)[1].replace("\\\n", " ")
    lines = [line.strip() for line in stage.splitlines() if line.strip() and not line.strip().startswith("#")]
    [env] = [line.removeprefix("ENV ") for line in lines if line.startswith("ENV ")]
    [user] = [line.removeprefix("USER ") for line in lines if line.startswith("USER ")]
    must(user.replace(":", "").isdigit() and not user.startswith("0"), f"Dockerfile: USER {user}")
    for wanted in ("HEALTHCHECK", "STOPSIGNAL SIGTERM", "VOLUME /data", "ENTRYPOINT"):
        must(any(line.startswith(wanted) for line in lines), f"Dockerfile: {wanted}")
    passed("Dockerfile: numeric user, health check, volume, signal")
    return dict(pair.split("=", 1) for pair in env.split())


def main():
    binary = pathlib.Path(sys.argv[1]).resolve(strict=True)
    # Versions of schemas that are not there are replaced by the nearest one.
    warnings.simplefilter("ignore")
    yamllint = [sys.executable, "-m", "yamllint", "--strict", "-d", "{extends: relaxed, rules: {line-length: {max: 140}}}"]
    subprocess.run([*yamllint, "compose.yaml", CHART / "Chart.yaml", CHART / "values.yaml"], check=True, cwd=ROOT)
    passed("yamllint")
    check_chart(binary)
    check_compose(binary)
    print(f"{count} passed, 0 failed")


main()
