// Leads spago's two fixed hosts to a proxy on loopback; every other host is refused, so a test never leaves the machine.
//
// Loaded with `node --require`. spago's addresses cannot be set by flag, file or environment, but each of its connections goes
// through `net.Socket.prototype.connect`, below TLS: the host name in the certificate is therefore still checked, against the
// test's own authority in NODE_EXTRA_CA_CERTS.
"use strict";

const net = require("node:net");

const proxyPort = Number(process.env.SPAGO_PROXY_PORT);
if (!Number.isInteger(proxyPort) || proxyPort <= 0) {
  throw new Error("redirect.cjs needs SPAGO_PROXY_PORT, the port of the proxy on loopback");
}

const redirected = new Set(["registry.purescript.org", "packages.registry.purescript.org"]);
const loopback = new Set(["127.0.0.1", "::1", "localhost"]);
const connect = net.Socket.prototype.connect;

net.Socket.prototype.connect = function (...args) {
  // `net.connect` and `tls.connect` pass one already normalised array; others pass the options themselves.
  const first = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (first === null || typeof first !== "object") {
    throw new Error("redirect.cjs does not know this form of connect(); extend it");
  }
  const host = first.host ?? "localhost";
  if (first.path == null) {
    if (redirected.has(host) && Number(first.port) === 443) {
      first.host = "127.0.0.1";
      first.port = proxyPort;
    } else if (!loopback.has(host)) {
      throw new Error(`the test refuses a connection to ${host}:${first.port}`);
    }
  }
  return connect.apply(this, args);
};
