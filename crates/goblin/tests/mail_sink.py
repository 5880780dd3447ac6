"""A mail server on a free port of 127.0.0.1 (aiosmtpd), for tests: says its port, then one JSON line for each letter.

    mail_sink.py [--certificate FILE --key FILE] [--later N] [--refuse]

With a certificate a letter is taken after STARTTLS only. `--later N`: the first N letters are put off (451). `--refuse`:
every letter is refused for good (550).
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl

from aiosmtpd.smtp import SMTP


class Handler:
    def __init__(self, later, refuse):
        self.later, self.refuse = later, refuse

    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in letter.walk() if not part.is_multipart()}
        said = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": {name: str(value) for name, value in letter.items()},
            "text": parts.get("text/plain"),
            "html": parts.get("text/html"),
            "encrypted": session.ssl is not None,
            "later": self.later > 0,
        }
        print(json.dumps(said), flush=True)
        if self.refuse:
            return "550 no"
        if self.later > 0:
            self.later -= 1
            return "451 come back later"
        return "250 OK"


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--later", type=int, default=0)
    parser.add_argument("--refuse", action="store_true")
    given = parser.parse_args()
    tls = None
    if given.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(given.certificate, given.key)
    handler = Handler(given.later, given.refuse)

    def session():
        return SMTP(handler, hostname="localhost", tls_context=tls, require_starttls=tls is not None)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
