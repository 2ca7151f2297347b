// The same bank's program on openid-client, which meets a nonce's refusal by itself.
import * as client from "openid-client";

const { OAUTH_ISSUER, OAUTH_CLIENT, OAUTH_KEY } = process.env;
const jwk = JSON.parse(OAUTH_KEY);
const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);

const config = await client.discovery(
  new URL(OAUTH_ISSUER),
  OAUTH_CLIENT,
  undefined,
  client.PrivateKeyJwt({ key, kid: jwk.kid }),
  { algorithm: "oauth2", execute: [client.allowInsecureRequests] }, // http, on the loopback address
);
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
const token = await client.clientCredentialsGrant(config, { scope: "payer:read" }, { DPoP });

const url = new URL("/graphql", OAUTH_ISSUER);
const headers = new Headers({ "content-type": "application/json" });
const body = JSON.stringify({ query: "{ viewer { clientId } }" });
const call = () =>
  client.fetchProtectedResource(config, token.access_token, url, "POST", body, headers, { DPoP });
const viewer = await (await call()).json();

const stolen = await fetch(url, {
  method: "POST",
  headers: { "content-type": "application/json", authorization: `Bearer ${token.access_token}` },
  body,
});
const before = await client.tokenIntrospection(config, token.access_token);
await client.tokenRevocation(config, token.access_token);
const after = await client.tokenIntrospection(config, token.access_token);
let refused = null;
try {
  await call();
} catch (error) {
  refused = error.status;
}
console.log(JSON.stringify({ token, viewer, stolen: stolen.status, before, after, refused }));
