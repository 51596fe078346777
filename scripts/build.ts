/** Bundles src/main.ts and its packages into dist/dbtls.mjs, one ES module for Node 24, and prints its size. */
import { build } from 'esbuild'
import { readFileSync, rmSync } from 'node:fs'

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

rmSync('dist', { recursive: true, force: true })
const result = await build({
  entryPoints: ['src/main.ts'],
  outfile: 'dist/dbtls.mjs',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // Names stay as they are: a stack trace from a user's cluster must be readable without the source map.
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: 'external',
  legalComments: 'linked',
  define: { DBTLS_VERSION: JSON.stringify(version) },
  metafile: true,
  logLevel: 'warning',
  // CommonJS packages inside an ES module still call require().
  banner: {
    js: "import{createRequire as bundleRequire}from'node:module';const require=bundleRequire(import.meta.url);",
  },
})
for (const [file, { bytes }] of Object.entries(result.metafile.outputs)) {
  console.log(`${file}  ${(bytes / 1024).toFixed(0)} KiB`)
}
