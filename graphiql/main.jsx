// The page /graphiql: GraphiQL beside the form of the page, which the server has drawn in the reader's language.
// Nothing is kept in the browser: what is typed in may hold a person's identity number.

import {setNonce} from 'get-nonce';
import {GraphiQL} from 'graphiql';
import {buildSchema} from 'graphql';
import {useState} from 'react';
import {createRoot} from 'react-dom/client';
import 'graphiql/style.css';
import './page.css';

// As long as a first answer may take that has to wait for its place in a busy gateway.
const TIMEOUT_MILLISECONDS = 60_000;
// A token is asked for again before it ends, so that none ends on its way.
const EARLY_SECONDS = 30;

const place = document.getElementById('graphiql');
const words = place.dataset;
// Dialogs put a style element into the page: the page's policy allows those with this nonce alone.
setNonce(words.nonce);

const forgetful = {
  kept: new Map(),
  getItem(key) {
    return this.kept.get(key) ?? null;
  },
  setItem(key, value) {
    this.kept.set(key, value);
  },
  removeItem(key) {
    this.kept.delete(key);
  },
  get length() {
    return this.kept.size;
  },
  clear() {
    this.kept.clear();
  },
};

const status = document.getElementById('token-status');
const tokens = new Map();

async function request(path, options = {}) {
  return fetch(path, {...options, credentials: 'omit', signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS)});
}

// The token that the reader pasted, or one of the sandbox's client that the reader chose.
async function currentToken() {
  const pasted = document.getElementById('token');
  if (pasted) return pasted.value.trim();
  const client = document.getElementById('client').value;
  const known = tokens.get(client);
  if (known && Date.now() < known.endsAt) return known.token;
  const answer = await request('/graphiql/token', {
    method: 'POST',
    headers: {'content-type': 'application/json'},
    body: JSON.stringify({client}),
  });
  if (!answer.ok) throw new Error(`${words.noToken} (HTTP ${answer.status})`);
  const {access_token: token, expires_in: seconds} = await answer.json();
  tokens.set(client, {token, endsAt: Date.now() + (seconds - EARLY_SECONDS) * 1000});
  return token;
}

async function fetcher(parameters, options = {}) {
  let token;
  try {
    token = await currentToken();
  } catch (error) {
    status.textContent = error.message;
    throw error;
  }
  if (!token) {
    status.textContent = words.pasteFirst;
    throw new Error(words.pasteFirst);
  }
  status.textContent = '';
  const answer = await request('/graphql', {
    method: 'POST',
    headers: {
      'accept-language': document.documentElement.lang,
      ...options.headers,
      accept: 'application/graphql-response+json, application/json',
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify(parameters),
  });
  const refusal = answer.headers.get('www-authenticate');
  if (refusal) status.textContent = `HTTP ${answer.status}: ${refusal}`;
  return answer.json();
}

// CodeMirror's hidden text areas have no name of their own.
const editors = {
  '.graphiql-query-editor': words.operation,
  '.graphiql-editor-tool': words.variables,
  '.result-window': words.answer,
};

function nameEditors() {
  for (const [part, name] of Object.entries(editors)) {
    for (const area of place.querySelectorAll(`${part} .CodeMirror textarea:not([aria-label])`)) {
      area.setAttribute('aria-label', name);
    }
  }
}
new MutationObserver(nameEditors).observe(place, {childList: true, subtree: true});

function Page({schema, examples}) {
  const [shown, show] = useState(examples[0]);
  document.getElementById('example').onchange = event => {
    const chosen = examples.find(example => example.name === event.target.value);
    // Some are for one client of the sandbox and refused to others.
    const client = document.getElementById('client');
    if (client && chosen.client) client.value = chosen.client;
    show(chosen);
  };
  return (
    <GraphiQL
      key={shown.name}
      fetcher={fetcher}
      schema={schema}
      storage={forgetful}
      query={shown.query}
      variables={shown.variables}
      defaultEditorToolsVisibility="variables"
      shouldPersistHeaders={false}
      forcedTheme="light"
    >
      <GraphiQL.Logo> </GraphiQL.Logo>
    </GraphiQL>
  );
}

async function start() {
  const [sdl, examples] = await Promise.all([
    request('/reference/schema.graphql').then(answer => answer.text()),
    request('/graphiql/examples.json').then(answer => answer.json()),
  ]);
  createRoot(place).render(<Page schema={buildSchema(sdl)} examples={examples} />);
}

start().catch(error => {
  status.textContent = `${words.noStart} (${error.message})`;
});
