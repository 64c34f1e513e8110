"""Ends TLS and passes the bytes on, for a collector that speaks none itself.

usage: tls_proxy.py LISTEN_PORT TARGET_PORT CERTIFICATE KEY
"""

import socket
import ssl
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        target.close()


def main():
    listen, target, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_server(("127.0.0.1", int(listen))) as server:
        while True:
            client, _ = server.accept()
            try:
                client = context.wrap_socket(client, server_side=True)
                upstream = socket.create_connection(("127.0.0.1", int(target)))
            except OSError:
                client.close()
                continue
            for ends in ((client, upstream), (upstream, client)):
                threading.Thread(target=pump, args=ends, daemon=True).start()


main()
