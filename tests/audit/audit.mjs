// Audits the GraphQL endpoint AUDIT_URL against the GraphQL over HTTP specification, with the bearer token
// AUDIT_TOKEN, and prints one JSON object for each audit: its id, name, status, and reason where it failed.
import { serverAudits } from "graphql-http";

const { AUDIT_URL: url, AUDIT_TOKEN: token } = process.env;

// The audits know nothing of tokens: each request gets one on its way out.
function fetchFn(address, options = {}) {
  const headers = new Headers(options.headers);
  headers.set("authorization", `Bearer ${token}`);
  return fetch(address, { ...options, headers });
}

for (const audit of serverAudits({ url, fetchFn })) {
  const { id, name, status, reason } = await audit.fn();
  console.log(JSON.stringify({ id, name, status, reason }));
}
