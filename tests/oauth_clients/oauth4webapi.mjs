// A bank's program on oauth4webapi, against the gateway OAUTH_ISSUER as client OAUTH_CLIENT with the private key
// OAUTH_KEY (a JWK, ES256). Prints what it was answered as JSON.
import * as oauth from "oauth4webapi";

const { OAUTH_ISSUER, OAUTH_CLIENT, OAUTH_KEY } = process.env;
const options = { [oauth.allowInsecureRequests]: true }; // http, on the loopback address
const issuer = new URL(OAUTH_ISSUER);
const jwk = JSON.parse(OAUTH_KEY);
const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);

const discovery = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...options });
const as = await oauth.processDiscoveryResponse(issuer, discovery);
const client = { client_id: OAUTH_CLIENT };
const authentication = oauth.PrivateKeyJwt({ key, kid: jwk.kid });
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));

let refusals = 0;
async function withNonce(request) {
  try {
    return await request();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    refusals += 1;
    return request();
  }
}

const parameters = new URLSearchParams({ scope: "payer:read" });
const token = await withNonce(async () => {
  const request = oauth.clientCredentialsGrantRequest(as, client, authentication, parameters, { DPoP, ...options });
  return oauth.processClientCredentialsResponse(as, client, await request);
});

const url = new URL("/graphql", issuer);
const headers = new Headers({ "content-type": "application/json" });
const body = JSON.stringify({ query: "{ viewer { clientId } }" });
const call = () => oauth.protectedResourceRequest(token.access_token, "POST", url, headers, body, { DPoP, ...options });
const viewer = await (await withNonce(call)).json();

const stolen = await fetch(url, {
  method: "POST",
  headers: { "content-type": "application/json", authorization: `Bearer ${token.access_token}` },
  body,
});

async function introspected() {
  const response = await oauth.introspectionRequest(as, client, authentication, token.access_token, options);
  return oauth.processIntrospectionResponse(as, client, response);
}
const before = await introspected();
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, authentication, token.access_token, options),
);
const after = await introspected();
let refused = null;
try {
  await call();
} catch (error) {
  refused = error.status;
}
console.log(JSON.stringify({ refusals, token, viewer, stolen: stolen.status, before, after, refused }));
