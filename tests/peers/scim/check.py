"""Runs scim2-tester, a conformance tester that others wrote, on a directory's provisioning.

    python check.py URL TOKEN DOMAIN CA_FILE

Prints a JSON list of findings. The tester makes values up by their schemas; a schema cannot say that an address must be in the
directory's own domain, so that is said here and nothing else."""

import json
import os
import socket
import ssl
import sys
import uuid

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server
from scim2_tester import filling

url, domain, ca_file = sys.argv[1], sys.argv[2], sys.argv[3]
token = os.environ["SCIM_TOKEN"]


def at_home(lookup):
    """The gateway's names are no names of the system's."""
    def look_up(host, *rest, **more):
        return lookup("127.0.0.1" if str(host).endswith(".example.test") else host, *rest, **more)
    return look_up


def in_the_domain(make_up):
    def made_up(context, path, mutability=None, required=None):
        value = make_up(context, path=path, mutability=mutability, required=required)
        is_list = isinstance(value, list)
        one = value[0] if is_list and value else value
        if isinstance(one, str) and ("@" in one or str(path).endswith("userName")):
            one = f"{uuid.uuid4()}@{domain}"
            return [one] if is_list else one
        return value
    return made_up


socket.getaddrinfo = at_home(socket.getaddrinfo)
replaced = in_the_domain(filling.generate_random_value)
for module in list(sys.modules.values()):
    if module.__name__.startswith("scim2_tester") and hasattr(module, "generate_random_value"):
        module.generate_random_value = replaced

context = ssl.create_default_context(cafile=ca_file)
client = Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, verify=context, timeout=20)
results = check_server(SyncSCIMClient(client))
# A deviation is from what RFC 7644 only recommends; it is told as well.
bad = [one for one in results if one.status not in (Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE, Status.SKIPPED)]
findings = [{"status": one.status.name, "check": one.title, "resource": one.resource_type, "reason": str(one.reason), "data": str(one.data)[:800]} for one in bad]
json.dump({"checks": len(results), "good": len(results) - len(bad), "findings": findings}, sys.stdout)
