/**
 * Bundles src/main.ts and its packages into dist/, or the folder given: dbtls.mjs and the modules that it loads when a verb
 * needs them, for Node 24. Prints their sizes.
 *
 *   env: DBTLS_REVISION      the commit that `dbtls version` tells; by default what Git says of this checkout
 */
import { build } from 'esbuild'
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

/** Empty where there is no Git, as in the image's own build. */
const revisionOfCheckout = (): string =>
  spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'], {
    encoding: 'utf8',
  }).stdout?.trim() ?? ''
const revision = process.env['DBTLS_REVISION'] ?? revisionOfCheckout()

const [outdir = 'dist'] = process.argv.slice(2)
rmSync(outdir, { recursive: true, force: true })
const result = await build({
  entryPoints: { dbtls: 'src/main.ts' },
  outdir,
  outExtension: { '.js': '.mjs' },
  chunkNames: '[name]-[hash]',
  bundle: true,
  // What is imported on demand stays so: the generated API of client-node, two thirds of all the code, is parsed only for
  // a kubeconfig with an auth provider.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // Names stay as they are: a stack trace from a user's cluster must be readable without the source map.
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'external',
  legalComments: 'linked',
  define: { DBTLS_VERSION: JSON.stringify(version), DBTLS_REVISION: JSON.stringify(revision) },
  metafile: true,
  logLevel: 'warning',
  // The ES module of the same package: see the check below.
  alias: { yaml: resolve('node_modules/yaml/browser/index.js') },
  // CommonJS packages inside an ES module still call require().
  banner: {
    js: "import{createRequire as bundleRequire}from'node:module';const require=bundleRequire(import.meta.url);",
  },
})
// A CommonJS module that is imported on demand has no named exports once it is a file of its own, and only then: every
// `(await import(…)).name` would be undefined, in the bundle alone.
for (const [file, { imports }] of Object.entries(result.metafile.inputs)) {
  for (const { kind, path } of imports) {
    if (kind === 'dynamic-import' && result.metafile.inputs[path]?.format === 'cjs') {
      console.error(`${file} imports ${path} on demand, which is CommonJS`)
      process.exitCode = 1
    }
  }
}

for (const [file, { bytes }] of Object.entries(result.metafile.outputs)) {
  if (file.endsWith('.mjs')) console.log(`${file}  ${(bytes / 1024).toFixed(0)} KiB`)
}
