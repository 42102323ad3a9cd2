'use strict';

const endpoint = document.querySelector('meta[name="graphql-endpoint"]').content;

// A header left empty is not sent, so that the prepared ones may stay.
function headersOf(options) {
  const headers = { 'content-type': 'application/json' };
  for (const [name, value] of Object.entries(options?.headers ?? {})) {
    if (value !== '' && value != null) headers[name] = String(value);
  }
  return headers;
}

function isSubscription(params, options) {
  const operations = (options?.documentAST?.definitions ?? []).filter((d) => d.kind === 'OperationDefinition');
  const chosen = operations.find((o) => o.name?.value === params.operationName) ?? operations[0];
  return chosen?.operation === 'subscription';
}

async function post(params, options, accept, signal) {
  return fetch(endpoint, {
    method: 'POST',
    headers: { ...headersOf(options), accept },
    body: JSON.stringify(params),
    signal,
  });
}

// Reads the distinct connections mode of GraphQL over server-sent events.
async function* events(params, options) {
  const aborter = new AbortController();
  try {
    const response = await post(params, options, 'text/event-stream', aborter.signal);
    if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream')) {
      yield await response.json();
      return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let buffer = ''; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (buffer + value).split('\n\n');
      buffer = blocks.pop();
      for (const block of blocks) {
        if (block.startsWith('event: complete')) return;
        const data = block.split('\n').find((line) => line.startsWith('data: '));
        if (data) yield JSON.parse(data.slice(6));
      }
    }
  } finally {
    aborter.abort();
  }
}

function fetcher(params, options) {
  if (isSubscription(params, options)) return events(params, options);
  return post(params, options, 'application/graphql-response+json, application/json;q=0.9').then((r) => r.json());
}

ReactDOM.createRoot(document.getElementById('graphiql')).render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultHeaders: JSON.stringify({ authorization: '', 'x-api-key': '', 'x-org-id': '' }, null, 2),
    defaultEditorToolsVisibility: 'headers',
    shouldPersistHeaders: false, // they are credentials
    inputValueDeprecation: true,
  }),
);
