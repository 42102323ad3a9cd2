// Audits a GraphQL endpoint with suites and clients that others wrote:
//
//   npm ci && node audit.mjs http://127.0.0.1:8080/graphql [--clients]
//
// GraphQL over HTTP is audited against any endpoint (AUDIT_HEADERS may hold a
// JSON object of headers). --clients also drives graphql-ws and graphql-sse
// against the sample schema's subscription. Any error or warning is a failure.
import { auditServer } from 'graphql-http';
import { createClient as createWS } from 'graphql-ws';
import { createClient as createSSE } from 'graphql-sse';
import WebSocket from 'ws';

const [url, ...flags] = process.argv.slice(2);
if (!url) {
  console.error('usage: node audit.mjs URL [--clients]');
  process.exit(2);
}
const extra = JSON.parse(process.env.AUDIT_HEADERS ?? '{}');
let failures = 0;
function report(ok, name, detail) {
  if (!ok) failures++;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}${ok || !detail ? '' : `: ${detail}`}`);
}

const results = await auditServer({
  url,
  fetchFn: (input, init) => fetch(input, { ...init, headers: { ...extra, ...init?.headers } }),
});
const count = { ok: 0, notice: 0, warn: 0, error: 0 };
for (const result of results) {
  count[result.status]++;
  if (result.status !== 'ok') {
    report(result.status === 'notice', `${result.status} ${result.id} ${result.name}`, result.reason);
    if (result.status === 'notice') console.log(`     ${result.reason}`);
  }
}
console.log(`graphql-http: ${results.length} audits, ${JSON.stringify(count)}`);

async function collect(name, client, payload, want) {
  const got = [];
  try {
    await new Promise((resolve, reject) => {
      client.subscribe(payload, { next: (v) => got.push(v), error: reject, complete: resolve });
    });
    report(want(got), name, JSON.stringify(got));
  } catch (err) {
    report(want(got, err), name, `${err} ${JSON.stringify(err)}`);
  }
}

if (flags.includes('--clients')) {
  const counted = (got) => JSON.stringify(got.map((v) => v.data.count)) === '[1,2,3]';
  const invalid = (got, err) => (err ?? got[0]?.errors)?.[0]?.extensions?.code === 'INVALID_ARGUMENT';
  const refused = (got, err) => (err ?? got[0]?.errors)?.[0]?.extensions?.code === 'FORBIDDEN';
  const clients = {
    'graphql-ws': createWS({ url: url.replace(/^http/, 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 }),
    'graphql-sse': createSSE({ url, retryAttempts: 0 }),
  };
  for (const [name, client] of Object.entries(clients)) {
    await collect(`${name}: subscription`, client, { query: 'subscription { count(to: 3) }' }, counted);
    await collect(`${name}: query`, client, { query: '{ hello }' }, (got) => got[0]?.data.hello === 'hello' && got.length === 1);
    await collect(`${name}: mutation`, client, { query: 'mutation { set(value: "x") }' }, (got) => got[0]?.data.set === 'x');
    await collect(`${name}: invalid document`, client, { query: 'subscription { nothing }' }, invalid);
    await collect(`${name}: refused by the resolver`, client, { query: 'subscription { refused }' }, refused);
    const stopped = await new Promise((resolve) => {
      const stop = client.subscribe({ query: 'subscription { open }' }, {
        next: () => { stop(); resolve(true); }, error: () => resolve(false), complete: () => {},
      });
    });
    report(stopped, `${name}: stopped by the client`);
    await client.dispose();
  }
}
process.exit(failures ? 1 : 0);
