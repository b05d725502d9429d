"""Runs scim2-tester, which checks servers of SCIM, against a hub: python scim_check.py URL TOKEN.

Prints a line for each check that failed, and how many there were.
"""

import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

url, token = sys.argv[1:3]
client = SyncSCIMClient(
    Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
)
results = check_server(client)
bad = [one for one in results if one.status in (Status.ERROR, Status.CRITICAL)]
for one in bad:
    print(f"{one.status.name} {one.title}: {one.reason}")
print(f"{len(results)} checks, {len(bad)} failed")
sys.exit(1 if bad else 0)
