#!/usr/bin/env python3
"""Writes the seed corpora of the targets from tests/vectors to fuzz/corpus/<target>/."""

import json
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent / "tests" / "vectors"


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    data = data.encode() if isinstance(data, str) else data
    (folder / name.replace("/", "-")).write_bytes(data)


def feishu():
    vectors = json.loads((VECTORS / "feishu.json").read_text())
    for case in vectors["cases"] + vectors["divergences"]:
        body, plain = case.get("raw_body"), case.get("plaintext")
        if body is not None:
            for choices in range(8):
                write("callback", f"{case['id']}-{choices}", bytes([choices]) + body.encode())
            if '"encrypt"' not in body:
                write("decrypt", case["id"], body)
        if plain is not None:
            write("decrypt", case["id"], plain)
            write("callback", f"{case['id']}-plain", b"\0" + plain.encode())
        if "encrypt" in case:
            write("decrypt", case["id"] + "-sealed", case["encrypt"])


def connection():
    vectors = json.loads((VECTORS / "feishu-ws.json").read_text())
    frames = {frame["id"]: bytes.fromhex(frame["hex"]) for frame in vectors["frames"]}
    others = vectors["malformed"]["cases"] + vectors["divergences"]["cases"]
    frames |= {case["id"]: bytes.fromhex(case["hex"]) for case in others}
    behind = lambda frame: struct.pack("<H", len(frame)) + frame
    for name, frame in frames.items():
        write("frames", name, behind(frame))
    for exchange in vectors["exchanges"]:
        known = [frames[name] for name in exchange["in"] if name in frames]
        write("frames", "exchange-" + exchange["id"], b"".join(map(behind, known)))


def texts():
    for n, text in enumerate(
        "1000 +1000 -200.5 1,000.00 ¥1000 007 －１，０００．５ 9,999,999,999.99 1,00 0.001 1e5".split()
    ):
        write("amount", str(n), text)
    commands = (
        "/help|帮助|/users 张|/user main/alice|/create|/sync|/projects a|/quota alice 1,000.50 Q4|划拨 alice －200"
        "|/billing alice 2026-11|/alerts a|/enable a|停用 a|/monitor run|/config|/accounts|/export ledger|/me|／ help"
        "|/user [a@b.com](mailto:a@b.com)|/qouta"
    )
    for n, text in enumerate(commands.split("|")):
        write("command", str(n), text)
    addresses = (
        "https://open.feishu.cn/open-apis/bot/v2/hook/x http://127.0.0.1:9000/h https://localhost/x http://[::1]:1/"
        " https://a:b@open.feishu.cn/ https://feishu.corp.example:8443/h https://open.feishu.cn.evil.example/"
        " https://[::ffff:10.0.0.1]/ http://127.1/ http://2130706433/ https://xn--feishu.cn/ https://.feishu.cn/"
    )
    for n, text in enumerate(addresses.split()):
        write("address", str(n), text)


def configuration():
    example = (HERE.parent / "config.example.toml").read_text()
    lines = [line.lstrip("# ") if " = " in line else line for line in example.splitlines()]
    plain = [line for line in lines if "_file" not in line and (" = " in line or line.startswith("["))]
    good = (
        'locale = "en_us"\n[feishu]\napp_id = "cli_1"\napp_secret = "s"\nverification_token = "v"\nadmins = ["ou_1"]\n'
        '[security]\nmaster_key = "' + "11" * 32 + '"\n'
    )
    write("config", "example", "\n".join(plain))
    write("config", "good", good)
    write("config", "env", good + "\n---\nSERVER__LISTEN=127.0.0.1:1\nFEISHU__VIEWERS=ou_2,ou_3\nMONITOR__ALERT_THRESHOLDS=[50]")


def events():
    scripts = (
        "w/quota |malice 999999|w 100 note||e|bairgate|w /help||w/user main/|a||w/quota |lalice 999999](x) [y|w 100"
        "||w/billing |m[a](http://b)|w 2026-11||bairgate|mann|w停用 alice||w/user alice\u200b||w[a](http://b) c|lx"
    )
    for n, script in enumerate(scripts.split("||")):
        write("message", str(n), script.replace("|", "\n"))
    clicks = (
        "vaction=quota.allocate|vuser=main/alice|vop=o1|famount=1,000|fnote=n|nx||nconfig.save?op=o1|fthresholds=50,80"
        "||vaction=user.configure|vuser=main/alice|vpersonal=true|tmonitor|femail=a@b.cn|nx|xname"
        "||vaction=users.list|nx|fquery=web||vaction=billing.open|o2026-09||vaction=project.toggle|vuser=main/a|vproject=p"
        "|venabled=true||nuser.create?op=o|fusername=a|tlogin||vaction=account.save|faccount=a|fsecret_key=s|nx"
    )
    for n, script in enumerate(clicks.split("||")):
        write("card_action", str(n), script.replace("|", "\n"))


def bills():
    def answer(rows, total):
        result = {"List": rows, "Total": total, "Limit": 300, "Offset": 0}
        return json.dumps({"ResponseMetadata": {"RequestId": "r"}, "Result": result}).encode()

    def row(n, amount, **further):
        names = ["PayableAmount", "DiscountBillAmount", "OriginalBillAmount"]
        plain = {"SplitBillDetailId": f"s{n}", "BillDetailId": f"b{n}", "Project": "team-a", "Currency": "CNY"}
        return plain | {"Product": "ark"} | dict.fromkeys(names, amount) | further

    for choices in range(8):
        tag = bytes([choices])
        write("bill", f"one-{choices}", tag + answer([row(1, "1.50"), row(2, -0.07), row(3, "1e-7")], 3))
        pages = [[row(n, "0.01") for n in range(300)], [row(n, "0.01") for n in range(300, 302)]]
        write("bill", f"two-{choices}", tag + b"\0".join(answer(rows, 302) for rows in pages))
    write("bill", "foreign", b"\0" + answer([row(1, "1", Currency="USD")], 1))
    write("bill", "empty-amount", b"\0" + answer([row(1, "")], 1))
    write("bill", "none", b"\0" + answer([], 0))
    write("bill", "error", b'\0{"ResponseMetadata":{"RequestId":"r","Error":{"Code":"FlowLimitExceeded","Message":"m"}}}')


feishu()
connection()
texts()
configuration()
events()
bills()
for folder in sorted((HERE / "corpus").iterdir()):
    print(folder.name, sum(1 for _ in folder.iterdir()))
