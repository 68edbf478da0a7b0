"""Judges events by the published schema of OCSF (ocsf-json-schema carries it, jsonschema judges).

    python check.py VERSION <events.jsonl

Prints a JSON object: how many events were good, by class, and what is wrong with the others. Members that the schema does not have
are findings too, and so are numbers that do not fit together."""

import collections
import json
import sys

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

version = sys.argv[1]
published = get_ocsf_schema(version)
names = {entry["uid"]: name for name, entry in published["classes"].items() if "uid" in entry}
schemas = OcsfJsonSchemaEmbedded(published)
judges = {}


def judge(uid):
    if uid not in judges:
        schema = schemas.get_class_schema(names[uid])
        # A pattern that nobody compiles would be a test that cannot fail.
        jsonschema.Draft202012Validator.check_schema(schema)
        judges[uid] = jsonschema.Draft202012Validator(schema)
    return judges[uid]


good, findings = collections.Counter(), []
for line in sys.stdin:
    event = json.loads(line)
    uid = event["class_uid"]
    code = event["metadata"]["event_code"]
    wrong = [f"{'.'.join(map(str, fault.absolute_path))}: {fault.message[:200]}" for fault in judge(uid).iter_errors(event)]
    if event["type_uid"] != uid * 100 + event["activity_id"]:
        wrong.append("type_uid is not of class and activity")
    if published["classes"][names[uid]]["caption"] != event["class_name"]:
        wrong.append("class_name is another class's")
    if event["metadata"]["version"] != version:
        wrong.append("another version is stated")
    findings += [f"{code}: {fault}" for fault in wrong]
    good[str(uid)] += not wrong
print(json.dumps({"good": good, "findings": findings}))
