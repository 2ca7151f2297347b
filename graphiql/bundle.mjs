// Bundles main.jsx into gateway/pages/static/graphiql: a script, a style sheet, the licences, and a manifest that says
// of what sources and of which lock they were made. `make pages` runs it.

import {createHash} from 'node:crypto';
import {mkdir, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {dirname, join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '..', 'gateway', 'pages', 'static', 'graphiql');
const SOURCES = ['bundle.mjs', 'main.jsx', 'package-lock.json', 'package.json', 'page.css'];

// GraphiQL's style sheet holds Roboto and Fira Code, as data: addresses of 370 kB; the system's own letters do.
const withoutFonts = {
  name: 'without-fonts',
  setup(bundler) {
    bundler.onLoad({filter: /graphiql[\\/]dist[\\/]style\.css$/}, async ({path}) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(/@font-face\s*\{[^}]*\}/g, ''),
      loader: 'css',
    }));
  },
};

// GraphiQL calls its tabs by role, and puts a button to close each inside: a control within a control, which a screen
// reader can't get at. Without the roles they are a list of buttons, the one that is open being the current.
const tabsAsButtons = {
  name: 'tabs-as-buttons',
  setup(bundler) {
    bundler.onLoad({filter: /@graphiql[\\/]react[\\/]dist[\\/]ui[\\/]tabs\.js$/}, async ({path}) => {
      let contents = await readFile(path, 'utf8');
      for (const [role, instead] of [
        ['"aria-selected": isActive, role: "tab", ', '"aria-current": isActive, '],
        ['role: "tablist", ', ''],
      ]) {
        if (!contents.includes(role)) throw new Error(`${path} has no ${role}`);
        contents = contents.replace(role, instead);
      }
      return {contents, loader: 'js'};
    });
  },
};

const {metafile} = await build({
  entryPoints: {graphiql: join(here, 'main.jsx')},
  absWorkingDir: here,
  bundle: true,
  minify: true,
  charset: 'utf8',
  format: 'iife',
  jsx: 'automatic',
  target: 'es2022',
  define: {'process.env.NODE_ENV': '"production"'},
  legalComments: 'none',
  outdir: out,
  plugins: [withoutFonts, tabsAsButtons],
  metafile: true,
  write: false,
}).then(async result => {
  await rm(out, {recursive: true, force: true});
  await mkdir(out, {recursive: true});
  for (const file of result.outputFiles) await writeFile(join(out, relative(out, file.path)), file.contents);
  return result;
});

await writeFile(join(out, 'LICENCES.txt'), await licences(metafile.outputs));

const manifest = {sources: {}, built: {}};
for (const name of SOURCES) manifest.sources[name] = await digest(join(here, name));
for (const name of (await readdir(out)).sort()) manifest.built[name] = await digest(join(out, name));
await writeFile(join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);

async function digest(path) {
  return createHash('sha256').update(await readFile(path)).digest('hex');
}

// The licence of every package of which something is in the bundle, word for word.
async function licences(outputs) {
  const inputs = Object.values(outputs).flatMap(({inputs}) =>
    Object.keys(inputs).filter(path => inputs[path].bytesInOutput > 0),
  );
  const packages = new Set(
    inputs.map(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]).filter(Boolean),
  );
  const texts = [];
  for (const path of [...packages].sort()) {
    const {name, version, license, author} = JSON.parse(await readFile(join(here, path, 'package.json'), 'utf8'));
    // What GraphiQL's own parts are under stands with GraphiQL alone.
    const folder = path.includes('node_modules/@graphiql/') ? 'node_modules/graphiql' : path;
    const file = (await readdir(join(here, folder))).find(entry => /^licen[cs]e/i.test(entry));
    const text = file ? await readFile(join(here, folder, file), 'utf8') : `${license}. ${author?.name ?? author ?? ''}`;
    texts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}
