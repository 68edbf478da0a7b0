#!/usr/bin/env python3
"""Makes the SAML vectors in vectors/ anew, with signers and encrypters that are not ours.

    apt-get install xmlsec1
    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install signxml==5.2.0 lxml==6.1.3 cryptography==50.0.2
    /tmp/venv/bin/python tests/peers/saml/make.py

The vectors are committed, so that the tests need none of these tools. Each run makes new keys: the providers' private keys are
thrown away, ours stays in vectors/ because the tests decrypt with it.
"""

import base64
import os
import pathlib
import re
import subprocess
import tempfile
import urllib.parse
import zlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree
from signxml import XMLSigner, methods

OUT = pathlib.Path(__file__).resolve().parent / "vectors"
WORK = pathlib.Path(tempfile.mkdtemp(prefix="saml-vectors-"))
P, A = "urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:2.0:assertion"
DS, XENC, XENC11 = "http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
IDP, SP, ACS = "https://idp.example/metadata", "https://id.example/saml/acme/metadata", "https://id.example/saml/acme/acs"

# Prefix of protocol, of assertion, of signature; the empty one is the default namespace.
PREFIXES = {"usual": ("samlp", "saml", "ds"), "two": ("saml2p", "saml2", "ds"), "bare": ("", "", ""), "odd": ("a.b", "_x-1", "zz")}


def run(*command, **more):
    subprocess.run([str(part) for part in command], check=True, capture_output=True, **more)


def keys():
    """Providers' keys with certificates, and ours for decryption."""
    for name, spec in [("rsa", ["rsa:2048"]), ("p256", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
                       ("p384", ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]), ("sp", ["rsa:2048"])]:
        key, certificate = WORK / f"{name}.key", WORK / f"{name}.crt"
        run("openssl", "req", "-x509", "-nodes", "-newkey", *spec, "-keyout", key, "-out", certificate,
            "-subj", f"/CN={name}.example", "-days", "3650")
        if name != "sp":
            run("openssl", "x509", "-in", certificate, "-outform", "DER", "-out", OUT / f"{name}.crt.der")
    run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", WORK / "sp.key", "-outform", "DER", "-out", OUT / "sp.key.der")


def name(prefix, local):
    return f"{prefix}:{local}" if prefix else local


def declare(prefix, uri):
    return f'xmlns:{prefix}="{uri}"' if prefix else f'xmlns="{uri}"'


def signature(prefix, uri, method, prefixes="", digest=XENC + "sha256"):
    """A template for xmlsec1."""
    s = lambda local: name(prefix, local)
    inclusive = f'<ec:InclusiveNamespaces xmlns:ec="{EXC}" PrefixList="{prefixes}"/>' if prefixes else ""
    return f"""<{s("Signature")} {declare(prefix, DS)}><{s("SignedInfo")}><{s("CanonicalizationMethod")} Algorithm="{EXC}"/>
<{s("SignatureMethod")} Algorithm="{method}"/><{s("Reference")} URI="#{uri}"><{s("Transforms")}><{s("Transform")} Algorithm="{DS}enveloped-signature"/>
<{s("Transform")} Algorithm="{EXC}">{inclusive}</{s("Transform")}></{s("Transforms")}><{s("DigestMethod")} Algorithm="{digest}"/><{s("DigestValue")}/>
</{s("Reference")}></{s("SignedInfo")}><{s("SignatureValue")}/><{s("KeyInfo")}><{s("X509Data")}><{s("X509Certificate")}/></{s("X509Data")}></{s("KeyInfo")}></{s("Signature")}>"""


def assertion(style, template="", declared=True):
    """One person, with everything that canonicalization finds hard."""
    p = PREFIXES[style][1]
    e = lambda local: name(p, local)
    xmlns = " " + declare(p, A) if declared else ""
    return f"""<{e("Assertion")}{xmlns} xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    ID="_a1" IssueInstant='2026-11-22T12:00:00.123Z'   Version="2.0"><{e("Issuer")}>{IDP}</{e("Issuer")}>{template}
  <{e("Subject")}><{e("NameID")} Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">a<![CDATA[nn&<>]]>&#x41;</{e("NameID")}>
    <{e("SubjectConfirmation")} Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><{e("SubjectConfirmationData")} Recipient="{ACS}"
      NotOnOrAfter="2026-11-22T12:05:00Z" InResponseTo="_request1"/></{e("SubjectConfirmation")}></{e("Subject")}>
  <{e("Conditions")} NotBefore="2026-11-22T11:59:30Z" NotOnOrAfter="2026-11-22T12:05:00Z"><{e("AudienceRestriction")}><{e("Audience")}>{SP}</{e("Audience")}></{e("AudienceRestriction")}></{e("Conditions")}>
  <{e("AuthnStatement")} AuthnInstant="2026-11-22T11:59:59Z" SessionIndex="_s1" SessionNotOnOrAfter="2026-11-22T20:00:00Z"><{e("AuthnContext")}><{e("AuthnContextClassRef")}>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</{e("AuthnContextClassRef")}></{e("AuthnContext")}></{e("AuthnStatement")}>
  <{e("AttributeStatement")}><{e("Attribute")} Name="urn:oid:0.9.2342.19200300.100.1.3" FriendlyName="mail"><{e("AttributeValue")} xsi:type="xs:string">Ann@Acme.example</{e("AttributeValue")}></{e("Attribute")}>
    <{e("Attribute")} Name="displayName"><{e("AttributeValue")} b="2&#10;&#9;&quot;" a="&lt;1&gt;" xml:lang="de" z:k="v" xmlns:z="urn:z">Ann “Ä” &amp; 李 &#13; \U0001f600</{e("AttributeValue")}></{e("Attribute")}>
    <{e("Attribute")} Name="groups"><{e("AttributeValue")} xmlns:unused="urn:unused">staff</{e("AttributeValue")}><{e("AttributeValue")}>ops</{e("AttributeValue")}></{e("Attribute")}></{e("AttributeStatement")}>
</{e("Assertion")}>"""


def response(style, body, template=""):
    p, a, _ = PREFIXES[style]
    issuer = f'<{name(a, "Issuer")} {declare(a, A)}>{IDP}</{name(a, "Issuer")}>'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<{name(p, "Response")} {declare(p, P)} xmlns:extra="urn:extra" ID="_r1" Version="2.0" IssueInstant="2026-11-22T12:00:00Z" Destination="{ACS}" InResponseTo="_request1">{issuer}{template}
<{name(p, "Status")}><{name(p, "StatusCode")} Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></{name(p, "Status")}>{body}</{name(p, "Response")}>"""


def xmlsec(document, key, node):
    """Fills the template in `node` ("Response" or "Assertion") in."""
    source, target = WORK / "in.xml", WORK / "out.xml"
    source.write_text(document)
    uri = P if node == "Response" else A
    run("xmlsec1", "--sign", "--privkey-pem", f"{WORK / key}.key,{WORK / key}.crt", "--id-attr:ID", f"{uri}:{node}",
        "--node-xpath", f"//*[local-name()='{node}']/*[local-name()='Signature']", "--output", target, source)
    return target.read_text()


def keep(vector, text):
    (OUT / f"{vector}.xml").write_bytes(text if isinstance(text, bytes) else text.encode())


def by_xmlsec1():
    rows = [("rsa", MORE + "rsa-sha256", "usual", XENC + "sha256", "xs"), ("rsa", MORE + "rsa-sha512", "two", XENC + "sha512", ""),
            ("rsa", MORE + "rsa-sha384", "bare", MORE + "sha384", "#default xs"), ("p256", MORE + "ecdsa-sha256", "odd", XENC + "sha256", ""),
            ("p384", MORE + "ecdsa-sha384", "usual", XENC + "sha512", "xs xsi extra")]
    for key, method, style, digest, prefixes in rows:
        d = PREFIXES[style][2]
        on_assertion = signature(d, "_a1", method, prefixes, digest)
        on_response = signature(d, "_r1", method, prefixes, digest)
        label = f"xmlsec1-{key}-{method.rsplit('-', 1)[1]}-{style}"
        keep(f"{label}-assertion", xmlsec(response(style, assertion(style, on_assertion)), key, "Assertion"))
        keep(f"{label}-response", xmlsec(response(style, assertion(style), on_response), key, "Response"))
        both = xmlsec(response(style, assertion(style, on_assertion), on_response), key, "Assertion")
        keep(f"{label}-both", xmlsec(both, key, "Response"))


def by_signxml():
    for key, method, style in [("rsa", "rsa-sha256", "two"), ("p256", "ecdsa-sha256", "bare")]:
        pem, certificate = (WORK / f"{key}.key").read_bytes(), (WORK / f"{key}.crt").read_text()
        signer = XMLSigner(method=methods.enveloped, signature_algorithm=method, digest_algorithm="sha256", c14n_algorithm=EXC)
        place = '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"></ds:Signature>'
        signed = signer.sign(etree.fromstring(assertion(style, place)), key=pem, cert=certificate, reference_uri="_a1")
        text = etree.tostring(signed, encoding="unicode")
        keep(f"signxml-{key}-assertion", response(style, text))
        whole = etree.fromstring(response(style, assertion(style), place).encode())
        signed = signer.sign(whole, key=pem, cert=certificate, reference_uri="_r1")
        keep(f"signxml-{key}-response", etree.tostring(signed))


def encrypted_data(plain, content, wrap, beside=False):
    """An EncryptedAssertion by Python's cryptography."""
    public = serialization.load_pem_private_key((WORK / "sp.key").read_bytes(), None).public_key()
    size = 16 if "128" in content else 32
    key, data = os.urandom(size), plain.encode()
    if content.endswith("gcm"):
        nonce = os.urandom(12)
        cipher, uri = nonce + AESGCM(key).encrypt(nonce, data, None), XENC11 + content
    else:
        pad = 16 - len(data) % 16
        data += os.urandom(pad - 1) + bytes([pad])
        vector = os.urandom(16)
        encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
        cipher, uri = vector + encryptor.update(data) + encryptor.finalize(), XENC + content
    method, digest, mask = {
        "mgf1p": (XENC + "rsa-oaep-mgf1p", None, None), "mgf1p-sha1": (XENC + "rsa-oaep-mgf1p", DS + "sha1", None),
        "oaep-sha256": (XENC11 + "rsa-oaep", XENC + "sha256", XENC11 + "mgf1sha256"), "rsa15": (XENC + "rsa-1_5", None, None)}[wrap]
    hash_of = hashes.SHA256 if wrap == "oaep-sha256" else hashes.SHA1
    scheme = padding.PKCS1v15() if wrap == "rsa15" else padding.OAEP(padding.MGF1(hash_of()), hash_of(), None)
    wrapped = base64.b64encode(public.encrypt(key, scheme)).decode()
    inner = (f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{digest}"/>' if digest else "") + (f'<e11:MGF xmlns:e11="{XENC11}" Algorithm="{mask}"/>' if mask else "")
    carried = (f'<xenc:EncryptedKey xmlns:xenc="{XENC}" Id="_ek"><xenc:EncryptionMethod Algorithm="{method}">{inner}</xenc:EncryptionMethod>'
               f"<xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>")
    info = f'<ds:RetrievalMethod URI="#_ek" Type="{XENC}EncryptedKey"/>' if beside else carried
    value = base64.encodebytes(cipher).decode()
    return (f'<xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{uri}"/><ds:KeyInfo xmlns:ds="{DS}">{info}</ds:KeyInfo>'
            f"<xenc:CipherData><xenc:CipherValue>{value}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>{carried if beside else ''}")


def encrypted():
    method = MORE + "rsa-sha256"
    whole = xmlsec(response("usual", assertion("usual", signature("ds", "_a1", method))), "rsa", "Assertion")
    signed = whole[whole.index("<saml:Assertion"):whole.index("</samlp:Response>")]
    unsigned = assertion("usual")
    wrap = lambda data: f'<saml:EncryptedAssertion xmlns:saml="{A}">{data}</saml:EncryptedAssertion>'
    for content, carried, beside in [("aes128-gcm", "mgf1p", False), ("aes256-gcm", "mgf1p-sha1", True), ("aes256-gcm", "oaep-sha256", False)]:
        keep(f"encrypted-{content}-{carried}", response("usual", wrap(encrypted_data(signed, content, carried, beside))))
    # Encrypted where an ancestor declared the prefix, and not declared again.
    bare = response("usual", wrap(encrypted_data(assertion("usual", declared=False), "aes128-gcm", "mgf1p")), signature("ds", "_r1", method))
    keep("encrypted-inherited-response", xmlsec(bare, "rsa", "Response"))
    for content in ["aes128-cbc", "aes256-cbc"]:
        inside = response("usual", wrap(encrypted_data(unsigned, content, "mgf1p")), signature("ds", "_r1", method))
        keep(f"encrypted-{content}-response", xmlsec(inside, "rsa", "Response"))
    keep("refused-cbc-unsigned-response", response("usual", wrap(encrypted_data(signed, "aes128-cbc", "mgf1p"))))
    keep("refused-rsa15", response("usual", wrap(encrypted_data(signed, "aes128-gcm", "rsa15"))))
    keep("refused-encrypted-unsigned", response("usual", wrap(encrypted_data(unsigned, "aes128-gcm", "mgf1p"))))
    # By xmlsec1 itself.
    source = WORK / "plain.xml"
    source.write_text(response("usual", wrap(signed)))
    template = WORK / "template.xml"
    template.write_text(f'<xenc:EncryptedData xmlns:xenc="{XENC}" Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{XENC11}aes256-gcm"/><ds:KeyInfo xmlns:ds="{DS}"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{XENC}rsa-oaep-mgf1p"/><ds:KeyInfo><ds:KeyName/></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>')
    run("xmlsec1", "--encrypt", "--pubkey-cert-pem", WORK / "sp.crt", "--session-key", "aes-256", "--xml-data", source,
        "--node-xpath", "//*[local-name()='Assertion']", "--output", WORK / "encrypted.xml", template)
    keep("encrypted-xmlsec1", (WORK / "encrypted.xml").read_bytes())


def sha1():
    """Signed as it was done until 2011."""
    keep("refused-sha1-signature", xmlsec(response("usual", assertion("usual", signature("ds", "_a1", DS + "rsa-sha1"))), "rsa", "Assertion"))
    keep("refused-sha1-digest", xmlsec(response("usual", assertion("usual", signature("ds", "_a1", MORE + "rsa-sha256", digest=DS + "sha1"))), "rsa", "Assertion"))


def redirects():
    """Signed logout queries: percent-encoding in lower case with RSA, in upper case with ECDSA as ASN.1."""
    request = (f'<samlp:LogoutRequest xmlns:samlp="{P}" xmlns:saml="{A}" ID="_l1" Version="2.0" IssueInstant="2026-11-22T12:00:00Z" NotOnOrAfter="2026-11-22T12:05:00Z"'
               f' Destination="https://id.example/saml/acme/slo"><saml:Issuer>{IDP}</saml:Issuer><saml:NameID>ann</saml:NameID><samlp:SessionIndex>_s1</samlp:SessionIndex></samlp:LogoutRequest>')
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = base64.b64encode(packer.compress(request.encode()) + packer.flush()).decode()
    for key, method, lower in [("rsa", "rsa-sha256", True), ("p256", "ecdsa-sha256", False)]:
        escape = lambda text: re.sub("%..", lambda m: m.group().lower() if lower else m.group(), urllib.parse.quote(text, safe=""))
        octets = f"SAMLRequest={escape(packed)}&RelayState={escape('a/b c')}&SigAlg={escape(MORE + method)}"
        private = serialization.load_pem_private_key((WORK / f"{key}.key").read_bytes(), None)
        scheme = [padding.PKCS1v15(), hashes.SHA256()] if key == "rsa" else [ec.ECDSA(hashes.SHA256())]
        value = base64.b64encode(private.sign(octets.encode(), *scheme)).decode()
        # The order in the query is the sender's own.
        parts = octets.split("&")
        (OUT / f"redirect-{key}.query").write_text("&".join([parts[2], f"Signature={escape(value)}", parts[1], parts[0]]))


def metadata():
    """A provider's document with comments, two keys and addresses that are not used, signed by xmlsec1 with the EC key."""
    der = lambda key: base64.encodebytes((OUT / f"{key}.crt.der").read_bytes()).decode()
    described = lambda key, use: (f'<md:KeyDescriptor{use}><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>\n{der(key)}</ds:X509Certificate>'
                                  "</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>")
    bindings = "urn:oasis:names:tc:SAML:2.0:bindings:"
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand --><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="_m1" entityID="{IDP}" validUntil="2026-12-01T00:00:00Z">{signature("ds", "_m1", MORE + "ecdsa-sha256")}
<md:IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol {P}"><!-- one & two -->
{described("rsa", ' use="signing"')}{described("p384", "")}{described("p256", ' use="encryption"')}
<md:SingleLogoutService Binding="{bindings}HTTP-Redirect" Location="https://idp.example/slo" ResponseLocation="https://idp.example/slo/done"/>
<md:SingleSignOnService Binding="{bindings}SOAP" Location="https://idp.example/soap"/><md:SingleSignOnService Binding="{bindings}HTTP-POST" Location="http://idp.example/plain"/>
<md:SingleSignOnService Binding="{bindings}HTTP-Redirect" Location="https://idp.example/sso?tenant=1"/></md:IDPSSODescriptor></md:EntityDescriptor>"""
    source, target = WORK / "in.xml", WORK / "out.xml"
    source.write_text(text)
    run("xmlsec1", "--sign", "--privkey-pem", f"{WORK / 'p256.key'},{WORK / 'p256.crt'}", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor",
        "--output", target, source)
    keep("metadata", target.read_bytes())


def canonical():
    """libxml2's exclusive canonicalization of documents that are hard to canonicalise: NAME.xml and NAME.c14n."""
    documents = {
        "namespaces": '<a:r xmlns:a="urn:a" xmlns:b="urn:b" xmlns="urn:d"><b:x xmlns:b="urn:b2" b:k="1" k="2" a:k="3"><y xmlns=""><z xmlns="urn:d"/></y></b:x><b:x/><c xmlns:a="urn:a"><a:d xmlns:a="urn:other"><a:e xmlns:a="urn:a"/></a:d></c></a:r>',
        "texts": "<r a=\"&#9;&#10;&#13; x  y\" b='\"&apos;&lt;&gt;&amp;'>&#13;\r\n<![CDATA[<&>]]> &gt;&lt;&amp;\"' \u00e9\U0001f600<e/><e></e\n></r>",
        "attributes": '<r xmlns:z="urn:a" xmlns:a="urn:z" z:b="1" a:a="2" c="3" B="4" xml:lang="en" xml:space="preserve" z:a="5" \u00e9="6"/>',
        "deep": '<n0 xmlns="urn:0">' + "".join(f'<n{i} xmlns="urn:{i % 3}" xmlns:p{i % 4}="urn:p{i}" p{i % 4}:q="{i}">' for i in range(1, 12)) + "".join(f"</n{i}>" for i in range(11, 0, -1)) + "</n0>",
    }
    for vector, text in documents.items():
        tree = etree.fromstring(text.encode())
        (OUT / f"c14n-{vector}.xml").write_bytes(text.encode())
        (OUT / f"c14n-{vector}.c14n").write_bytes(etree.tostring(tree, method="c14n", exclusive=True, with_comments=False))
        listed = ["a", "b", "p1", "p2"]
        (OUT / f"c14n-{vector}.listed").write_bytes(etree.tostring(tree, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=listed))
        inner = list(tree.iter())[min(2, len(list(tree.iter())) - 1)]
        (OUT / f"c14n-{vector}.inner").write_bytes(inner_c14n(tree, inner, None))
        (OUT / f"c14n-{vector}.inner-listed").write_bytes(inner_c14n(tree, inner, listed))


def inner_c14n(tree, node, listed):
    """Of the third element in its context; lxml's write_c14n of a subtree keeps the ancestors' namespaces in scope."""
    return etree.tostring(node, method="c14n", exclusive=True, with_comments=False, with_tail=False, inclusive_ns_prefixes=listed)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        if not old.name.startswith(("samlify", "pysaml2")):
            old.unlink()
    keys()
    by_xmlsec1()
    by_signxml()
    encrypted()
    sha1()
    redirects()
    metadata()
    canonical()
    print(len(list(OUT.iterdir())), "files in", OUT)
