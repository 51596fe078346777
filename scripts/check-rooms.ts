/**
 * The rules of the house: which room of src/ may import which, that no file imports itself in the end, what a pure room must
 * not touch, how long a file may be.
 * Prints each breach as FILE:LINE and a sentence; exits 1 when there is one.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'

const below = {
  domain: ['pki', 'material', 'resources', 'runtime', 'cluster'],
  controllers: [
    'control',
    'ledger',
    'authority',
    'revocation',
    'trust',
    'certificate',
    'signing',
    'profile',
    'rotation',
  ],
} as const

/**
 * room → rooms it may import; a room may always import itself. A file of src/ itself is a room of its own. Nothing points
 * back up this list, so there is no cycle.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  version: [],
  pki: [],
  material: ['pki'],
  resources: ['pki', 'material', 'cluster'],
  database: ['pki', 'material', 'resources', 'runtime'],
  runtime: [],
  cluster: ['runtime', 'version'],
  server: ['runtime'],
  control: [...below.domain, 'ledger'],
  ledger: [...below.domain, 'control'],
  authority: [...below.domain, 'control', 'ledger'],
  revocation: [...below.domain, 'control', 'ledger', 'authority'],
  trust: [...below.domain, 'control', 'ledger', 'authority'],
  certificate: [...below.domain, 'control', 'ledger', 'authority', 'database'],
  signing: [...below.domain, 'control', 'ledger', 'authority', 'certificate'],
  profile: [...below.domain, 'control', 'ledger', 'authority', 'trust', 'certificate', 'database'],
  rotation: [...below.domain, 'control', 'ledger', 'authority', 'trust', 'certificate', 'profile', 'database'],
  publish: [...below.domain, 'control', 'ledger', 'authority', 'revocation', 'server'],
  overview: [...below.domain, 'control', 'server'],
  caches: [...below.domain, ...below.controllers],
  operator: [...below.domain, ...below.controllers, 'caches'],
  commands: [
    ...below.domain,
    ...below.controllers,
    'database',
    'server',
    'publish',
    'overview',
    'caches',
    'operator',
    'version',
  ],
  main: ['commands', 'runtime', 'version'],
}

/** Of a room below, only these files may be imported from above. */
const doors: Readonly<Record<string, readonly string[]>> = {
  // The kinds of resources are named in the port's terms; they know no adapter.
  'resources cluster': ['src/cluster/port.ts'],
  // Connections to servers wait, on a clock that comes in, and are asked in the order of a heap; what a server says is redacted.
  'database runtime': ['src/runtime/clock.ts', 'src/runtime/heap.ts', 'src/runtime/redact.ts'],
  // The context that every controller is handed names the shape of a ledger entry, which itself knows no context.
  'control ledger': ['src/ledger/entry.ts'],
}

/** No I/O, no clock, no randomness of their own. */
const isPure = (file: string): boolean =>
  /^src\/(pki|material|resources|database\/engines|database\/layouts)\//.test(file) ||
  /^src\/rotation\/(state|gates|phases|idle|turn-order)\.ts$/.test(file) ||
  basename(file) === 'decide.ts'

/** Tests, and what several tests of a room share. */
const isForTests = (file: string): boolean => /\.(test|fixture)\.ts$/.test(file) || basename(file) === 'testing.ts'

const impureModules =
  /^node:(fs|net|http|https|http2|tls|dgram|dns|child_process|worker_threads|sqlite|os|process|timers|perf_hooks|readline)(\/|$)/
/** What those modules hold besides: a parser of addresses, and a way to let others have their turn. */
const harmlessImport = /\{ (isIP|isIPv4|isIPv6|setImmediate as \w+)(, (isIP|isIPv4|isIPv6))* \} from/
const impureCode: readonly (readonly [RegExp, string])[] = [
  [/\bnew Date\(\s*\)/, 'the present time comes in as an argument'],
  [/\bDate\.now\b|\bperformance\.now\b/, 'the present time comes in as an argument'],
  [
    /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b|\brandomInt\b|\bgetRandomValues\b/,
    'randomness comes in as an argument',
  ],
  [/\bfetch\(/, 'a pure room does no I/O'],
  [/\bprocess\.env\b/, 'a pure room reads no environment'],
]

const maximumLines = 400

interface Source {
  readonly file: string
  readonly lines: readonly string[]
}

const sourcesBelow = (folder: string): Source[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .toSorted()
    .map((name) => join(folder, name))
    .map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n') }))

const roomOf = (file: string): string => /^src\/([^/]+?)(?:\/|\.ts$)/.exec(file)?.[1] ?? ''

const importIn = (line: string): string | undefined => staticImportIn(line) ?? /\bimport\('([^']+)'\)/.exec(line)?.[1]

const staticImportIn = (line: string): string | undefined =>
  /(?:^|\s)from\s+'([^']+)'/.exec(line)?.[1] ?? /^import\s+'([^']+)'/.exec(line)?.[1]

const importBreach = (file: string, line: string, specifier: string): string | undefined => {
  if (!specifier.startsWith('.')) {
    if (!isPure(file) || !impureModules.test(specifier) || harmlessImport.test(line)) return undefined
    return `a pure room must not import ${specifier}`
  }
  const target = normalize(join(dirname(file), specifier))
  if (!target.startsWith('src/')) return `src must not import ${target}`
  if (isForTests(target)) return `${target} is for tests alone`
  const from = roomOf(file)
  const to = roomOf(target)
  if (from === to) return undefined
  const allowed = rooms[from]
  if (allowed === undefined) return `room ${from} is unknown: give it a line in scripts/check-rooms.ts`
  if (!allowed.includes(to)) return `${from} must not import ${to} (${specifier})`
  const open = doors[`${from} ${to}`]
  if (open !== undefined && !open.includes(target)) return `${from} may import only ${open.join(', ')} of ${to}`
  return undefined
}

export const breachesOf = ({ file, lines }: Source): string[] => {
  if (isForTests(file)) return []
  const breaches: string[] = []
  for (const [index, line] of lines.entries()) {
    const at = `${file}:${index + 1}`
    const specifier = importIn(line)
    const breach = specifier === undefined ? undefined : importBreach(file, line, specifier)
    if (breach !== undefined) breaches.push(`${at}: ${breach}`)
    if (!isPure(file) || /^\s*(\*|\/\/|\/\*)/.test(line)) continue
    for (const [pattern, sentence] of impureCode) if (pattern.test(line)) breaches.push(`${at}: ${sentence}`)
  }
  if (lines.length > maximumLines) breaches.push(`${file}: ${lines.length} lines; split it, about 300 are enough`)
  return breaches
}

/** Of a file of src/ the files that it is loaded or typed with; a door is where a circle was allowed. */
const importsOf = ({ file, lines }: Source): string[] =>
  lines.flatMap((line) => {
    const specifier = staticImportIn(line)
    const target = specifier?.startsWith('.') === true ? normalize(join(dirname(file), specifier)) : undefined
    return target === undefined || doors[`${roomOf(file)} ${roomOf(target)}`]?.includes(target) === true ? [] : target
  })

/** Each circle of imports once, as a sentence. */
export const circlesIn = (sources: readonly Source[]): string[] => {
  const imports = new Map(sources.filter(({ file }) => !isForTests(file)).map((one) => [one.file, importsOf(one)]))
  const done = new Set<string>()
  const found: string[] = []
  const follow = (file: string, path: readonly string[]): void => {
    const from = path.indexOf(file)
    if (from >= 0) found.push(`${file}:1: imports itself by way of ${path.slice(from + 1).join(', ')}`)
    if (from >= 0 || done.has(file)) return
    for (const next of imports.get(file) ?? []) follow(next, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) follow(file, [])
  return found
}

if (import.meta.main) {
  const sources = sourcesBelow('src')
  const breaches = [...sources.flatMap(breachesOf), ...circlesIn(sources)]
  for (const breach of breaches) console.error(breach)
  if (breaches.length > 0) process.exitCode = 1
  else console.log('rooms: every import points the right way')
}
