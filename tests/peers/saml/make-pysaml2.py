#!/usr/bin/env python3
"""Makes the pysaml2 vectors in vectors/ anew: what its provider answers, with the times of the day it ran.

    /tmp/venv/bin/pip install pysaml2==7.5.5       # and apt-get install xmlsec1, see make.py, which runs first
    /tmp/venv/bin/python tests/peers/saml/make-pysaml2.py
"""

import pathlib
import subprocess
import tempfile

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server

OUT = pathlib.Path(__file__).resolve().parent / "vectors"
WORK = pathlib.Path(tempfile.mkdtemp(prefix="pysaml2-"))
IDP, SP, ACS = "https://idp.example/metadata", "https://id.example/saml/acme/metadata", "https://id.example/saml/acme/acs"


def run(*command):
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


run("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", WORK / "idp.key", "-out", WORK / "idp.crt", "-subj", "/CN=pysaml2", "-days", "3650")
run("openssl", "x509", "-in", WORK / "idp.crt", "-outform", "DER", "-out", OUT / "pysaml2.crt.der")
run("openssl", "pkey", "-in", OUT / "sp.key.der", "-inform", "DER", "-out", WORK / "sp.key")
run("openssl", "req", "-x509", "-new", "-key", WORK / "sp.key", "-out", WORK / "sp.crt", "-subj", "/CN=sp", "-days", "3650")
certificate = "".join((WORK / "sp.crt").read_text().splitlines()[1:-1])
(WORK / "sp.xml").write_text(
    f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{SP}">'
    '<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data>'
    f"<ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
    f'<md:AssertionConsumerService Binding="{BINDING_HTTP_POST}" Location="{ACS}" index="0"/></md:SPSSODescriptor></md:EntityDescriptor>')

SHA256 = {"sign_alg": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "digest_alg": "http://www.w3.org/2001/04/xmlenc#sha256"}
server = Server(config=IdPConfig().load({
    "entityid": IDP, "key_file": str(WORK / "idp.key"), "cert_file": str(WORK / "idp.crt"), "xmlsec_binary": "/usr/bin/xmlsec1",
    "metadata": {"local": [str(WORK / "sp.xml")]},
    "service": {"idp": {"endpoints": {"single_sign_on_service": [("https://idp.example/sso", BINDING_HTTP_REDIRECT)]},
                        "policy": {"default": {"attribute_restrictions": None, "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"}}}}}))
for name, message, assertion, encrypted in [("assertion", False, True, False), ("both", True, True, False), ("encrypted", False, True, True)]:
    answer = server.create_authn_response(
        {"mail": "ann@acme.example", "displayName": "Ann Ä"}, in_response_to="_request1", destination=ACS, sp_entity_id=SP,
        name_id=NameID(format=NAMEID_FORMAT_PERSISTENT, text="ann&<>A"), authn={"class_ref": "urn:mfa", "authn_instant": 1}, sign_response=message,
        sign_assertion=assertion, encrypt_assertion=encrypted, encrypted_advice_attributes=False, **SHA256)
    text = str(answer)
    (OUT / f"pysaml2-{name}.xml").write_text(text)
